"""One verb for many gateways: which are meant, and what became of each.

Owns: names, patterns, `--all` and `--exclude` on the command line, and how results are told. Must not decide what
is done to any gateway, or which are skipped: the daemon does.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import click

from hermesctl.arguments import PROFILE_NAME
from hermesctl.completion import offered
from hermesctl.errors import ExitCode, Fix, HermesError, from_metadata, usage
from hermesctl.options import following_options, names_argument, reference
from hermesctl.progress import follow
from hermesctl.results import failed, many_exit_code, phrase, reason_of, warn_of_failures
from hermesctl.session import Session
from hermesctl.tables import Colour, paint
from hermesctl.text import clean, fold, pad, width
from hermesd.v1 import gateways_pb2 as v1

if TYPE_CHECKING:
    from hermesd.v1.operations_pb2 import TargetResult

WILDCARDS = frozenset("*?")

DONE_WORDS = {
    v1.GATEWAY_VERB_START: "started",
    v1.GATEWAY_VERB_STOP: "stopped",
    v1.GATEWAY_VERB_RESTART: "restarted",
    v1.GATEWAY_VERB_DRAIN: "draining",
    v1.GATEWAY_VERB_UNDRAIN: "taking turns",
}

WIDEST = 24
"""Columns for names, so that a long one does not push away what is told of the others."""

ENDING = frozenset({v1.GATEWAY_VERB_STOP, v1.GATEWAY_VERB_RESTART})
"""Verbs by which gateways end."""


@dataclass(frozen=True)
class Choice:
    """What the command line says of who is meant."""

    verb: str
    """The command's own name."""
    names: tuple[str, ...]
    """Names and patterns."""
    is_all: bool
    excluded: tuple[str, ...]


def choosing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds NAME..., `--all` and `--exclude`."""
    for decorate in reversed(
        (
            names_argument,
            click.option("-A", "--all", "is_all", is_flag=True, help="Of every profile."),
            click.option(
                "--exclude",
                "excluded",
                multiple=True,
                metavar="NAME",
                callback=lambda _, __, value: tuple(map(reference, value)),
                shell_complete=offered.profiles,
                help="But not of this one, which may be a pattern too.",
            ),
        )
    ):
        function = decorate(function)
    return function


def changing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what a verb for many takes: who is meant, how many at once, and whether it is waited for."""
    at_once = click.option(
        "--at-once",
        type=click.IntRange(1),
        metavar="N",
        help="How many are changed at the same time. Default: as many as the settings let start at once.",
    )
    return choosing_options(at_once(following_options(function)))


def only_one(session: Session, choice: Choice) -> str:
    """The profile that is meant where it can be only one; empty where more may be.

    Raises:
        HermesError: PROFILE_CONFLICT; ARGUMENT_INVALID, the options contradict each other; PROFILE_NAME_INVALID, a
            word is the name of a file.
    """
    if choice.is_all and (choice.names or session.profile.name):
        raise usage("'--all' is every profile, and needs no name")
    if choice.excluded and not choice.is_all and not choice.names:
        raise usage(
            "'--exclude' leaves out of what is named", fixes=[Fix(f"hermesctl gateway {choice.verb} --help")]
        )
    _refuse_files(session, choice)
    if choice.is_all or choice.excluded or len(set(choice.names)) > 1 or any(map(is_pattern, choice.names)):
        for name in choice.names if session.profile.name else ():
            session.profile.set(name)
        return ""
    return session.select(choice.names[0] if choice.names else "", is_change=True)


def is_pattern(word: str) -> bool:
    """Whether a word stands for all profiles that fit it."""
    return not WILDCARDS.isdisjoint(word)


