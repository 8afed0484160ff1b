"""Drains: a gateway finishes its turns and takes no new ones, without ending.

Owns: asking the agent, and how long is waited until it says that it does. Must not know operations of the API, or
how an agent is asked.
"""

import asyncio

from hermesd.domain.errors import GatewayNotReady, GatewayNotRunning, Incompatible
from hermesd.domain.gateway import State
from hermesd.domain.ports import Ports
from hermesd.services.keeper import Keeper
from hermesd.services.operations import Job
from hermesd.services.rounds import Rounds
from hermesd.services.runtimes import Runtimes

PATIENCE_S = 15.0
"""How long an agent may take to do what it is asked for. hermes-agent 0.19.0 looks about once a second."""

LOOK_S = 0.2
"""How often it is asked whether it does."""


class Drains:
    """Begins and ends drains."""

    def __init__(self, ports: Ports, runtimes: Runtimes, rounds: Rounds) -> None:
        self._ports = ports
        self._runtimes = runtimes
        self._rounds = rounds

    def refuse_at_rest(self, keeper: Keeper) -> None:
        """Refuses what only a gateway that runs can do.

        Raises:
            GatewayNotRunning: it does not.
        """
        state = keeper.record.gateway.state
        if state is not State.RUNNING or keeper.record.process is None:
            name = keeper.home.name.text
            raise GatewayNotRunning(
                f"gateway '{name}' does not run",
                hint=f"it is {state}",
                fixes=[f"hermesctl gateway start {name}"],
                profile=name,
            )

    async def set(self, keeper: Keeper, job: Job, *, is_wanted: bool) -> None:
        """Asks for a drain, or for its end, and returns once the agent does as it was asked.

        Raises:
            GatewayNotRunning: it does not run, or ended meanwhile.
            GatewayNotReady: it does not do so in time; what it was asked for stays.
            Incompatible, DiskFull, NotPermitted: it cannot be asked.
        """
        agent = self._runtimes.agent_of(keeper.home.name)
        clock = self._ports.clock
        job.report("drain" if is_wanted else "end drain")
        self.refuse_at_rest(keeper)
        await asyncio.to_thread(agent.drain, keeper.home, is_wanted=is_wanted)
        end_s = clock.monotonic_s() + PATIENCE_S
        while not await self._does(keeper, is_wanted=is_wanted):
            if clock.monotonic_s() >= end_s:
                raise _unheard(keeper.home.name.text, is_wanted=is_wanted)
            await clock.sleep_s(LOOK_S)
        await self._rounds.look_at(keeper)

    async def end(self, keeper: Keeper, job: Job) -> None:
        """Ends a drain for a start: of a gateway that runs at once, of another one before it begins.

        Raises:
            GatewayNotReady, DiskFull, NotPermitted: as for `set`.
        """
        await self.take_back(keeper)
        try:
            if keeper.record.gateway.state is not State.RUNNING:
                return
            if await self._does(keeper, is_wanted=False):
                await self._rounds.look_at(keeper)
            else:
                await self.set(keeper, job, is_wanted=False)
        except GatewayNotRunning:  # it ended just now, and takes turns once it is back
            return

    async def take_back(self, keeper: Keeper) -> None:
        """Asks for no drain any more, so that the next process does not begin with one.

        Raises:
            DiskFull, NotPermitted: it cannot be asked.
        """
        agent = self._runtimes.agent_of(keeper.home.name)
        try:
            await asyncio.to_thread(agent.drain, keeper.home, is_wanted=False)
        except Incompatible:  # who cannot be asked to drain does not
            return

    async def _does(self, keeper: Keeper, *, is_wanted: bool) -> bool:
        """Whether a gateway that runs drains, or does not, as is wanted."""
        self.refuse_at_rest(keeper)
        process = keeper.record.process
        agent = self._runtimes.agent_of(keeper.home.name)
        if process is None:
            return False
        probe = await asyncio.to_thread(agent.probe, keeper.home, process)
        return probe.is_draining is is_wanted


def _unheard(name: str, *, is_wanted: bool) -> GatewayNotReady:
    what = "drain" if is_wanted else "take turns again"
    return GatewayNotReady(
        f"gateway '{name}' does not {what}",
        hint=f"it was asked to {PATIENCE_S:.0f} seconds ago and does not say so; a stuck one has to be restarted",
        fixes=[f"hermesctl gateway status {name}", f"hermesctl gateway restart {name}"],
        profile=name,
    )
