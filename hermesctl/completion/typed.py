"""What a person has typed when they press Tab.

Owns: reading what the scripts send, shell quotes, and what an alias stands for. Must not know what fits there.

Each script sends words that end in a NUL: the name of the command, then the words before the cursor, the
unfinished one last. bash splits at characters that mean nothing to us and keeps quotes, so its script sends the
line itself and the characters that bash splits at.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesctl.arguments import PROFILE_NAME
from hermesctl.completion.scripts import ALIAS_MARK

PROGRAM = "hermesctl"
ALIAS_BYTES = 8192
ALIAS = re.compile(rf"^{re.escape(ALIAS_MARK)}({PROFILE_NAME.pattern})$", re.MULTILINE)
REDIRECTION = re.compile(r"(?:\d*(?:>>|>\||>&|<<<|<>|<&|<|>)|&>>?)(.*)")
CURSOR = "\0"


@dataclass(frozen=True)
class Typed:
    """A command line up to the cursor, without the program's name."""

    words: tuple[str, ...]
    unfinished: str
    is_file: bool = False
    """Whether the shell itself takes the unfinished word for the name of a file."""
    is_known: int = 0
    """How many characters of the unfinished word the shell does not want to see again."""


def read(shell: str, sent: str, home: Path) -> Typed:
    """What was typed, with the command of a profile written out as `-p NAME`.

    Raises:
        ValueError: this is not what a script of ours sends.
    """
    command, *words = sent.split("\0")[:-1]
    typed = _from_line(*words) if shell == "bash" else Typed(tuple(words[:-1]), words[-1])
    if profile := profile_of(command.rpartition("/")[2], home):
        return Typed(("-p", profile, *typed.words), typed.unfinished, typed.is_file, typed.is_known)
    return typed


def profile_of(command: str, home: Path) -> str:
    """The profile that a command stands for; empty if it is no alias of ours."""
    if command == PROGRAM or not PROFILE_NAME.fullmatch(command):
        return ""
    path = home / ".local" / "bin" / command
    if not path.is_file():  # opening a pipe would wait for ever
        return ""
    with path.open("rb") as file:
        found = ALIAS.search(file.read(ALIAS_BYTES).decode(errors="replace"))
    return found.group(1) if found else ""


def _from_line(line: str, separators: str) -> Typed:
    """Reads bash's own text of the line."""
    from click.shell_completion import split_arg_string

    *words, last = split_arg_string(line.replace("\\\n", "") + CURSOR)
    unfinished = last.removesuffix(CURSOR)
    kept, is_file = _without_redirections([*words[1:], unfinished])
    known = unfinished.rfind("=") + 1 if "=" in separators else 0
    return Typed(tuple(kept), unfinished, is_file, known)


def _without_redirections(words: Sequence[str]) -> tuple[list[str], bool]:
    """The words before the last that the program gets, and whether the last is a file of the shell's."""
    kept: list[str] = []
    is_file = is_next_file = False
    for word in words:
        found = REDIRECTION.fullmatch(word)
        is_file = is_next_file or found is not None
        is_next_file = found is not None and not found.group(1)
        if not is_file:
            kept.append(word)
    return (kept if is_file else kept[:-1]), is_file
