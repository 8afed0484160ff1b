"""Logs on disk as records: what is there, forwards or backwards, and what is added.

Owns: reading in bounded pieces, finding a moment without reading everything, and going on across rotation and
truncation. Must not know what is done with records, nor which files an agent has.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hermesd.adapters.logtape import Key, RenamedFiles, Segment, Segments, Tape
from hermesd.domain.logs import (
    MOMENT,
    NEXT_TIMED,
    LogFile,
    Moments,
    Parser,
    Record,
    Source,
    Wanted,
    first_start,
    last_start,
    touched,
)
from hermesd.domain.masking import Masking, mask
from hermesd.domain.ports import Clock

PIECE_BYTES = 262_144
"""Read at once while following."""

LEAST_PIECE_BYTES = 16_384
SHARED_BYTES = 4_194_304
"""Read at once of all logs that are read together, so that many take no more room than one."""

ENDLESS_BYTES = 1_048_576
"""A record that is longer is told in parts."""

SLACK_S = 7_200.0
"""How far times in a file may go back, as they do when clocks are changed."""


class LogReaderOnDisk:
    """LogReader (port) on captured output, the homes of agents and the daemon's own log."""

    def __init__(self, captured: Callable[[str], Segments], daemon_log: Path, clock: Clock) -> None:
        """`captured` are the files of a profile's captured output, by its id."""
        self._captured = captured
        self._daemon_log = daemon_log
        self._clock = clock

    def captured(self, profile: str, profile_id: str, masking: Masking = mask) -> "LogOnDisk":
        """What the gateway of a profile printed."""
        parser = Parser(profile, Source.GATEWAY, Moments(datetime.timestamp), is_timed=False, mask=masking)
        return LogOnDisk(self._captured(profile_id), parser, self._clock.now_s)

    def of_agent(self, profile: str, home: Path, file: LogFile, masking: Masking = mask) -> "LogOnDisk":
        """A log that an agent keeps in a home."""
        parser = Parser(profile, file.source, Moments(datetime.timestamp), is_timed=True, mask=masking)
        return LogOnDisk(RenamedFiles(home, file.path), parser, self._clock.now_s)

    def of_daemon(self) -> "LogOnDisk":
        """The daemon's own log."""
        parser = Parser("", Source.DAEMON, Moments(datetime.timestamp), is_timed=True)
        files = RenamedFiles(self._daemon_log.parent, self._daemon_log.name)
        return LogOnDisk(files, parser, self._clock.now_s)


