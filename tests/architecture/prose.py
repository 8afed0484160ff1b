"""What comments and docstrings may say: every module explains itself, and refers to what exists."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import PROJECT, Source, Violation

REFERENCE = re.compile(r"(?<![\w/~$}.*>-])(?:[\w.-]+/)+[\w.-]+\.(?:py|md|proto)\b")
"""A relative path with a slash that names a file of ours."""

ROOTS = ("", "hermesd/", "hermesctl/", "proto/", "tests/")
"""Where such a path may begin."""

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def missing_docstring(source: Source) -> Iterator[Violation]:
    """Modules that do not say what they own."""
    if not ast.get_docstring(source.tree):
        yield Violation(source.path, 1, "has no docstring")


def dangling_references(source: Source) -> Iterator[Violation]:
    """Comments and docstrings that name a file which is not there."""
    for line, text in source.prose:
        for reference in REFERENCE.findall(text):
            if not _exists(reference, beside=source.path):
                yield Violation(source.path, line, f"refers to {reference}, which does not exist")


def _exists(reference: str, *, beside: str) -> bool:
    folder = beside.rpartition("/")[0]
    return any((PROJECT / root / reference).is_file() for root in (*ROOTS, folder))


def unfinished(source: Source) -> Iterator[Violation]:
    """Comments and docstrings that promise to do something later."""
    for line, text in source.prose:
        if found := UNFINISHED.search(text):
            yield Violation(source.path, line, f"leaves a {found.group()}")