def change(
    session: Session,
    verb: v1.GatewayVerb.ValueType,
    choice: Choice,
    *,
    at_once: int | None = None,
    no_wait: bool = False,
    timeout_s: float | None = None,
) -> ExitCode:
    """Has a verb done to many gateways, and tells what became of each.

    Raises:
        HermesError: nothing was done; or there was only one, and it failed.
    """
    request = v1.ChangeGatewaysRequest(
        verb=verb, profiles=choice.names, all=choice.is_all, exclude=choice.excluded, at_once=at_once or 0
    )
    with explaining_files(session, choice):
        begun = session.client.gateways.ChangeGateways(request)
    if no_wait or (verb in ENDING and session.ends_with()):
        text = f"{begun.kind}  operation {begun.id}\n"
        session.renderer.single("Operation", begun, name=begun.id, text=lambda: text)
        return ExitCode.DONE
    done = follow(session, begun, timeout_s=timeout_s, tells_results=True)
    results = sorted(done.results, key=lambda one: (one.profile != "default", one.profile))
    if session.form.is_text and len(results) == 1 and failed(results[0]):
        error = results[0].error
        raise from_metadata(reason_of(results[0]), error.message, dict(error.metadata))
    if session.is_quiet:
        warn_of_failures(session, results)
    session.renderer.single(
        "Operation", done, name=done.id, text=lambda: "" if session.is_quiet else told(session, verb, results)
    )
    return many_exit_code(done)


def told(session: Session, verb: v1.GatewayVerb.ValueType, results: "Sequence[TargetResult]") -> str:
    """A line for each, then how many were done, skipped and failed."""
    size = min(max(width(clean(one.profile)) for one in results), WIDEST)
    lines = [line for one in results for line in _lines(session, one, size)]
    counts = Counter(_outcome(verb, one) for one in results)
    ranked = sorted(counts.items(), key=lambda item: (item[0] == "failed", item[0] == "skipped"))
    summary = ", ".join(f"{count} {word}" for word, count in ranked)
    return "".join(f"{line}\n" for line in lines) + f"\n{summary}\n"


def _lines(session: Session, one: "TargetResult", size: int) -> list[str]:
    has_colour = session.terminal.has_colour(session.terminal.stdout)
    symbol, colour = (
        ("✗", Colour.RED) if failed(one) else ("○", Colour.DIM) if one.is_skipped else ("✓", Colour.GREEN)
    )
    mark = paint(symbol, colour, has_colour=has_colour)
    columns = session.terminal.columns
    lines = [f"{mark} {pad(clean(one.profile), size)}  {fold(clean(phrase(one)), columns, size + 4)}"]
    if failed(one):
        error = from_metadata(reason_of(one), one.error.message, dict(one.error.metadata))
        parts = (error.facts.get("why", ""), *error.why.split("; "))
        why = "; ".join(part for part in parts if part and part not in one.error.message)
        lines += [f"    why: {fold(clean(why), columns, 9)}"] if why else []
        lines += [f"    fix: {clean(session.runnable(fix.command))}" for fix in error.fixes[:1]]
    return lines


def _outcome(verb: v1.GatewayVerb.ValueType, one: "TargetResult") -> str:
    if failed(one):
        return "failed"
    if one.is_skipped:
        return "skipped"
    return clean(one.summary) if one.summary.startswith("already ") else DONE_WORDS[verb]


@contextmanager
def explaining_files(session: Session, choice: Choice) -> Iterator[None]:
    """Says of a profile that is not there and a file that is, why the one may have been asked for."""
    import grpc

    from hermesctl.client import explain

    try:
        yield
    except grpc.RpcError as error:
        failure = explain(error)
        named = failure.facts.get("profile", "")
        if failure.reason == "PROFILE_NOT_FOUND" and named and _is_file(session, named):
            raise _expanded(choice, failure.reason, failure.message, named) from error
        raise


def _refuse_files(session: Session, choice: Choice) -> None:
    """A shell that finds files to fit a pattern puts their names in its place, and nobody sees it."""
    for name in choice.names:
        if not is_pattern(name) and not PROFILE_NAME.fullmatch(name.lower()) and _is_file(session, name):
            raise _expanded(choice, "PROFILE_NAME_INVALID", f"'{name}' is not a profile name", name)


def _expanded(choice: Choice, reason: str, message: str, name: str) -> HermesError:
    begin = "".join(takewhile(re.compile(r"[a-z0-9_-]").match, name))
    others = [one for one in choice.names if not one.startswith(begin)]
    pattern = "PATTERN" if others or not begin else f"{begin}*"
    return HermesError(
        reason,
        message,
        why="a file of this name is here; without quotes, the shell puts names of files in the place of a pattern",
        fixes=[Fix(f"hermesctl gateway {choice.verb} '{pattern}'")],
        facts={"profile": name},
    )


def _is_file(session: Session, name: str) -> bool:
    return "/" not in name and (session.terminal.working_directory / name).exists()
