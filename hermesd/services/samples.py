"""What gateways use: looked at once a minute, and every second while somebody watches.

Owns: when it is looked, who is told, and what is kept. Must not know processes or files. However many gateways
there are, a look is one turn of a thread, a minute is one write, and there are two timers at most.

A sample is worth less than anything else the daemon does: what fails here is told and left out.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

from hermesd.domain.errors import HermesError
from hermesd.domain.ports import Ports
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord
from hermesd.domain.samples import Course, Moment, Reading, Sample, joined
from hermesd.services.homes import KnownHomes
from hermesd.services.keepers import Keepers
from hermesd.services.tasks import lasting

log = logging.getLogger(__name__)

MINUTE_S = 60.0
SECOND_S = 1.0

PAUSES = 19
"""Times as long as a look takes it rests at least, so that a machine with ever so many processes has its peace."""


@dataclass(frozen=True)
class NamedSample:
    """A sample and whose it is."""

    profile: ProfileName
    sample: Sample


@dataclass(eq=False)
class _Watcher:
    """Somebody who reads along: they get the newest, whenever they come to read."""

    profile_id: str
    """Empty for all."""
    newest: Sequence[NamedSample] = ()
    has_news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, samples: Mapping[str, NamedSample], everything: Sequence[NamedSample]) -> None:
        """Replaces what was not read yet. Who watches everything is given the very same as others."""
        own = samples.get(self.profile_id)
        self.newest = everything if not self.profile_id else [own] if own is not None else []
        self.has_news.set()


@dataclass(frozen=True)
class _Running:
    """A gateway that runs."""

    name: ProfileName
    record: GatewayRecord
    process: ProcessIdentity


@dataclass(frozen=True)
class _Looked:
    """What was seen."""

    moment: Moment
    found: Mapping[str, tuple[_Running, Reading]]
    """By profile id."""


class Samples:
    """Looks at what gateways use."""

    def __init__(self, ports: Ports, homes: KnownHomes, keepers: Keepers) -> None:
        self._clock = ports.clock
        self._meter = ports.meter
        self._store = ports.samples
        self._homes = homes
        self._keepers = keepers
        self._courses: dict[str, Course] = {}
        """By profile id."""
        self._watchers: set[_Watcher] = set()
        self._looked_s: float | None = None
        """When all gateways were looked at last, monotonic."""
        self._is_looking = False
        """Whether a look for who watches is under way."""
        self._is_hurried = False
        """Whether somebody came meanwhile."""
        self._problem = ""
        """Why samples are lost, as it was told; empty once a minute was kept again."""
        self._minutes: asyncio.Task[None] | None = None
        self._seconds: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to look."""
        self._minutes = lasting(self._look_each_minute, "samples", self._clock)

    def close(self) -> None:
        """Ends that."""
        for task in (self._minutes, self._seconds):
            if task is not None:
                task.cancel()

    def latest(self, profile_id: str, process: ProcessIdentity | None) -> Sample | None:
        """The newest sample of a gateway's process; `None` if it has not been looked at."""
        course = self._courses.get(profile_id)
        return course.latest if course is not None and course.is_of(process) else None

    async def look_at_new(self) -> None:
        """Looks at what was never looked at, so that nobody waits a minute to see what a fresh gateway uses."""
        fresh = {id_: one for id_, one in self._running().items() if self.latest(id_, one.process) is None}
        if fresh:
            await self._attempt(self._look_for_the_first_time(fresh))

    async def all(self, name: ProfileName, *, since_s: float = 0.0) -> list[NamedSample]:
        """What is known of one profile, oldest first, as finely as it is kept.

        Raises:
            ProfileNotFound: there is no such profile.
            DiskFull, NotPermitted, StateCorrupt: what is kept cannot be read.
        """
        known = await self._homes.get(name)
        kept = await self._store.all(known.id, since_s=since_s)
        course = self._courses.get(known.id)
        seconds = course.ring.all() if course is not None else []
        found = joined(kept, [one for one in seconds if one.at_s >= since_s])
        return [NamedSample(known.home.name, one) for one in found]

    async def watch(self, name: ProfileName | None) -> AsyncGenerator[Sequence[NamedSample], None]:
        """The newest samples, of one profile or of all, at once and then about every second; ends with its reader.

        Who reads slowly misses some. What is watched is looked at every second, and nothing else is.

        Raises:
            ProfileNotFound: there is no such profile.
        """
        watcher = _Watcher("" if name is None else (await self._homes.get(name)).id)
        self._watchers.add(watcher)
        try:
            self._wake()
            while True:
                await watcher.has_news.wait()
                watcher.has_news.clear()
                yield watcher.newest
        finally:
            self._watchers.discard(watcher)
            if not self._watchers and self._seconds is not None:
                self._seconds.cancel()
                self._seconds = None

    def _wake(self) -> None:
        """Looks at once, for somebody new; a look under way is finished first, for whom it was begun."""
        if self._seconds is not None and self._is_looking:
            self._is_hurried = True
            return
        if self._seconds is not None:
            self._seconds.cancel()
        self._seconds = lasting(self._look_each_second, "samples of seconds", self._clock)

    async def _look_each_minute(self) -> None:
        while True:
            began_s = self._clock.monotonic_s()
            await self._attempt(self._look_for_a_minute())
            took_s = self._clock.monotonic_s() - began_s
            await self._clock.sleep_s(max(MINUTE_S - took_s, MINUTE_S / 2))

    async def _look_each_second(self) -> None:
        while True:
            began_s = self._clock.monotonic_s()
            self._is_looking, self._is_hurried = True, False
            await self._attempt(self._look_for_a_second())
            self._is_looking = False
            if not self._is_hurried:
                took_s = self._clock.monotonic_s() - began_s
                await self._clock.sleep_s(max(SECOND_S - took_s, took_s * PAUSES))

    async def _look_for_a_minute(self) -> None:
        """Looks at everything. What ended meanwhile is left out; so is what was never looked at before."""
        looked = await self._look(self._running())
        self._looked_s = looked.moment.monotonic_s
        watched = self._watched
        ended = {
            id_: self._courses[id_].end_minute(
                reading, looked.moment, one.record.restarts, is_watched="" in watched or id_ in watched
            )
            for id_, (one, reading) in looked.found.items()
        }
        self._drop_what_ended(looked.moment)
        await self._store.add({id_: sample for id_, sample in ended.items() if sample.step_s})
        self._problem = ""

    async def _look_for_a_second(self) -> None:
        """Looks at what is watched, and tells who watches."""
        watched, running = self._watched, self._running()
        wanted = running if "" in watched else {id_: running[id_] for id_ in watched & running.keys()}
        looked = await self._look(wanted)
        samples = {
            id_: NamedSample(one.name, self._courses[id_].end_second(reading, looked.moment, one.record.restarts))
            for id_, (one, reading) in looked.found.items()
        }
        everything = sorted(samples.values(), key=lambda one: one.profile.text)
        for watcher in self._watchers:
            watcher.tell(samples, everything)

    async def _look_for_the_first_time(self, fresh: Mapping[str, _Running]) -> None:
        looked = await self._look(fresh)
        for id_, (one, reading) in looked.found.items():
            self._courses[id_].show(reading, looked.moment, one.record.restarts)

    async def _look(self, running: Mapping[str, _Running]) -> _Looked:
        """Reads what these use, in one turn of a thread."""
        readings = await asyncio.to_thread(self._meter.measure, [one.process for one in running.values()])
        moment = Moment(self._clock.now_s(), self._clock.monotonic_s(), self._looked_s)
        found: dict[str, tuple[_Running, Reading]] = {}
        still = self._running()
        for id_, one in still.items():
            reading = readings.get(one.process)
            if reading is not None:
                self._courses.setdefault(id_, Course()).take(one.process, reading, moment)
                found[id_] = one, reading
        return _Looked(moment, found)

    @property
    def _watched(self) -> set[str]:
        """Ids of the profiles that are watched, and an empty one if all are."""
        return {watcher.profile_id for watcher in self._watchers}

    def _running(self) -> dict[str, _Running]:
        """By profile id."""
        return {
            record.profile_id: _Running(home.name, record, record.process)
            for home, record in self._keepers.living()
            if record.process is not None
        }

    def _drop_what_ended(self, moment: Moment) -> None:
        running = self._running()
        for id_, course in list(self._courses.items()):
            if id_ not in running:
                course.end()
                course.ring.trim(moment.now_s)
                if not course.ring:
                    del self._courses[id_]

    async def _attempt(self, look: Coroutine[None, None, None]) -> None:
        """Looks. What fails is told if it is another failure than before; the next look is made all the same."""
        try:
            await look
        except (HermesError, OSError) as error:
            problem = error.message if isinstance(error, HermesError) else str(error)
            if problem != self._problem:
                log.warning("samples of gateways are lost: %s", problem)
            self._problem = problem
