"""Several logs as one.

Owns: the order of records from several logs, and telling that two files have the same one. Works in pieces, so
that whoever asks decides how much is done at a time. Must not know where records come from.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from operator import itemgetter
from typing import Protocol

from hermesd.domain.logs import Level, Record

WINDOW_S = 60.0
"""How far apart two files may say that the same record was written: one of them may not say it at all."""

SEEN_MOST = 20_000
"""Texts that are remembered to be told again."""


class Stream(Protocol):
    """Records of one log in their order, in pieces."""

    def next(self) -> list[Record] | None:
        """The next ones, perhaps none yet; `None` at the end."""


class Duplicates:
    """Knows records again that stand in several files.

    Each is let pass as often as the file has it that has it most often, whatever the order in which files are
    read; so a program that says the same ten times says it ten times.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Level | None, str, str], _Seen] = {}

    def is_new(self, record: Record, lane: int) -> bool:
        """Whether this record of the log with this number was not told yet."""
        key = (record.profile, record.level, record.logger, record.text)
        seen = self._seen.get(key)
        if seen is None or abs(record.at_s - seen.at_s) > WINDOW_S:
            self._make_room()
            self._seen[key] = _Seen(record.at_s, {lane: 1})
            return True
        seen.at_s = record.at_s
        count = seen.counts[lane] = seen.counts.get(lane, 0) + 1
        is_new = count > seen.most
        seen.most = max(seen.most, count)
        return is_new

    def _make_room(self) -> None:
        if len(self._seen) >= SEEN_MOST:
            for key in list(self._seen)[: SEEN_MOST // 2]:
                del self._seen[key]


@dataclass
class _Seen:
    at_s: float
    counts: dict[int, int]
    most: int = 1


@dataclass
class _Lane:
    """One log: what has been read of it and is not told yet."""

    stream: Stream
    sign: int
    records: list[Record] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)
    """Times of the records, made to grow: within a log its own order counts, whatever its clock did."""
    is_done: bool = False
    _last: float = -inf

    def fill(self) -> None:
        """Reads on."""
        records = self.stream.next()
        self.is_done = records is None
        self.records = records or []
        self.keys = [self._key(record) for record in self.records]

    def take(self, bound: float) -> list[Record]:
        """What is not after `bound`."""
        cut = bisect_right(self.keys, bound)
        taken = self.records[:cut]
        self.records = self.records[cut:]
        self.keys = self.keys[cut:]
        return taken

    def _key(self, record: Record) -> float:
        self._last = max(self._last, self.sign * record.at_s)
        return self._last


class Merge:
    """One order for several logs: the oldest first, or the newest first where the streams go backwards."""

    def __init__(self, streams: Sequence[Stream], duplicates: Duplicates, *, is_backward: bool = False) -> None:
        self._lanes = [_Lane(stream, -1 if is_backward else 1) for stream in streams]
        self._duplicates = duplicates

    def step(self) -> list[Record] | None:
        """Does one piece of work: the records that are next, perhaps none yet; `None` at the end."""
        for lane in self._lanes:
            if not lane.records and not lane.is_done:
                lane.fill()
                return []
        filled = [lane for lane in self._lanes if lane.records]
        if not filled:
            return None
        bound = min((lane.keys[-1] for lane in filled if not lane.is_done), default=inf)
        return self._merged(bound)

    def _merged(self, bound: float) -> list[Record]:
        if len(self._lanes) == 1:
            return self._lanes[0].take(bound)
        found: list[tuple[float, int, Record]] = []
        for number, lane in enumerate(self._lanes):
            keys = lane.keys
            found += [(key, number, record) for key, record in zip(keys, lane.take(bound), strict=False)]
        found.sort(key=itemgetter(0))
        return [record for _, number, record in found if self._duplicates.is_new(record, number)]


def added(pieces: Sequence[Sequence[Record]], duplicates: Duplicates) -> list[Record]:
    """What has been added to several logs since they were looked at last, in order."""
    found = [(record.at_s, number, record) for number, records in enumerate(pieces) for record in records]
    found.sort(key=itemgetter(0))
    return [record for _, number, record in found if duplicates.is_new(record, number)]
