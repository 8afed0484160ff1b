"""What gateways use, and how looks at it become samples.

Owns: the step that a sample is of, and that no step is ever told twice, spikes after a stall or goes backwards.
Must not know who counts, who keeps samples, or who reads them.
"""

import struct
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hermesd.domain.process import ProcessIdentity

SECONDS_KEPT_S = 600.0
"""How long samples of seconds are kept, in memory."""

MINUTES_KEPT = 360
"""Minutes that were looked at whose samples are kept: six hours."""

HALF_HOUR_S = 1_800

SHORTEST_S = 0.5
"""Below this a step tells more of the kernel's ticks of 10 ms than of processor time."""

HALF_HOURS_KEPT = 30 * 24 * 60
"""Minutes that were looked at whose samples by the half hour are kept: thirty days."""

_TILING_S = 0.5
"""By how much two samples of one moment may differ in when they say that was."""

_PACKED = struct.Struct("<dddQIIII")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a process tree has used and uses, at one moment."""

    cpu_s: float
    """Processor time since it began, user and system, of who lives in it and of children it has waited for."""
    rss_bytes: int
    descriptors: int
    """As far as they may be counted."""
    threads: int
    processes: int
    age_s: float
    """How long ago the main process began."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process tree used over a step of time."""

    at_s: float
    """When the step ended, seconds since the epoch."""
    step_s: float
    """How long it was; 0 where nobody looked at its beginning, and processor time is not known."""
    cpu_cores: float
    """Processor time over the step: 1.5 is one and a half cores."""
    rss_bytes: int
    """This and the next three at the most over the step."""
    descriptors: int
    threads: int
    processes: int
    restarts: int
    """Starts by the daemon since the last command, beyond the first, at the step's end."""


class Ring:
    """The newest samples of one gateway, as bytes: a second of each of hundreds of gateways adds up."""

    def __init__(self) -> None:
        self._packed: deque[bytes] = deque()

    def add(self, sample: Sample) -> None:
        """Adds the newest one."""
        self._packed.append(
            _PACKED.pack(
                sample.at_s,
                sample.step_s,
                sample.cpu_cores,
                sample.rss_bytes,
                sample.descriptors,
                sample.threads,
                sample.processes,
                sample.restarts,
            )
        )

    def trim(self, now_s: float) -> None:
        """Drops what is too old; a clock that was set back takes what it had written of the time to come."""
        while self._packed and abs(now_s - _PACKED.unpack_from(self._packed[0])[0]) > SECONDS_KEPT_S:
            self._packed.popleft()
        while len(self._packed) > SECONDS_KEPT_S:
            self._packed.popleft()

    def all(self) -> list[Sample]:
        """Oldest first."""
        return [Sample(*_PACKED.unpack(one)) for one in self._packed]

    def __bool__(self) -> bool:
        return bool(self._packed)


@dataclass(frozen=True, slots=True)
class Moment:
    """When all gateways were looked at, and when they were looked at before."""

    now_s: float
    """Seconds since the epoch."""
    monotonic_s: float
    before_s: float | None
    """Monotonic; `None` for the first look of all."""


@dataclass(slots=True)
class _Step:
    """A step that has begun and not ended."""

    cpu_s: float
    """What had been used when it began."""
    began_s: float
    """Monotonic."""
    most: Reading | None = None
    """The most of each kind since."""

    def take(self, reading: Reading) -> None:
        """Looks once more."""
        before = self.most or reading
        self.most = replace(
            reading,
            rss_bytes=max(before.rss_bytes, reading.rss_bytes),
            descriptors=max(before.descriptors, reading.descriptors),
            threads=max(before.threads, reading.threads),
            processes=max(before.processes, reading.processes),
        )

    def length_s(self, moment: Moment) -> float:
        """How long it is by now."""
        return max(moment.monotonic_s - self.began_s, 0.0)


class Course:
    """How one gateway went so far: its process, and two steps under way, one of a minute and one of a second."""

    def __init__(self) -> None:
        self.ring = Ring()
        self.latest: Sample | None = None
        """The newest of the process that runs."""
        self._process: ProcessIdentity | None = None
        self._minute = self._second = _Step(0.0, 0.0)

    def is_of(self, process: ProcessIdentity | None) -> bool:
        """Whether what is known is of this process."""
        return process is not None and process == self._process

    def end(self) -> None:
        """The process has ended: what was read of it is not of the next one."""
        self._process = self.latest = None

    def take(self, process: ProcessIdentity, reading: Reading, moment: Moment) -> None:
        """Takes a reading.

        What began since the look before has used all it used since then, and its steps begin where it began. Of
        what is older and was never seen, only a beginning is known.
        """
        if process != self._process:
            self._process, self.latest = process, None
            is_new = moment.before_s is not None and reading.age_s <= moment.monotonic_s - moment.before_s
            began_s = moment.monotonic_s - (reading.age_s if is_new else 0.0)
            used_s = 0.0 if is_new else reading.cpu_s
            self._minute, self._second = _Step(used_s, began_s), _Step(used_s, began_s)
        self._minute.take(reading)
        self._second.take(reading)

    def show(self, reading: Reading, moment: Moment, restarts: int) -> None:
        """Makes a sample of what is known so far, for who asks before the first step has ended."""
        self.latest = _sample(self._second, reading, moment, restarts)

    def end_second(self, reading: Reading, moment: Moment, restarts: int) -> Sample:
        """The sample of a second; the step goes on if it is too short to tell processor time."""
        if self._second.length_s(moment) < SHORTEST_S:
            known = self.latest or _sample(_Step(reading.cpu_s, moment.monotonic_s), reading, moment, restarts)
            self.latest = replace(known, at_s=moment.now_s, restarts=restarts)
            return self.latest
        self.latest = _sample(self._second, reading, moment, restarts)
        self.ring.add(self.latest)
        self.ring.trim(moment.now_s)
        self._second = _Step(reading.cpu_s, moment.monotonic_s)
        return self.latest

    def end_minute(self, reading: Reading, moment: Moment, restarts: int, *, is_watched: bool) -> Sample:
        """The sample of a minute. While nobody watches, the first second to come begins here."""
        sample = _sample(self._minute, reading, moment, restarts)
        self._minute = _Step(reading.cpu_s, moment.monotonic_s)
        self.ring.trim(moment.now_s)
        if not is_watched:
            self._second = _Step(reading.cpu_s, moment.monotonic_s)
            self.latest = sample
        return sample


def _sample(step: _Step, reading: Reading, moment: Moment, restarts: int) -> Sample:
    most = step.most or reading
    step_s = step.length_s(moment)
    used_s = max(reading.cpu_s - step.cpu_s, 0.0)  # what strangers waited for is missing from the sum
    return Sample(
        at_s=moment.now_s,
        step_s=step_s,
        cpu_cores=used_s / step_s if step_s else 0.0,
        rss_bytes=most.rss_bytes,
        descriptors=most.descriptors,
        threads=most.threads,
        processes=most.processes,
        restarts=restarts,
    )


def joined(coarse: Iterable[Sample], fine: Sequence[Sample]) -> list[Sample]:
    """Samples of both kinds, oldest first; where a fine one covers the end of a coarse one, that is left out."""
    ordered = sorted(fine, key=_end)
    ends = [one.at_s for one in ordered]

    def is_covered(at_s: float) -> bool:
        place = bisect_left(ends, at_s - _TILING_S)
        return place < len(ordered) and ordered[place].at_s - ordered[place].step_s < at_s

    return sorted([*(one for one in coarse if not is_covered(one.at_s)), *ordered], key=_end)


def _end(sample: Sample) -> float:
    return sample.at_s
