"""Putting a completion script where its shell looks for it.

Owns: each shell's place for a person's own scripts, and never touching a file that somebody else wrote. Must not
edit what people write themselves: it says what they may add.
"""

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesctl.errors import Fix, HermesError

MARK = "Written by `hermesctl completion"
MARKED_BYTES = 400
"""The mark is in the first lines."""


@dataclass(frozen=True)
class Installed:
    """What is where now."""

    paths: tuple[Path, ...]
    has_changed: bool
    hint: str
    """What a person has to do or to know, lines of text."""


def install(shell: str, text: str, environment: Mapping[str, str], home: Path) -> Installed:
    """Writes a script to its shell's place; the same one again changes nothing.

    Raises:
        HermesError: FILE_EXISTS, something lies there that we did not write; nothing was written then.
        OSError: it cannot be written.
    """
    path, hint = PLACES[shell](environment, home)
    files = {path: text}
    if shell == "fish":
        files[path.parent.parent / "conf.d" / path.name] = FISH_LOADER.format(shlex.quote(str(path)))
    for place in files:
        _refuse_foreign(place, shell)
    changes = [_write(place, content) for place, content in files.items()]
    return Installed(tuple(files), any(changes), hint)


FISH_LOADER = """\
# Completion of the commands of profiles in fish. Written by `hermesctl completion fish`.
if test -r {0}
    source {0}
end
"""
"""fish looks for the script when hermesctl is completed, which is too late for the command of a profile."""


def _bash(environment: Mapping[str, str], home: Path) -> tuple[Path, str]:
    named = environment.get("BASH_COMPLETION_USER_DIR", "")
    directory = Path(named) if named.startswith("/") else _xdg(environment, "DATA", home) / "bash-completion"
    path = directory / "completions" / "hermesctl"
    hint = (
        "New shells with bash-completion have it for hermesctl. For the commands of profiles, and without\n"
        f"bash-completion, add to the end of ~/.bashrc:\n    source {shlex.quote(str(path))}\n"
    )
    return path, hint


def _zsh(environment: Mapping[str, str], home: Path) -> tuple[Path, str]:
    directory = _xdg(environment, "DATA", home) / "zsh" / "site-functions"
    hint = (
        "For new shells to find it, add to ~/.zshrc, before compinit is called there:\n"
        f"    fpath=({shlex.quote(str(directory))} $fpath)\n"
        "and if nothing calls compinit there yet, after that:\n    autoload -Uz compinit && compinit\n"
    )
    return directory / "_hermesctl", hint


def _fish(environment: Mapping[str, str], home: Path) -> tuple[Path, str]:
    path = _xdg(environment, "CONFIG", home) / "fish" / "completions" / "hermesctl.fish"
    return path, "New shells have it, for the commands of profiles too.\n"


PLACES: Mapping[str, Callable[[Mapping[str, str], Path], tuple[Path, str]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}


def _xdg(environment: Mapping[str, str], kind: str, home: Path) -> Path:
    """The XDG directory of a kind; a relative one is to be ignored."""
    named = environment.get(f"XDG_{kind}_HOME", "")
    fallback = {"DATA": home / ".local" / "share", "CONFIG": home / ".config"}[kind]
    return Path(named) if named.startswith("/") else fallback


def _write(path: Path, text: str) -> bool:
    """Replaces a script of ours in one step; returns whether that changed anything."""
    target = Path(os.path.realpath(path))
    if target.is_file() and _content(target) == text:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _refuse_foreign(path: Path, shell: str) -> None:
    if not os.path.lexists(path) or MARK in _content(path)[:MARKED_BYTES]:
        return
    quoted = shlex.quote(str(path))
    raise HermesError(
        "FILE_EXISTS",
        f"cannot install the completion of {shell}",
        why=f"somebody else wrote {path}",
        fixes=[
            Fix(f"mv {quoted} {quoted}.before", "keep it aside"),
            Fix(f"hermesctl completion {shell} --install"),
        ],
        facts={"path": str(path)},
    )


def _content(path: Path) -> str:
    """The text of a plain file; empty for anything else."""
    return path.read_text(errors="replace") if path.is_file() else ""
