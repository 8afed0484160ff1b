"""Who may import whom: one row per layer, and no circles."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tests.architecture.source import PROJECT, Imported, Source, Violation

OWN = ("hermesd", "hermesctl", "tests")
"""Packages of this project."""

SYSTEM = frozenset(
    "os subprocess socket signal fcntl select selectors multiprocessing shutil tempfile sqlite3".split()
)
"""What touches the system."""

CHANCE = frozenset("time random secrets uuid".split())
"""Clocks and chance, which are given as ports so that tests own them."""

INPUT_OUTPUT = (
    SYSTEM
    | CHANCE
    | frozenset(
        "asyncio concurrent ctypes fileinput getpass glob grp http importlib io linecache logging mmap pty pwd "
        "resource sched sys syslog termios threading tty urllib webbrowser".split()
    )
)
"""What has no place in a decision."""


SLOW = INPUT_OUTPUT - {"sys"}
"""What takes longer to import than the launcher takes in all."""


@dataclass(frozen=True)
class Layer:
    """What the files below `path` may import. The longest path that fits a file decides."""

    path: str
    own: tuple[str, ...]
    """Packages and modules of the project."""
    libraries: tuple[str, ...] = ()
    """What others wrote, by the name it is imported by."""
    forbidden: frozenset[str] = frozenset()
    """Modules of the standard library."""


DIGESTS = frozenset({"_sha2", "_sha256"})
"""Parts of the standard library, of which each release of Python has another."""

GRPC = ("grpc", "google", "grpc_health", "grpc_reflection")

LAYERS = (
    Layer("hermesd/domain/", ("hermesd.domain",), forbidden=INPUT_OUTPUT),
    Layer("hermesd/services/", ("hermesd.domain", "hermesd.services"), forbidden=SYSTEM | CHANCE),
    Layer(
        "hermesd/adapters/",
        ("hermesd.domain", "hermesd.adapters"),
        ("ahocorasick_rs", "dotenv", "isal", "jeepney", "packaging", "psutil", "yaml"),
    ),
    Layer(
        "hermesd/api/", ("hermesd.api", "hermesd.services", "hermesd.domain", "hermesd.v1"), GRPC, SYSTEM - {"os"}
    ),
    Layer("hermesd/", ("hermesd.domain",)),
    Layer("hermesd/app.py", ("hermesd",), GRPC),
    Layer("hermesd/__main__.py", ("hermesd",), GRPC),
    Layer("hermesctl/", ("hermesctl", "hermesd.v1"), (*GRPC, "click", "dotenv", "psutil", "yaml")),
    Layer("hermesctl/launch/", ("hermesctl",), tuple(DIGESTS), SLOW),
)


def layer_of(path: str) -> Layer:
    """The layer a file belongs to."""
    return max((layer for layer in LAYERS if path.startswith(layer.path)), key=lambda layer: len(layer.path))


def foreign_imports(source: Source) -> Iterator[Violation]:
    """Imports that the file's layer does not allow."""
    layer = layer_of(source.path)
    for imported in source.imports:
        root = imported.module.partition(".")[0]
        if root in OWN:
            allowed = any(_is_within(imported.dotted, own) for own in layer.own)
        elif root in sys.stdlib_module_names:
            allowed = root not in layer.forbidden
        else:
            allowed = root in layer.libraries
        if not allowed:
            yield Violation(source.path, imported.line, f"{layer.path} may not import {imported.dotted}")


def _is_within(dotted: str, package: str) -> bool:
    return dotted == package or dotted.startswith(f"{package}.")


@cache
def wired() -> frozenset[str]:
    """The adapters: the classes that `hermesd/app.py` takes from them to wire the daemon."""
    imported = Source.read(PROJECT / "hermesd" / "app.py").imports
    classes = (one for one in imported if one.name[:1].isupper() and not one.name.isupper())
    return frozenset(one.dotted for one in classes if _is_within(one.module, "hermesd.adapters"))


def adapters_in_adapters(source: Source) -> Iterator[Violation]:
    """Adapters that reach for another adapter instead of being given one typed by a port."""
    if not source.path.startswith("hermesd/adapters/"):
        return
    for imported in source.imports:
        if imported.dotted in wired():
            yield Violation(source.path, imported.line, f"takes {imported.dotted} instead of being given it")


def circles(sources: Iterable[Source]) -> list[str]:
    """Modules that import each other, a circle each."""
    known = {source.module: source for source in sources}
    graph = {
        module: {_target(one, known) for one in source.imports} & known.keys() for module, source in known.items()
    }
    return _circles_in({module: targets - {module} for module, targets in graph.items()})


def _target(imported: Imported, known: Mapping[str, Source]) -> str:
    return imported.dotted if imported.dotted in known else imported.module


def _circles_in(graph: Mapping[str, set[str]]) -> list[str]:
    """What is left when modules that import nothing unresolved are taken away, one circle per starting point."""
    left = {module: set(targets) for module, targets in graph.items()}
    while done := {module for module, targets in left.items() if not targets & left.keys()}:
        for module in done:
            del left[module]
    found = {}
    for start in left:
        way = [start]
        while way[-1] not in way[:-1]:
            way.append(min(left[way[-1]] & left.keys()))
        circle = way[way.index(way[-1]) :]
        found[frozenset(circle)] = " -> ".join(circle)
    return sorted(found.values())
