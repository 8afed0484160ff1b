"""What a line of a log says: when, how grave, who, in which session.

Owns: where a record begins in the formats that we know, and what its parts mean. A level and a time are what
stands in their place and never what is found in a text. Lines that begin no record belong to the one before. A
record holds no credential, so that what is searched is what is shown. Must not know where the bytes lie.

hermes-agent 0.19.0 writes into its log files

    2026-11-23 09:12:40,123 INFO [session] gateway.run: text

in the local time of its process, without a zone, and to its output `WARNING gateway.run: text`, without a time.
The daemon's own log is in UTC and says so. Anything else is a text that does not say when it was written.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import NamedTuple

from hermesd.domain.masking import MARK, Masking, mask

TEXT_LIMIT = 65_536
"""Bytes of a record that are kept."""

SEEN_BEYOND = 512
"""Bytes behind that in which a credential may end."""

WORDS_KEPT = 1_000
"""Names of loggers and sessions that a parser remembers."""

_MOMENT = rb"(20\d\d-\d\d-\d\d[ T]\d\d:\d\d):(\d\d)(?:[.,](\d{1,6}))?(Z|[+-]\d\d:\d\d)?(?: +|$)"
_LEVEL = rb"(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)"
MOMENT = re.compile(_MOMENT)
HEADER = re.compile(_MOMENT + _LEVEL + rb" +(?:\[([^\]\n]{1,256})\] )?([^\s:]{1,256}):?(?: |$)", re.MULTILINE)
PRINTED = re.compile(_LEVEL + rb" +(?:\[([^\]\n]{1,256})\] )?([^\s:]{1,256}):(?: |$)", re.MULTILINE)
NEXT_TIMED = re.compile(rb"\n(?=20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d)")
LINE = re.compile(rb"[^\n]*\n?")
TRACEBACK = b"Traceback (most recent call last):"
CHAINED = (b"During handling of the above exception", b"The above exception was the direct cause")
OF_PROFILE = re.compile(r"(?:^| )profile=([a-z0-9][a-z0-9_-]{0,63})(?= |$)")


class Source(StrEnum):
    """Where a record comes from."""

    AGENT = "agent"
    ERRORS = "errors"
    GATEWAY = "gateway"
    DAEMON = "daemon"


class Level(IntEnum):
    """How grave a record is."""

    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4
    CRITICAL = 5


LEVELS = {
    b"DEBUG": Level.DEBUG,
    b"INFO": Level.INFO,
    b"WARN": Level.WARNING,
    b"WARNING": Level.WARNING,
    b"ERROR": Level.ERROR,
    b"CRITICAL": Level.CRITICAL,
    b"FATAL": Level.CRITICAL,
}


@dataclass(frozen=True)
class LogFile:
    """A log that an agent keeps in its home."""

    source: Source
    path: str
    """Relative to the home. Older files are called the same with `.1`, `.2`, ... behind it."""


class Record(NamedTuple):
    """A line of a log with the lines that belong to it."""

    profile: str
    """Empty for the machine."""
    source: Source
    at_s: float
    """Seconds since the epoch."""
    is_rough: bool
    """Whether the record does not say when it was written, and `at_s` is when it had been for certain."""
    level: Level | None
    logger: str
    session: str
    text: str

    @property
    def told(self) -> str:
        """What a search looks at."""
        return f"{self.logger}: {self.text}" if self.logger else self.text


@dataclass(frozen=True)
class Wanted:
    """Which records somebody asks for."""

    since_s: float | None = None
    until_s: float | None = None
    level: Level | None = None
    """The least one; a record that has none counts as information."""
    contains: tuple[str, ...] = ()
    """One must stand in what the record tells, if there are any."""
    session: str = ""
    loggers: tuple[str, ...] = ()
    """Names of which the record's logger is one, or is below one."""
    profiles: frozenset[str] = frozenset()
    """Whose records, where a log tells of several; empty for all of them."""

    def accepts(self, record: Record) -> bool:
        """Whether the record is asked for."""
        return (
            (self.since_s is None or record.at_s >= self.since_s)
            and (self.until_s is None or record.at_s <= self.until_s)
            and (self.level is None or (record.level or Level.INFO) >= self.level)
            and (not self.session or self.session in record.session)
            and (not self.profiles or record.profile in self.profiles)
            and (not self.loggers or _is_below(record.logger, self.loggers))
            and (not self.contains or _has_one(record.told, self.contains))
        )

    @property
    def needles(self) -> tuple[bytes, ...]:
        """Bytes of which one stands in every record that is asked for; empty if nothing is known of them.

        What is shown in place of a credential stands in no file.
        """
        longest = [max(_pieces(text), key=len).encode() for text in self.contains]
        if longest and all(longest) and not any(MARK in text for text in self.contains):
            return tuple(longest)
        if self.session:
            return (self.session.encode(),)
        if self.level is not None and self.level > Level.INFO:
            return (*(word for word, level in LEVELS.items() if level >= self.level), TRACEBACK)
        return ()


