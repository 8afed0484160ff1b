"""Rounds: the health of all running gateways, looked at again and again.

Owns: when is looked, and that one gateway that answers slowly hinders neither the others nor the daemon. Must not
know what counts as healthy, or what a restart is.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from hermesd.domain.agent import Agent
from hermesd.domain.errors import HermesError
from hermesd.domain.health import due
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.process import Probe
from hermesd.domain.profile import Home
from hermesd.services.checkups import Checkups, Vitals
from hermesd.services.keeper import Keeper
from hermesd.services.keepers import Keepers
from hermesd.services.runtimes import Runtimes
from hermesd.services.tasks import background

log = logging.getLogger(__name__)

SLOW_S = 0.25
"""Who took longer to answer is asked apart from the others the next time."""

SLOW_AT_ONCE = 3
"""How many of those are asked at the same time: they take threads that others need."""

SHORTEST_PAUSE_S = 1.0
"""Between two rounds, however long the first one took."""

FIRST_ROUND_S = 1.0
"""How long a daemon waits at most to know how the gateways do that it adopted, until it tells of them."""


@dataclass(frozen=True)
class Visit:
    """A gateway whose turn it is, as it was when the round began."""

    keeper: Keeper
    vitals: Vitals
    home: Home
    agent: Agent

    @property
    def spawn_id(self) -> str:
        """The start that it belongs to."""
        return self.vitals.process.spawn_id


@dataclass(frozen=True)
class Finding:
    """What was seen of one."""

    visit: Visit
    probe: Probe
    at_s: float
    """By the monotonic clock."""
    took_s: float


class Rounds:
    """Looks at every running gateway."""

    def __init__(
        self, ports: Ports, policy: Policy, runtimes: Runtimes, keepers: Keepers, checkups: Checkups
    ) -> None:
        self._clock = ports.clock
        self._policy = policy
        self._runtimes = runtimes
        self._keepers = keepers
        self._checkups = checkups
        self._slow: set[str] = set()
        """Spawn ids of those that answered slowly."""
        self._apart = asyncio.Semaphore(SLOW_AT_ONCE)
        self._going: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begins the rounds; returns when the first is over, or takes too long."""
        first = background(self._begin(), "first round")
        self._going = background(self._go_round(first), "rounds")
        patience = asyncio.ensure_future(self._clock.sleep_s(FIRST_ROUND_S))
        await asyncio.wait({first, patience}, return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()

    def close(self) -> None:
        """Ends them."""
        if self._going is not None:
            self._going.cancel()

    async def look(self) -> None:
        """Looks at every running gateway once: in one thread's turn, for a turn costs more than most looks.

        Those that answer slowly have threads of their own, or the rounds would become so long that nobody could
        tell how long something has been silent.
        """
        visits = [
            Visit(keeper, keeper.vitals, keeper.home, self._runtimes.agent_of(keeper.home.name))
            for keeper in self._keepers.running()
            if keeper.vitals is not None
        ]
        slow = [visit for visit in visits if visit.spawn_id in self._slow]
        self._slow = {visit.spawn_id for visit in slow}
        quick = [visit for visit in visits if visit.spawn_id not in self._slow]
        await asyncio.gather(self._see(quick), *(self._see_apart(visit) for visit in slow))

    async def look_at(self, keeper: Keeper) -> None:
        """Looks at one gateway now, for something about it has just been changed."""
        if keeper.is_up and keeper.vitals is not None:
            agent = self._runtimes.agent_of(keeper.home.name)
            await self._see([Visit(keeper, keeper.vitals, keeper.home, agent)])

    async def _begin(self) -> None:
        """Looks at those that were adopted, of which an earlier daemon may have told something."""
        for keeper in self._keepers.running():
            if keeper.vitals is not None:
                await self._checkups.recall(keeper.home, keeper.vitals, keeper.record.since_s or 0.0)
        await self._attempt()

    async def _go_round(self, first: asyncio.Task[None]) -> None:
        begun_s = self._clock.monotonic_s()
        await first
        while True:
            took_s = self._clock.monotonic_s() - begun_s
            await self._clock.sleep_s(max(self._policy.look_s - took_s, SHORTEST_PAUSE_S))
            begun_s = self._clock.monotonic_s()
            await self._attempt()

    async def _attempt(self) -> None:
        try:
            await self.look()
        except Exception:
            log.exception("a round was cut off")

    async def _see_apart(self, visit: Visit) -> None:
        async with self._apart:
            await self._see([visit])

    async def _see(self, visits: Sequence[Visit]) -> None:
        if not visits:
            return
        for finding in await asyncio.to_thread(self._ask_all, visits):
            await self._take(finding)

    def _ask_all(self, visits: Sequence[Visit]) -> list[Finding]:
        """Runs in a thread. One whose asking fails is left out this time; the others are still looked at."""
        found = []
        for visit in visits:
            begun_s = self._clock.monotonic_s()
            try:
                probe = visit.agent.probe(visit.home, visit.vitals.process)
            except (HermesError, OSError) as error:
                log.warning("profile=%s could not be looked at: %s", visit.home.name, error)
                continue
            except Exception:
                log.exception("profile=%s could not be looked at", visit.home.name)
                continue
            at_s = self._clock.monotonic_s()
            found.append(Finding(visit, probe, at_s, at_s - begun_s))
        return found

    async def _take(self, finding: Finding) -> None:
        """Tells first: in the history, what was seen stands before what was done about it."""
        keeper, vitals = finding.visit.keeper, finding.visit.vitals
        if finding.took_s > SLOW_S:
            self._slow.add(finding.visit.spawn_id)
        else:
            self._slow.discard(finding.visit.spawn_id)
        if not keeper.is_up or keeper.vitals is not vitals:
            return  # it ended, or was told to, while it was looked at
        self._checkups.judge(vitals, finding.probe, finding.at_s)
        await self._checkups.tell(keeper.home, vitals)
        keeper.examined(vitals, due(vitals.health, self._policy, keeper.record.gateway.relapses))
