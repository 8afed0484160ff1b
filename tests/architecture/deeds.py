"""What code may do, and in which files: the system, files, broad excepts."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.architecture.source import Source, Violation

ADAPTERS = "hermesd/adapters/"
DAEMON_STARTER = "hermesctl/background/"
TERMINAL = "hermesctl/terminal.py"
SCREEN = "hermesctl/fullscreen.py"
CHILD = "hermesctl/child.py"
WARM = "hermesctl/warm/"


@dataclass(frozen=True)
class Kept:
    """Names that only some files may use."""

    names: str
    """Dotted names, a regular expression."""
    files: tuple[str, ...]
    """Files, or folders with a slash at the end, that may."""


KEPT = (
    Kept(r"subprocess\b.*|asyncio\.create_subprocess_.*|os\.posix_spawnp?", (ADAPTERS, DAEMON_STARTER, CHILD)),
    Kept(r"os\.(exec[lvpe]+)", (ADAPTERS, TERMINAL)),
    Kept(r"os\.killp?g?|signal\.(pidfd_send_signal|raise_signal)", (ADAPTERS, TERMINAL, SCREEN)),
    Kept(r"signal\.pthread_kill", (WARM,)),
    Kept(r"fcntl\b.*", (ADAPTERS, TERMINAL, DAEMON_STARTER)),
    Kept(r"pty\b.*|termios\b.*", (ADAPTERS, TERMINAL, SCREEN)),
    Kept(r"os\.fork", (WARM,)),
    Kept(r"os\.(forkpty|system|popen)|pty\.(fork|spawn)|subprocess\.get(status)?output", ()),
)

NEVER_PASSED = {"preexec_fn": None, "shell": True}
"""Keywords nobody may pass, with the value that is meant; `None` is any."""

NEVER_WRITTEN = "--replace"
"""Makes an agent end whoever holds its place."""

PATH_DEEDS = frozenset(
    (
        "open read_text write_text read_bytes write_bytes exists stat lstat is_dir is_file is_symlink iterdir "
        "glob rglob walk mkdir rmdir unlink touch chmod rename symlink_to hardlink_to resolve expanduser home "
        "cwd now today utcnow time monotonic"
    ).split()
)
"""Methods by which a path or a date would reach outside, none of which the domain calls."""

BUILTIN_DEEDS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})

CREATING_FLAGS = r"os\.O_(CREAT|WRONLY|RDWR|APPEND|TRUNC)"
WRITING_MODE = re.compile(r"(?=.*[wax+])[rwaxbt+]+")


def kept_names(source: Source) -> Iterator[Violation]:
    """Uses of names that are kept for other files."""
    for node in source.nodes:
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        dotted = source.dotted(node)
        for kept in KEPT:
            if re.fullmatch(kept.names, dotted) and not source.path.startswith(kept.files):
                yield source.violation(node, f"uses {dotted}, kept for {', '.join(kept.files) or 'nobody'}")


def forbidden_arguments(source: Source) -> Iterator[Violation]:
    """Keywords and texts that no call may have."""
    prose = set(source.docstrings)
    for node in source.nodes:
        if isinstance(node, ast.keyword) and node.arg in NEVER_PASSED:
            meant = NEVER_PASSED[node.arg]
            if meant is None or not isinstance(node.value, ast.Constant) or node.value.value == meant:
                yield source.violation(node.value, f"passes {node.arg}")
        if isinstance(node, ast.Constant) and node not in prose and NEVER_WRITTEN in str(node.value):
            yield source.violation(node, f"says {NEVER_WRITTEN}")


def domain_deeds(source: Source) -> Iterator[Violation]:
    """Calls in the domain that reach outside although nothing was imported for it."""
    if not source.path.startswith("hermesd/domain/"):
        return
    for call in source.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in PATH_DEEDS:
            yield source.violation(call, f"calls .{call.func.attr}()")
        if isinstance(call.func, ast.Name) and call.func.id in BUILTIN_DEEDS:
            yield source.violation(call, f"calls {call.func.id}()")


def broad_excepts(source: Source) -> Iterator[Violation]:
    """Handlers that swallow whatever comes, bugs included. One that cleans up and raises on swallows nothing."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_on(node):
            yield source.violation(node, "catches whatever comes")
        if isinstance(node, ast.Call) and source.dotted(node.func) == "contextlib.suppress":
            yield from (source.violation(node, "suppresses whatever comes") for a in node.args if _is_broad(a))


def _raises_on(handler: ast.ExceptHandler) -> bool:
    leaves = any(isinstance(node, ast.Return | ast.Continue | ast.Break) for node in ast.walk(handler))
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None and not leaves


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(part, ast.Name) and part.id in {"Exception", "BaseException"} for part in parts)


def written_files(source: Source) -> Iterator[Violation]:
    """Files of the daemon that open something for writing."""
    if not source.path.startswith("hermesd/"):
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and re.fullmatch(CREATING_FLAGS, source.dotted(node)):
            yield source.violation(node, f"opens something with {node.attr}")
        if isinstance(node, ast.Call) and source.dotted(node.func) != "os.open" and _writes(node):
            yield source.violation(node, "opens a file for writing")


def _writes(call: ast.Call) -> bool:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    if isinstance(call.func, ast.Name) and call.func.id == "open":
        return any(_may_write(mode) for mode in [*named, *call.args[1:2]])
    if isinstance(call.func, ast.Attribute) and call.func.attr in {"open", "fdopen"}:
        return any(_may_write(mode) for mode in named) or any(_says_write(mode) for mode in call.args[:2])
    return isinstance(call.func, ast.Attribute) and call.func.attr in {"write_text", "write_bytes", "touch"}


def _says_write(mode: ast.expr) -> bool:
    text = mode.value if isinstance(mode, ast.Constant) else None
    return isinstance(text, str) and WRITING_MODE.fullmatch(text) is not None


def _may_write(mode: ast.expr) -> bool:
    return _says_write(mode) or not isinstance(mode, ast.Constant)