def _pieces(text: str) -> Sequence[str]:
    """What of a text to look for must stand in the file as it is.

    Between logger and text the file may have no colon, and bytes that are no text have been replaced.
    """
    return re.split("[:\ufffd\n\r]+", text)


def _has_one(text: str, parts: Sequence[str]) -> bool:
    return any(part in text for part in parts)


def _is_below(logger: str, names: Sequence[str]) -> bool:
    return any(logger == name or logger.startswith(f"{name}.") for name in names)


@dataclass
class Moments:
    """Reads the times that records say. `local` is the local time, to the minute, as seconds since the epoch.

    Of the hour that a change of the clocks repeats, the first one is meant. What a minute is worth is remembered,
    for most lines are of the same minute as the one before.
    """

    local: Callable[[datetime], float]
    _minute: bytes = b""
    _zone: bytes | None = None
    _worth_s: float = 0.0

    def read(self, minute: bytes, second: bytes, fraction: bytes | None, zone: bytes | None) -> float | None:
        """Seconds since the epoch; `None` if there is no such moment, as on the 31st of February."""
        if minute != self._minute or zone != self._zone:
            try:
                self._worth_s = self._value(minute.decode(), zone)
            except (ValueError, OverflowError):
                return None
            self._minute, self._zone = minute, zone
        return self._worth_s + int(second) + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)

    def _value(self, minute: str, zone: bytes | None) -> float:
        when = datetime.fromisoformat(minute)
        if zone is None:
            return self.local(when)
        if zone == b"Z":
            return when.replace(tzinfo=UTC).timestamp()
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        return when.replace(tzinfo=timezone(-offset if zone[:1] == b"-" else offset)).timestamp()


def starts_of_timed(data: bytes) -> list[int]:
    """Where records begin in a file whose records say when they were written; the data begin with one."""
    return [0, *(found.end() for found in NEXT_TIMED.finditer(data))] if data else []


def last_start(data: bytes) -> int:
    """Where the last record begins in a file whose records say when they were written."""
    at = data.rfind(b"\n20")
    while at >= 0:
        if NEXT_TIMED.match(data, at):
            return at + 1
        at = data.rfind(b"\n20", 0, at)
    return 0


def starts_of_printed(data: bytes) -> list[int]:
    """Where records begin in what a program printed: at every line but those of a traceback or an indentation."""
    starts: list[int] = []
    lines = _PrintedLines()
    for found in LINE.finditer(data):
        line = found.group()
        if line and (lines.begins(line) or not starts):
            starts.append(found.start())
    return starts


class _PrintedLines:
    """Tells which printed lines begin a record."""

    def __init__(self) -> None:
        self._is_stack = self._is_after_stack = self._is_named = False

    def begins(self, line: bytes) -> bool:
        """Whether this line, which follows the last one given, begins a record."""
        if PRINTED.match(line) or MOMENT.match(line):
            self._is_stack = self._is_after_stack = False
            self._is_named = True
            return True
        if line.startswith(TRACEBACK):
            is_first = not (self._is_named or self._is_after_stack)
            self._is_stack, self._is_after_stack = True, False
            return is_first
        if line[:1].isspace():
            return False
        if self._is_stack:  # the exception, which ends it
            self._is_stack, self._is_after_stack = False, True
            return False
        if self._is_after_stack and line.startswith(CHAINED):
            return False
        self._is_after_stack = self._is_named = False
        return True


def first_start(data: bytes, *, is_timed: bool) -> int | None:
    """Where the first record begins for certain in data that begin anywhere; `None` if none does.

    What a program printed may have lines that begin a record only by what stands before them; such a line is
    taken if there is none better.
    """
    if is_timed:
        found = NEXT_TIMED.search(data)
        return found.end() if found else None
    plain: int | None = None
    begin = data.find(b"\n") + 1
    while begin and begin < len(data):
        line = data[begin : begin + TEXT_LIMIT]
        if PRINTED.match(line) or MOMENT.match(line):
            return begin
        if plain is None and not line[:1].isspace():
            plain = begin
        begin = data.find(b"\n", begin) + 1
    return plain


