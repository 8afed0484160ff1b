"""`hermesctl logs`: what gateways, agents and the daemon wrote.

Owns: the options, which profiles they mean, and the regular expression, which is matched here and never in the
daemon: a bad one costs nobody but the person who typed it, and Ctrl-C ends it. Must not know files.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import click

from hermesctl.agent_words import AGENT_COMPONENTS, AGENT_LOGS
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.literals import NOTHING, Literals, literals
from hermesctl.logview import LogView, plain
from hermesctl.moments import moment_given
from hermesctl.options import Command, names_argument
from hermesctl.render import Format, json_line
from hermesctl.session import Session
from hermesd.v1 import logs_pb2 as v1
from hermesd.v1.gateways_pb2 import ListGatewaysRequest

DEFAULT_LINES = 100
MOST_LINES = 100_000
SOURCES = {
    "agent": v1.LOG_SOURCE_AGENT,
    "errors": v1.LOG_SOURCE_ERRORS,
    "gateway": v1.LOG_SOURCE_GATEWAY,
    "daemon": v1.LOG_SOURCE_DAEMON,
}
LEVELS = {
    "debug": v1.LOG_LEVEL_DEBUG,
    "info": v1.LOG_LEVEL_INFO,
    "warn": v1.LOG_LEVEL_WARNING,
    "warning": v1.LOG_LEVEL_WARNING,
    "error": v1.LOG_LEVEL_ERROR,
    "critical": v1.LOG_LEVEL_CRITICAL,
}


@dataclass(frozen=True)
class Reading:
    """What the options say."""

    names: tuple[str, ...]
    is_all: bool
    is_following: bool
    since: str | None
    until: str | None
    lines: int | None
    level: str | None
    pattern: str | None
    session: str
    components: tuple[str, ...]
    is_unfolded: bool
    sources: tuple[str, ...] = ()


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds NAME... and every option but `--source`, which become a `Reading`."""
    for decorate in reversed(
        (
            names_argument,
            click.option("-A", "--all", "is_all", is_flag=True, help="Of every profile."),
            click.option(
                "-f", "--follow", "is_following", is_flag=True, help="Go on with new lines until Ctrl-C."
            ),
            click.option("--since", metavar="MOMENT", help="Only what was written then or later."),
            click.option("--until", metavar="MOMENT", help="Only what was written then or earlier."),
            click.option(
                "-n",
                "--lines",
                type=click.IntRange(0, MOST_LINES),
                help=f"Only the last ones. Default: {DEFAULT_LINES}, or all with --since.",
            ),
            click.option(
                "--level",
                type=click.Choice(list(LEVELS), case_sensitive=False),
                help="The least level. What has none counts as info.",
            ),
            click.option(
                "--grep",
                "pattern",
                metavar="REGEX",
                help="Only what this is found in, as 'logger: text' and as it is shown.",
            ),
            click.option("--session", default="", metavar="ID", help="Only of this session of the agent."),
            click.option(
                "--component", "components", multiple=True, metavar="NAME", help="Only of this part, or logger."
            ),
            click.option("--no-fold", "is_unfolded", is_flag=True, help="Write out what repeats."),
        )
    ):
        function = decorate(function)
    return function


@click.command(cls=Command)
@reading_options
@click.option("--source", "sources", multiple=True, type=click.Choice(list(SOURCES)), help="Only from there.")
@click.pass_obj
def logs(session: Session, /, **given: Any) -> None:
    """Show what gateways, agents and the daemon wrote, of one or many profiles in one order.

    NAME may be a quoted pattern such as 'work*'. MOMENT is a span such as 10m, 2h or 3d before now, 09:00,
    2026-11-23, 2026-11-23T09:00, today or yesterday. A time with ~ is the moment at which a line had been written
    for certain, where it does not say so itself.
    """
    show(session, Reading(**given))


def show(session: Session, reading: Reading) -> None:
    """Reads and writes what was asked for.

    Raises:
        HermesError: ARGUMENT_INVALID, PROFILE_NOT_FOUND.
    """
    found = _literals(reading)
    request = _request(session, reading, found)
    request.profiles.extend(_profiles(session, reading))
    search = re.compile(reading.pattern, re.MULTILINE).search if reading.pattern and not found.is_all else None
    writer = _writer(session, reading, list(request.profiles))
    last = deque[v1.LogRecord](maxlen=_lines(reading)) if search and _lines(reading) is not None else None
    try:
        for answer in session.client.logs.ReadLogs(request):
            for notice in answer.notices:
                session.warn(f"{notice.profile}: {notice.message}" if notice.profile else notice.message)
            records = [one for one in answer.records if search(_told(one))] if search else answer.records
            if last is None:
                writer.write(records)
            else:
                last.extend(records)
            if answer.is_caught_up:
                writer.write(last or ())
                last = None
                _say_following(session, len(request.profiles))
    except KeyboardInterrupt:
        writer.stop()
        raise
    writer.write(last or ())
    writer.end()


def _literals(reading: Reading) -> Literals:
    """What the daemon may look for.

    Raises:
        HermesError: ARGUMENT_INVALID, it is no regular expression.
    """
    if reading.pattern is None:
        return NOTHING
    try:
        re.compile(reading.pattern, re.MULTILINE)
    except (re.error, ValueError, RecursionError, OverflowError) as error:
        raise usage(f"'{reading.pattern}' is no regular expression", why=str(error)) from error
    return literals(reading.pattern)


