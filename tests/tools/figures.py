"""Measures our sources: sizes, comments, tests and sleeps.

`python -m tests.tools.figures` prints the table of `tests/README.md`. Files are counted whole, blank lines too;
generated stubs are left out. A function is as long as from `def` to its last line, docstring included, decorators
not; those inside others count by themselves too. Comments are lines with a `#` comment, docstrings the lines of
strings that stand alone. A sleep is a call whose name begins with `sleep`.
"""

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parents[2]
PARTS = ("hermesd", "hermesctl", "tests")
GENERATED = PROJECT / "hermesd" / "v1"


@dataclass(frozen=True)
class Figures:
    """What was counted in some files, by file or by function."""

    files: Sequence[int]
    functions: Sequence[int]
    comments: int
    docstrings: int
    sleeps: int

    @property
    def lines(self) -> int:
        """Of all files together."""
        return sum(self.files)


def measure(texts: Sequence[str]) -> Figures:
    """Counts in the texts of some modules."""
    trees = [ast.parse(text) for text in texts]
    return Figures(
        files=[len(text.splitlines()) for text in texts],
        functions=[length for tree in trees for length in _functions(tree)],
        comments=sum(_comments(text) for text in texts),
        docstrings=sum(_docstrings(tree) for tree in trees),
        sleeps=sum(_sleeps(tree) for tree in trees),
    )


def spread(numbers: Sequence[int]) -> str:
    """Median, 90th percentile and maximum, as in "12 / 30 / 71"."""
    ranked = sorted(numbers)
    return f"{median(ranked):.0f} / {ranked[int(len(ranked) * 0.9)]} / {ranked[-1]}"


def sources(part: str) -> Iterator[Path]:
    """The modules of a part, generated ones left out."""
    return (path for path in sorted((PROJECT / part).rglob("*.py")) if GENERATED not in path.parents)


def _functions(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _height(node)


def _docstrings(tree: ast.AST) -> int:
    alone = [
        node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    return sum(_height(node) for node in alone if isinstance(node.value, ast.Constant) and _is_text(node.value))


def _is_text(constant: ast.Constant) -> bool:
    return isinstance(constant.value, str)


def _sleeps(tree: ast.AST) -> int:
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in called]
    return sum(name.startswith("sleep") for name in names)


def _height(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _comments(text: str) -> int:
    return sum(token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(text).readline))


def _row(part: str, found: Figures) -> str:
    told, explained = (100 * lines / found.lines for lines in (found.comments, found.docstrings))
    sizes = f"{len(found.files)} | {found.lines:,} | {spread(found.files)} | {spread(found.functions)}"
    return f"| `{part}` | {sizes} | {told:.0f} + {explained:.0f} % |"


def main() -> None:
    """Prints the table."""
    found = {part: measure([path.read_text() for path in sources(part)]) for part in PARTS}
    print("| part | files | lines | file med / p90 / max | function med / p90 / max | comments |")
    print("|---|---|---|---|---|---|")
    for part, figures in found.items():
        print(_row(part, figures))
    tests = found["tests"]
    code = sum(figures.lines for part, figures in found.items() if part != "tests")
    ratio, sleeps = tests.lines / code, 1000 * tests.sleeps / tests.lines
    print(f"\nTest to code {ratio:.2f}; sleeps per 1,000 test lines {sleeps:.1f}.")


if __name__ == "__main__":
    main()
