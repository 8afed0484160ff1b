"""When a start counts as done.

Owns: what must be seen and heard of a process until it is ready. Must not know what becomes of one that never is:
the machine's start limit ends it.
"""

import asyncio
from collections.abc import Callable

from hermesd.domain.agent import Agent
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Clock
from hermesd.domain.process import Phase, Probe, ProcessIdentity
from hermesd.domain.profile import Home
from hermesd.services.hearing import Words

PROBE_STARTING_S = 0.1
"""How often an agent is asked whether it is ready."""


class Start:
    """One start on its way."""

    def __init__(
        self,
        clock: Clock,
        policy: Policy,
        process: ProcessIdentity,
        words: Words,
        *,
        has_watchdog: bool,
    ) -> None:
        """`has_watchdog` says that the process was asked to tell when it is ready, and that we would hear it."""
        self._clock = clock
        self._policy = policy
        self._process = process
        self._words = words
        self._has_watchdog = has_watchdog
        self._up_since_s: float | None = None

    async def until_ready(self, agent: Agent, home: Home, show: Callable[[Probe], None]) -> Probe:
        """Returns what was seen of the process when it was ready, or up in part for long enough.

        `show` gets whatever is seen before. An agent is asked at once when it says that it is ready.
        """
        while True:
            probe = await asyncio.to_thread(agent.probe, home, self._process)
            if self._is_done(probe.phase):
                return probe
            show(probe)
            await self._pause()

    def _is_done(self, phase: Phase) -> bool:
        if phase is Phase.STARTING:
            return False
        now_s = self._clock.monotonic_s()
        if self._up_since_s is None:
            self._up_since_s = now_s
        up_s = now_s - self._up_since_s
        if phase is Phase.DEGRADED and up_s < self._policy.degraded_after_s:
            return False
        return not self._awaits_word or up_s >= self._policy.ready_notice_s

    @property
    def _awaits_word(self) -> bool:
        return self._has_watchdog and not self._words.ready.is_set()

    async def _pause(self) -> None:
        if not self._awaits_word:
            await self._clock.sleep_s(PROBE_STARTING_S)
            return
        sleeping = asyncio.ensure_future(self._clock.sleep_s(PROBE_STARTING_S))
        hearing = asyncio.ensure_future(self._words.ready.wait())
        try:
            await asyncio.wait({sleeping, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            hearing.cancel()