class LogOnDisk:
    """One log (port `Log`). Every method is called by one thread at a time."""

    def __init__(self, segments: Segments, parser: Parser, now_s: Callable[[], float]) -> None:
        self._segments = segments
        self._parser = parser
        self._now_s = now_s
        self._told: set[str] = set()
        self._losses = 0
        self._wanted = Wanted()
        self._needles: tuple[bytes, ...] = ()
        self._tape = Tape(segments, [])
        self._piece = PIECE_BYTES
        self._bottom = self._top = 0
        self._rest = b""
        self._tail = Tail(segments)

    def begin(self, wanted: Wanted, *, share: int, is_following: bool) -> None:
        """Looks at what there is. What is written from now on is for `added`."""
        found = self._segments.all()
        self._wanted, self._needles = wanted, wanted.needles
        self._piece = min(PIECE_BYTES, max(LEAST_PIECE_BYTES, SHARED_BYTES // share))
        self._tape = Tape(self._segments, found)
        end = self._tape.size
        if is_following:
            end = self._end_of_last_line(end)
            self._tail.begin(found, self._tape.size - end)
        self._bottom = self._aligned(self._offset_before(wanted.since_s))
        self._top = end
        if wanted.until_s is not None:
            beyond = self._offset_before(wanted.until_s + 2 * SLACK_S) + 2 * self._piece
            self._top = max(self._bottom, min(end, beyond))

    def later(self) -> list[Record] | None:
        """The next records, oldest first; `None` at the end."""
        if self._bottom >= self._top and not self._rest:
            return None
        size = min(self._piece, self._top - self._bottom)
        data = self._rest + self._tape.read(self._bottom, size)
        self._bottom += size
        base = self._bottom - len(data)
        is_last = self._bottom >= self._top
        cut = len(data) if is_last or len(data) > ENDLESS_BYTES else self._last_start(data)
        self._rest = data[cut:]
        return self._accepted(data[:cut], base)

    def earlier(self) -> list[Record] | None:
        """The records before, newest first; `None` at the beginning."""
        if self._bottom >= self._top and not self._rest:
            return None
        size = min(self._piece, self._top - self._bottom)
        self._top -= size
        data = self._tape.read(self._top, size) + self._rest
        cut = 0
        if self._top > self._bottom:
            start = first_start(data, is_timed=self._parser.is_timed)
            cut = start if start is not None else 0 if len(data) > ENDLESS_BYTES else len(data)
        self._rest = data[:cut]
        return self._accepted(data[cut:], self._top + cut)[::-1]

    def added(self) -> list[Record] | None:
        """What has been written since the last look, oldest first: whole lines, in bounded number."""
        data, has_more = self._tail.read()
        if self._tail.has_lost:
            self._losses += 1
            self._tail.has_lost = False
        if not data:
            return None
        cut = self._last_start(data) if has_more else 0
        cut = cut or data.rfind(b"\n") + 1
        if not cut and len(data) > ENDLESS_BYTES:
            cut = len(data)
        self._tail.keep(data[cut:])
        return self._records(data[:cut], lambda _: self._now_s())

    def follow_rename(self, profile: str, home: Path) -> None:
        """Goes on in the same files, which are in another place by now."""
        if self._wanted.profiles:
            self._wanted = replace(self._wanted, profiles=self._wanted.profiles | {profile})
        if self._parser.source is not Source.DAEMON:
            self._parser.profile = profile
            self._segments.move(home)

    def take_problems(self) -> list[str]:
        """Why something is not read, each told once."""
        fresh = [problem for problem in dict.fromkeys(self._segments.problems) if problem not in self._told]
        self._segments.problems.clear()
        self._told.update(fresh)
        return fresh

    def take_losses(self) -> int:
        """How often something was rotated away before `added` came to it, since this was asked last."""
        losses, self._losses = self._losses, 0
        return losses

    def _accepted(self, data: bytes, base: int) -> list[Record]:
        return self._records(data, lambda offset: self._tape.known_by_s(base + offset))

    def _records(self, data: bytes, known_by_s: Callable[[int], float]) -> list[Record]:
        """Those that are asked for, of data that begin with a record."""
        needles = self._needles
        if not data or (needles and not any(needle in data for needle in needles)):
            return []
        starts = self._parser.starts(data)
        indices: Sequence[int] = touched(data, starts, needles) if needles else range(len(starts))
        starts.append(len(data))
        parse, accepts = self._parser.parse, self._wanted.accepts
        is_timed = self._parser.is_timed
        known_s = known_by_s(len(data) - 1) if is_timed else 0.0
        records = []
        for index in indices:
            start, end = starts[index], starts[index + 1]
            record = parse(data, start, end, known_s if is_timed else known_by_s(end - 1))
            if accepts(record):
                records.append(record)
        return records

    def _last_start(self, data: bytes) -> int:
        if self._parser.is_timed:
            return last_start(data)
        return self._parser.starts(data)[-1] if data else 0

    def _end_of_last_line(self, end: int) -> int:
        """Where the last whole line ends; a line that is longer than a piece is whole."""
        start = max(0, end - PIECE_BYTES)
        data = self._tape.read(start, end - start)
        found = data.rfind(b"\n") + 1
        return start + found if found or not start else end

    def _aligned(self, offset: int) -> int:
        """Where the first record from there on begins."""
        if offset == 0:
            return 0
        start = first_start(self._tape.read(offset, self._piece), is_timed=self._parser.is_timed)
        return offset + (start or 0)

    def _offset_before(self, at_s: float | None) -> int:
        """Somewhere before the first record of a moment, and not long before it."""
        if at_s is None:
            return 0
        if not self._parser.is_timed:
            return self._tape.offset_known_before(at_s)
        low, high = 0, self._tape.size
        while high - low > self._piece:
            middle = (low + high) // 2
            found_s = self._first_moment(middle)
            if found_s is not None and found_s < at_s - SLACK_S:
                low = middle
            else:
                high = middle
        return low

    def _first_moment(self, offset: int) -> float | None:
        data = self._tape.read(offset, self._piece)
        found = NEXT_TIMED.search(data)
        moment = MOMENT.match(data, found.end()) if found else None
        return self._parser.moments.read(*moment.groups()) if moment else None


class Tail:
    """What is added to a log: a place in one of its files, and the beginning of a line that is not whole."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._key: Key | None = None
        self._offset = 0
        self._passed: set[Key] = set()
        """Files that were there when we last looked and are no news: the one at hand, and older ones."""
        self._is_leaving = False
        self._partial = b""
        self.has_lost = False
        """Whether something was removed before it was read."""

    def begin(self, found: Sequence[Segment], unread: int) -> None:
        """Goes on after these files, but for the last bytes."""
        self._passed = {segment.key for segment in found}
        if found:
            self._key, self._offset = found[-1].key, max(0, found[-1].size - unread)

    def read(self) -> tuple[bytes, bool]:
        """What was kept and what has been added, and whether there may be more at once."""
        data = self._read_on()
        if not data and b"\n" not in self._partial:
            return b"", False
        return self._partial + data, len(data) == PIECE_BYTES

    def keep(self, partial: bytes) -> None:
        """Keeps what is not whole for the next time."""
        self._partial = partial

    def _read_on(self) -> bytes:
        newest = self._segments.newest()
        if newest is None and self._key is None:
            return b""
        if newest == (self._key, self._offset):
            return b""
        data = self._segments.read(self._key, self._offset, PIECE_BYTES) if self._key is not None else b""
        if data:
            self._offset += len(data)
            self._is_leaving = False
            return data
        return self._turn()

    def _turn(self) -> bytes:
        """Finds out why there is nothing more where we are, and goes on in the next file if there is one."""
        found = self._segments.all()
        keys = [segment.key for segment in found]
        if self._key in keys:
            fresh = keys[keys.index(self._key) + 1 :]
            if not fresh and found[-1].size < self._offset:  # somebody emptied it
                self._offset, self._partial = 0, b""
            if not self._is_leaving:  # whoever still writes there gets one more look
                self._is_leaving = bool(fresh)
                return b""
        else:
            fresh = [key for key in keys if key not in self._passed]
            self.has_lost = bool(fresh) and self._key is not None
            self._partial = b"" if self.has_lost else self._partial
        self._passed = set(keys) - set(fresh[1:])
        if not fresh:
            return b""
        self._key, self._offset, self._is_leaving = fresh[0], 0, False
        return self._read_on()