def touched(data: bytes, starts: Sequence[int], needles: Sequence[bytes]) -> Sequence[int]:
    """Indices of the records in which one of these stands, in order."""
    found: set[int] = set()
    for needle in needles:
        at = data.find(needle)
        while at >= 0:
            index = bisect_right(starts, at) - 1
            found.add(index)
            if index + 1 == len(starts):
                break
            at = data.find(needle, starts[index + 1])
    return sorted(found)


@dataclass
class Parser:
    """Makes records of the bytes of one log."""

    profile: str
    source: Source
    moments: Moments
    is_timed: bool
    """Whether lines that say no time continue a record."""
    mask: Masking = mask
    """What no record may hold."""
    _last: Record = field(init=False)
    _words: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._last = Record(self.profile, self.source, 0.0, True, None, "", "", "")

    def starts(self, data: bytes) -> list[int]:
        """Where records begin in data that begin with one."""
        return starts_of_timed(data) if self.is_timed else starts_of_printed(data)

    def parse(self, data: bytes, start: int, end: int, known_by_s: float) -> Record:
        """The record between these places. `known_by_s`: when it had been written, should it not say."""
        found = HEADER.match(data, start, end)
        if found is None:
            self._last = self._without_header(data, start, end, known_by_s)
            return self._last
        minute, second, fraction, zone, level, session, logger = found.groups()
        at_s = self.moments.read(minute, second, fraction, zone)
        text = self._text(data, found.end(), end)
        self._last = Record(
            _profile_named(text) if self.source is Source.DAEMON else self.profile,
            self.source,
            known_by_s if at_s is None else at_s,
            at_s is None,
            LEVELS[level],
            self._word(logger),
            self._word(session) if session else "",
            text,
        )
        return self._last

    def _without_header(self, data: bytes, start: int, end: int, known_by_s: float) -> Record:
        moment = MOMENT.match(data, start, end)
        if moment is not None:
            at_s = self.moments.read(*moment.groups())
            known_s = known_by_s if at_s is None else at_s
            return self._plain(known_s, at_s is None, self._text(data, moment.end(), end))
        if self.is_timed:
            return self._continued(data, start, end, known_by_s)
        printed = PRINTED.match(data, start, end)
        if printed is None:
            level = Level.ERROR if data.startswith(TRACEBACK, start) else None
            return self._plain(known_by_s, True, self._text(data, start, end), level)
        word, session, logger = printed.groups()
        text = self._text(data, printed.end(), end)
        made = self._plain(known_by_s, True, text, LEVELS[word])
        return made._replace(logger=self._word(logger), session=self._word(session or b""))

    def _plain(self, at_s: float, is_rough: bool, text: str, level: Level | None = None) -> Record:
        profile = _profile_named(text) if self.source is Source.DAEMON else self.profile
        return Record(profile, self.source, at_s, is_rough, level, "", "", text)

    def _word(self, word: bytes) -> str:
        """The text of a word that comes again and again."""
        known = self._words.get(word)
        if known is None:
            if len(self._words) >= WORDS_KEPT:
                self._words.clear()
            known = self._words[word] = self.mask(word.decode(errors="replace"))
        return known

    def _text(self, data: bytes, start: int, end: int) -> str:
        if end - start <= TEXT_LIMIT:
            return self.mask(_decoded(data[start:end]))
        whole = _decoded(data[start : start + TEXT_LIMIT + SEEN_BEYOND])
        masked = self.mask(whole)  # before it is cut: of half a credential nobody knows what it is
        text = _decoded(data[start : start + TEXT_LIMIT]) if masked == whole else masked[:TEXT_LIMIT]
        return f"{text}\n({end - start - TEXT_LIMIT} more bytes)"

    def _continued(self, data: bytes, start: int, end: int, known_by_s: float) -> Record:
        """Lines that were parted from their record, of whose time and level they are."""
        before = self._last
        at_s = before.at_s or known_by_s
        return before._replace(at_s=at_s, is_rough=True, text=self._text(data, start, end))


def _profile_named(text: str) -> str:
    named = OF_PROFILE.search(text)
    return named.group(1) if named else ""


def _decoded(body: bytes) -> str:
    text = body.decode(errors="replace").rstrip("\r\n")
    return text.replace("\r\n", "\n") if "\r" in text else text