def _request(session: Session, reading: Reading, found: Literals) -> v1.ReadLogsRequest:
    """The question, but for the profiles."""
    now_s = session.terminal.now_s()
    if reading.is_following and reading.until is not None:
        raise usage("'--until' and '--follow' exclude each other", why="what is followed has no end")
    lines = None if reading.pattern and not found.is_all else _lines(reading)
    return v1.ReadLogsRequest(
        sources=[SOURCES[name] for name in reading.sources],
        since=moment_given("--since", reading.since, now_s, "logs"),
        until=moment_given("--until", reading.until, now_s, "logs"),
        lines=lines,
        follow=reading.is_following,
        with_new_profiles=reading.is_all and reading.is_following,
        level=LEVELS[reading.level.lower()] if reading.level else v1.LOG_LEVEL_UNSPECIFIED,
        contains=found.needles,
        session=reading.session,
        loggers=[one for name in reading.components for one in AGENT_COMPONENTS.get(name, (name,))],
    )


def _lines(reading: Reading) -> int | None:
    if reading.lines is None and reading.since is None:
        return DEFAULT_LINES
    return reading.lines


def _profiles(session: Session, reading: Reading) -> list[str]:
    """Names of the profiles that are meant.

    Raises:
        HermesError: PROFILE_NOT_FOUND, a pattern fits none, or a name is that of a log; PROFILE_CONFLICT.
    """
    if reading.is_all and (reading.names or session.profile.name):
        raise usage("'--all' and the name of a profile exclude each other")
    if not reading.names and not reading.is_all:
        is_machine = set(reading.sources) == {"daemon"} and not session.profile.name
        return [] if is_machine else [session.select()]
    known: list[str] = []
    if reading.is_all or any(_is_pattern(name) or name in AGENT_LOGS for name in reading.names):
        known = [one.profile for one in session.client.gateways.ListGateways(ListGatewaysRequest()).gateways]
    names = known if reading.is_all else [one for name in reading.names for one in _meant(session, name, known)]
    return list(dict.fromkeys(names))


def _meant(session: Session, name: str, known: Sequence[str]) -> list[str]:
    """The profiles that a word on the command line means; `known` is empty unless it may be needed."""
    if _is_pattern(name):
        found = [one for one in known if fnmatchcase(one, name)]
        if not found:
            raise HermesError(
                "PROFILE_NOT_FOUND", f"no profile is called like '{name}'", fixes=[Fix("hermesctl profile list")]
            )
        return found
    if name in AGENT_LOGS and name not in known:
        raise HermesError(
            "PROFILE_NOT_FOUND",
            f"there is no profile '{name}'",
            why="a word after 'logs' is the name of a profile",
            fixes=[Fix(f"hermesctl {AGENT_LOGS[name]}")],
        )
    return [session.select(name)]


def _is_pattern(name: str) -> bool:
    return any(char in name for char in "*?[")


def _told(record: v1.LogRecord) -> str:
    """What is searched, as the contract says."""
    return f"{record.logger}: {record.text}" if record.logger else record.text


def _say_following(session: Session, count: int) -> None:
    if session.terminal.columns is not None:
        what = "1 profile" if count == 1 else f"{count} profiles" if count else "the daemon"
        session.say(f"following {what}; Ctrl-C ends it")


class _Lines:
    """Writes for people."""

    def __init__(self, session: Session, view: LogView) -> None:
        self._terminal = session.terminal
        self._session = session
        self._view = view
        self._is_empty = True

    def write(self, records: Iterable[v1.LogRecord]) -> None:
        """Writes the next records, in one piece."""
        if text := self._view.lines(records):
            self._is_empty = False
            self._terminal.write(text)

    def stop(self) -> None:
        """Writes what is left to say of what repeated."""
        if text := self._view.end():
            self._terminal.write(text)

    def end(self) -> None:
        """Writes what is left to say."""
        self.stop()
        if self._is_empty:
            self._session.say("nothing was written that fits")


class _Stream:
    """Writes JSON, a line each."""

    def __init__(self, session: Session, kind: str) -> None:
        self._terminal = session.terminal
        self._kind = kind

    def write(self, records: Iterable[v1.LogRecord]) -> None:
        """Writes the next records, in one piece."""
        if text := "".join(json_line(self._kind, plain(one)) for one in records):
            self._terminal.write(text)

    def stop(self) -> None:
        """Nothing is left."""

    end = stop


class _Listing:
    """Writes one document at the end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows: list[dict[str, Any]] = []

    def write(self, records: Iterable[v1.LogRecord]) -> None:
        """Keeps the next records."""
        self._rows += map(plain, records)

    def stop(self) -> None:
        """Half a document is none."""

    def end(self) -> None:
        """Writes all of them."""
        self._session.renderer.listing("LogRecord", self._rows, [], name=lambda row: row["profile"], empty="")


def _writer(session: Session, reading: Reading, profiles: list[str]) -> _Lines | _Stream | _Listing:
    form = session.form
    if form.is_text or form is Format.NAME:
        is_wide = form is Format.WIDE
        return _Lines(
            session,
            LogView(
                session.terminal,
                profiles,
                is_folding=not reading.is_unfolded,
                is_wide=is_wide,
                has_one=len(profiles) <= 1 and not (reading.is_all and reading.is_following),
            ),
        )
    if reading.is_following:
        return _Stream(session, "log")
    return _Stream(session, "result") if form is Format.JSONL else _Listing(session)
