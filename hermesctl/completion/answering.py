"""What a Tab is answered.

Owns: telling our commands from the agent's on an unfinished line, and the form of the answer. Whatever could mean
something to a shell or a terminal stays here. Must not know any shell.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from hermesctl.arguments import SKILLS, AgentCommand, OwnCommand, split
from hermesctl.completion.typed import Typed
from hermesctl.errors import HermesError
from hermesctl.text import clean, shorten

if TYPE_CHECKING:
    from hermesctl.options import Group
    from hermesctl.session import Session

HARMLESS = re.compile(r"[A-Za-z0-9_.+=-]+")
"""What means itself to every shell."""

HELP_COLUMNS = 60
PROFILE_OPTION = "--profile="
STAND_IN = "stand-in-for-the-unfinished-word"
"""Takes the place of the unfinished word to see whose it is; a legal name of a profile and nothing else."""


@dataclass(frozen=True)
class Answer:
    """Candidates with what each is, or else whatever files there are."""

    candidates: tuple[tuple[str, str], ...] = ()
    is_files: bool = False


def answer(context: click.Context, typed: Typed) -> Answer:
    """What may take the place of the unfinished word."""
    if typed.is_file or "--" in typed.words:  # the shell's own, or some other program's
        return Answer(is_files=True)
    nouns = cast("Group", context.find_root().command).nouns
    command = _split([*typed.words, STAND_IN], nouns)
    if not isinstance(command, AgentCommand) or command.arguments == (SKILLS, STAND_IN):
        return _of_ours(context, typed)
    is_profile = command.profile == STAND_IN or typed.unfinished.startswith(PROFILE_OPTION)
    return _profiles(context, typed) if is_profile else Answer(is_files=True)


def render(found: Answer, typed: Typed) -> str:
    """The lines that a script reads: `words` or `files`, then the candidates."""
    if found.is_files:
        return "files\n"
    return "words\n" + "".join(f"{line}\n" for line in _lines(found.candidates, typed))


def _lines(candidates: Iterable[tuple[str, str]], typed: Typed) -> Iterable[str]:
    for value, text in candidates:
        if HARMLESS.fullmatch(value) and value.startswith(typed.unfinished):
            told = shorten(clean(text), HELP_COLUMNS)
            yield f"{value[typed.is_known :]}\t{told}" if told else value[typed.is_known :]


def _split(words: list[str], nouns: frozenset[str]) -> OwnCommand | AgentCommand | None:
    """Whose command it is; `None` for one that is neither ours nor the agent's as far as it goes."""
    try:
        return split(words, nouns)
    except HermesError:
        return None


def _of_ours(context: click.Context, typed: Typed) -> Answer:
    """What click finds for a command line of ours. A value after `=` is completed with its option."""
    from click.shell_completion import ShellComplete

    root = context.find_root()
    completer = ShellComplete(root.command, {"obj": context.obj}, root.info_name or "", "")
    try:
        items = completer.get_completions(list(typed.words), typed.unfinished)
    except (HermesError, click.ClickException):
        return Answer()
    if any(item.type in {"file", "dir"} for item in items):
        return Answer(is_files=True)
    option, equals, _ = typed.unfinished.partition("=")
    return Answer(
        tuple((f"{option}{equals}{item.value}" if equals else item.value, item.help or "") for item in items)
    )


def _profiles(context: click.Context, typed: Typed) -> Answer:
    from hermesctl.completion import live

    prefix = PROFILE_OPTION if typed.unfinished.startswith(PROFILE_OPTION) else ""
    found = live.profiles(cast("Session", context.obj))
    return Answer(tuple((f"{prefix}{name}", text) for name, text in found))
