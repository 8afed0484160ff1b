"""The sources that rules are about, parsed once: names resolved, comments and docstrings found.

Must not know any rule.
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
GENERATED = "hermesd/v1/"


@dataclass(frozen=True, order=True)
class Violation:
    """One place that breaks a rule."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Imported:
    """One thing that is imported: a module, or a name out of one."""

    line: int
    module: str
    name: str = ""

    @property
    def dotted(self) -> str:
        """Module and name as one."""
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the project's root, with slashes, and its text."""

    path: str
    text: str

    @classmethod
    def read(cls, file: Path) -> "Source":
        """Reads a file of the project."""
        return cls(file.relative_to(PROJECT).as_posix(), file.read_text())

    @property
    def module(self) -> str:
        """Its name as a module."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[Imported, ...]:
        """Everything imported anywhere in it, relative names made absolute."""
        found: list[Imported] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [Imported(node.lineno, alias.name) for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                found += [Imported(node.lineno, base, alias.name) for alias in node.names]
        return tuple(found)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.path.rsplit("/", 1)[0].split("/")
        parents = package[: len(package) - node.level + 1]
        return ".".join([*parents, *([node.module] if node.module else [])])

    @cached_property
    def _meanings(self) -> dict[str, str]:
        """What names at the beginning of an expression stand for."""
        meanings: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name if alias.asname else alias.name.partition(".")[0]
                    meanings[alias.asname or first] = first
            if isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                meanings |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
        return meanings

    def dotted(self, node: ast.expr) -> str:
        """What a name or attribute stands for, such as `os.kill`; empty if it does not begin with an import."""
        if isinstance(node, ast.Name):
            return self._meanings.get(node.id, "")
        if isinstance(node, ast.Attribute):
            before = self.dotted(node.value)
            return f"{before}.{node.attr}" if before else ""
        return ""

    def calls(self) -> Iterator[ast.Call]:
        """Every call in it."""
        return (node for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def prose(self) -> tuple[tuple[int, str], ...]:
        """Every comment and every docstring, with the line it begins in."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        comments = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
        return (*comments, *((node.lineno, str(node.value)) for node in self.docstrings))

    @cached_property
    def docstrings(self) -> tuple[ast.Constant, ...]:
        """Strings that stand alone: docstrings of modules, classes, functions and attributes."""
        return tuple(
            node.value
            for node in self.nodes
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        )

    def violation(self, node: ast.AST, what: str) -> Violation:
        """A violation at a node."""
        return Violation(self.path, getattr(node, "lineno", 1), what)


def sources(*folders: str) -> list[Source]:
    """The project's own Python files below these folders, generated ones left out."""
    files = (file for folder in folders for file in sorted((PROJECT / folder).rglob("*.py")))
    found = [Source.read(file) for file in files]
    return [source for source in found if not source.path.startswith(GENERATED)]
