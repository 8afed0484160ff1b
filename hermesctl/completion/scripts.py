"""The scripts that shells read.

Owns: which file serves which shell, and what is filled in. Must not know where a script is installed.
"""

import shlex
from pathlib import Path

from hermesctl.terminal import Terminal

ALIAS_MARK = "# hermesd alias: hermes -p "
"""How a line of an alias file begins that tells its profile."""

AS_MODULE = " -m hermesctl"


def completion(shell: str, terminal: Terminal) -> str:
    """The completion script of a shell; it calls this program the way its caller can."""
    executable, as_module, _ = terminal.program.partition(AS_MODULE)
    filled = {
        "@PROGRAM@": shlex.quote(executable),
        "@OPTIONS@": as_module.lstrip() + " " if as_module else "",
        "@MARK@": ALIAS_MARK,
    }
    text = _read(f"complete.{shell}")
    for placeholder, value in filled.items():
        text = text.replace(placeholder, value)
    return text


def prompt(shell: str) -> str:
    """The script that puts the chosen profile into a shell's prompt."""
    return _read(f"prompt.{shell}")


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text("ascii")
