"""Logs in memory.

Owns: what was written into them, and reading it with the domain's own parser. Must not know a file system;
nothing is ever rotated away unless a test says so.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from hermesd.domain.logs import LogFile, Moments, Parser, Record, Source, Wanted
from hermesd.domain.masking import Masking, mask
from tests.fakes.clock import ManualClock

PIECE_RECORDS = 3
"""Records given at once, so that whoever reads asks more than once."""


def in_utc(moment: datetime) -> float:
    """Local time is UTC's."""
    return moment.replace(tzinfo=UTC).timestamp()


@dataclass
class MemoryText:
    """What one log holds."""

    data: bytes = b""
    written_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    """Why it cannot be read; it reads as empty then."""
    losses: int = 0
    """How often something is said to have been removed unread."""
    given: int = 0
    """Records that were read."""


class MemoryLogReader:
    """LogReader (port) that a test writes with `write`."""

    def __init__(self, clock: ManualClock) -> None:
        self.opened: list[str] = []
        """What was opened, in order."""
        self._clock = clock
        self._texts: dict[str, MemoryText] = {}

    def text(self, name: str) -> MemoryText:
        """A log by `captured/ID`, `PROFILE/PATH` or `daemon`."""
        return self._texts.setdefault(name, MemoryText())

    def write(self, name: str, text: str) -> None:
        """Adds to a log now."""
        log = self.text(name)
        log.data += text.encode()
        log.written_s = self._clock.now_s()

    def captured(self, profile: str, profile_id: str, masking: Masking = mask) -> "MemoryLog":
        return self._open(
            f"captured/{profile_id}",
            Parser(profile, Source.GATEWAY, Moments(in_utc), is_timed=False, mask=masking),
        )

    def of_agent(self, profile: str, home: Path, file: LogFile, masking: Masking = mask) -> "MemoryLog":
        name = f"{profile}/{file.path}"
        return self._open(name, Parser(profile, file.source, Moments(in_utc), is_timed=True, mask=masking))

    def of_daemon(self) -> "MemoryLog":
        return self._open("daemon", Parser("", Source.DAEMON, Moments(in_utc), is_timed=True))

    def _open(self, name: str, parser: Parser) -> "MemoryLog":
        self.opened.append(name)
        return MemoryLog(self.text(name), parser, self._clock)


class MemoryLog:
    """Log (port) over one text."""

    def __init__(self, text: MemoryText, parser: Parser, clock: ManualClock) -> None:
        self._text = text
        self._parser = parser
        self._clock = clock
        self._wanted = Wanted()
        self._records: list[Record] = []
        self._read = 0

    def begin(self, wanted: Wanted, *, share: int, is_following: bool) -> None:
        data = b"" if self._text.problems else self._text.data
        self._wanted = wanted
        self._read = data.rfind(b"\n") + 1 if is_following else len(data)
        self._records = self._parsed(data[: self._read], self._text.written_s)

    def earlier(self) -> list[Record] | None:
        if not self._records:
            return None
        given, self._records = self._records[-PIECE_RECORDS:], self._records[:-PIECE_RECORDS]
        return given[::-1]

    def later(self) -> list[Record] | None:
        if not self._records:
            return None
        given, self._records = self._records[:PIECE_RECORDS], self._records[PIECE_RECORDS:]
        self._text.given += len(given)
        return given

    def added(self) -> list[Record] | None:
        data = self._text.data[self._read :]
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return self._parsed(whole, self._clock.now_s()) if whole else None

    def follow_rename(self, profile: str, home: Path) -> None:
        if self._wanted.profiles:
            self._wanted = replace(self._wanted, profiles=self._wanted.profiles | {profile})
        if self._parser.source is not Source.DAEMON:
            self._parser.profile = profile

    def take_problems(self) -> list[str]:
        problems, self._text.problems = self._text.problems, []
        return problems

    def take_losses(self) -> int:
        losses, self._text.losses = self._text.losses, 0
        return losses

    def _parsed(self, data: bytes, known_by_s: float) -> list[Record]:
        starts = self._parser.starts(data)
        ends = [*starts[1:], len(data)]
        records = [
            self._parser.parse(data, start, end, known_by_s) for start, end in zip(starts, ends, strict=False)
        ]
        return [record for record in records if self._wanted.accepts(record)]
