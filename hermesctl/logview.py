"""How records of logs are shown.

Owns: the line of a record, and folding what repeats. Must not ask the daemon. There may be thousands of records a
second: what is the same for many of them is worked out once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hermesctl.shapes import seconds, word
from hermesctl.tables import Colour, paint
from hermesctl.terminal import Terminal
from hermesctl.text import clean, pad
from hermesctl.times import local, rfc3339
from hermesd.v1 import logs_pb2 as v1

LEVELS = {
    v1.LOG_LEVEL_UNSPECIFIED: ("", None),
    v1.LOG_LEVEL_DEBUG: ("DEBUG", Colour.DIM),
    v1.LOG_LEVEL_INFO: ("INFO", None),
    v1.LOG_LEVEL_WARNING: ("WARN", Colour.YELLOW),
    v1.LOG_LEVEL_ERROR: ("ERROR", Colour.RED),
    v1.LOG_LEVEL_CRITICAL: ("CRIT", Colour.RED),
}
"""How levels are called, and coloured."""

LEVEL_WIDTH = 5
INDENTATION = "    "
"""Before lines that belong to the one above."""

PATIENCE_S = 5.0
"""How long a record may repeat before a follower is told how often."""


def plain(record: v1.LogRecord) -> dict[str, Any]:
    """A record as scripts see it."""
    return {
        "profile": record.profile,
        "at": rfc3339(seconds(record.at)),
        "is_rough": record.is_rough,
        "source": word(v1.LogSource.DESCRIPTOR, record.source),
        "level": word(v1.LogLevel.DESCRIPTOR, record.level) or None,
        "logger": record.logger,
        "session": record.session,
        "text": record.text,
    }


@dataclass
class _Run:
    """A record, and how often it was repeated since that was told."""

    record: v1.LogRecord
    """The last one of them."""
    told_s: float
    """When something was told of it, monotonic."""
    repeated: int = 0


class LogView:
    """Writes records as lines for people."""

    def __init__(
        self, terminal: Terminal, profiles: list[str], *, is_folding: bool, is_wide: bool, has_one: bool
    ) -> None:
        """`has_one` says that all records are of one profile, which need not be named then."""
        self._terminal = terminal
        self._is_folding = is_folding
        self._is_wide = is_wide
        self._profile_width = 0 if has_one else max(map(len, profiles), default=0)
        self._has_colour = terminal.has_colour(terminal.stdout)
        self._is_exact = terminal.columns is None
        self._runs: dict[tuple[str, int], _Run] = {}
        """The last record of each source of each profile."""
        self._untold: dict[tuple[str, int], _Run] = {}
        """Those of them that were repeated, and nobody knows how often."""
        self._moment = (-1, "")

    def lines(self, records: Iterable[v1.LogRecord]) -> str:
        """The next records as text; what repeats is counted, and told when something else or time comes."""
        if not self._is_folding:
            return "".join(map(self._line, records))
        now_s = self._terminal.monotonic_s()
        parts = [self._folded(record, now_s) for record in records]
        parts += [self._told(place, now_s) for place, run in list(self._untold.items()) if _is_due(run, now_s)]
        return "".join(parts)

    def end(self) -> str:
        """What is still to be told."""
        return "".join(self._told(place, 0.0) for place in list(self._untold))

    def _folded(self, record: v1.LogRecord, now_s: float) -> str:
        """What a record adds: nothing if it repeats the last one of its place."""
        place = (record.profile, record.source)
        run = self._runs.get(place)
        if run is not None and _is_same(run.record, record):
            run.repeated += 1
            run.record = record
            self._untold[place] = run
            return ""
        self._runs[place] = _Run(record, now_s)
        ended = [one for one, run in self._untold.items() if one == place or _is_over(run, record)]
        return "".join(self._told(one, now_s) for one in ended) + self._line(record)

    def _told(self, place: tuple[str, int], now_s: float) -> str:
        run = self._untold.pop(place)
        repeated, run.repeated, run.told_s = run.repeated, 0, now_s
        if repeated == 1:
            return self._line(run.record)
        return (
            f"{self._prefix(run.record)}… repeated {repeated} times until {self._time(seconds(run.record.at))}\n"
        )

    def _line(self, record: v1.LogRecord) -> str:
        name, colour = LEVELS.get(record.level, ("", None))
        level = paint(name.ljust(LEVEL_WIDTH), colour, has_colour=self._has_colour)
        source = word(v1.LogSource.DESCRIPTOR, record.source)
        where = clean(record.logger) or source
        if self._is_wide:
            session = f"  [{clean(record.session)}]" if record.session else ""
            where = f"{source.ljust(7)}  {where}{session}"
        first, *more = record.text.split("\n")
        when = f"{self._time(seconds(record.at))}{'~' if record.is_rough else ' '}"
        head = f"{self._prefix(record)}{when} {level}  {where}  {clean(first)}\n"
        return head + "".join(f"{INDENTATION}{clean(line)}\n" for line in more)

    def _prefix(self, record: v1.LogRecord) -> str:
        return f"{pad(clean(record.profile), self._profile_width)}  " if self._profile_width else ""

    def _time(self, at_s: float) -> str:
        if self._is_exact:
            return rfc3339(at_s)
        if int(at_s) != self._moment[0]:
            self._moment = (int(at_s), local(at_s, self._terminal.now_s()))
        return self._moment[1]


def _is_same(one: v1.LogRecord, other: v1.LogRecord) -> bool:
    return one.text == other.text and one.level == other.level and one.logger == other.logger


def _is_due(run: _Run, now_s: float) -> bool:
    return now_s - run.told_s >= PATIENCE_S


def _is_over(run: _Run, record: v1.LogRecord) -> bool:
    """Whether so much time lies between them that the repetition belongs before the record."""
    return record.at.seconds - run.record.at.seconds >= PATIENCE_S
