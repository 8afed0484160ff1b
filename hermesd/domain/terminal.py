"""Terminals: commands that run for a profile on somebody's own terminal.

Owns: what is remembered of one, and how it is called in lists. Must not know how a command is executed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName


@dataclass(frozen=True)
class Terminal:
    """One command on somebody's terminal."""

    id: str
    profile: ProfileName
    verb: str
    """First word of the agent's command, or `exec` and a program's name; never arguments, which may be private."""
    process: ProcessIdentity
    working_directory: str
    """Where it was called from."""
    tty: str
    """Path of the terminal that controls it; empty if none does."""
    started_at_s: float


def verb(arguments: Sequence[str]) -> str:
    """The first word of a command of the agent, less what may be somebody's words in it."""
    first = arguments[0] if arguments else ""
    if first.startswith("--"):
        return first.partition("=")[0]
    return first[:2] if first.startswith("-") else first


def program_verb(program: str) -> str:
    """How a program that is not the agent is called: its name without directories, never its arguments."""
    return f"exec {program.rstrip('/').rpartition('/')[2]}"
