"""The process of one gateway under watch: until it is ready, until it ends, and how it does in between.

Owns: who watches which process, and what is known of it meanwhile. Must not know what follows from what is seen,
which it posts as facts.
"""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from hermesd.domain.gateway import Event, State
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.process import ExitReport, ExitStatus, Probe, ProcessIdentity
from hermesd.services.checkups import Checkups, Vitals
from hermesd.services.effects import Effects
from hermesd.services.endings import Endings
from hermesd.services.facts import Fact, Post
from hermesd.services.ledgers import Ledger
from hermesd.services.tasks import background, until_done

if TYPE_CHECKING:
    import asyncio

log = logging.getLogger(__name__)


class Watch:
    """Watches one process at a time."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        effects: Effects,
        checkups: Checkups,
        ledger: Ledger,
        endings: Endings,
        post: Post,
    ) -> None:
        self.vitals: Vitals | None = None
        """How the process that runs is doing; `None` without one."""
        self.warnings: tuple[str, ...] = ()
        """What is asked for and is not given to the process that runs."""
        self._ports = ports
        self._policy = policy
        self._effects = effects
        self._checkups = checkups
        self._ledger = ledger
        self._endings = endings
        self._post = post
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, process: ProcessIdentity, *, has_watchdog: bool = False) -> None:
        """Watches a process from now on, and no other; returns when it is known what it does without.

        Without `has_watchdog` nothing is awaited that an earlier daemon may have heard.
        """
        self.end()
        self.vitals = self._checkups.begin(process)
        name = self._ledger.home.name
        self._tasks = [background(self._until_exit(process), f"exit of {name}")]
        if self._ledger.record.gateway.state is State.STARTING:
            starting = self._until_ready(self.vitals, has_watchdog=has_watchdog)
            self._tasks.append(background(starting, f"start of {name}"))
        await self._look_at_limits(process)

    def end(self) -> None:
        """Watches nothing any more; whatever runs goes on."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self.vitals = None

    async def _until_exit(self, process: ProcessIdentity) -> None:
        """Nothing that fails on the way may keep the fact back: without it nobody starts the gateway again."""
        name, clock = f"exit of {self._ledger.home.name}", self._ports.clock
        status = await until_done(lambda: self._ports.backend.wait(process), name, clock)
        report = await until_done(lambda: self._explain(process, status), name, clock)
        self._post(Fact.of_end(report, process.spawn_id, status, now_s=clock.now_s()))

    async def _explain(self, process: ProcessIdentity, status: ExitStatus) -> ExitReport:
        """Why it ended, once nothing of its tree is left."""
        while not await self._effects.is_cleared(self._ledger.home, self._ledger.record):
            await self._ports.clock.sleep_s(self._policy.kill_retry_s)
        return self._endings.explained(await self._effects.explain_exit(self._ledger.home, process, status))

    async def _until_ready(self, vitals: Vitals, *, has_watchdog: bool) -> None:
        """Whoever waits for the start is told at once what does not work; in the history that comes after it."""
        home = self._ledger.home
        agent = self._effects.agent_of(home)
        await until_done(
            lambda: self._checkups.until_ready(vitals, agent, home, self._show, has_watchdog=has_watchdog),
            f"start of {home.name}",
            self._ports.clock,
        )
        self._post(Fact(Event.READY, vitals.process.spawn_id))
        while self._ledger.record.gateway.state is State.STARTING:
            await self._ledger.changed()
        if self._ledger.is_up:
            await self._checkups.tell(self._ledger.home, vitals)

    def _show(self, probe: Probe) -> None:
        record = self._ledger.record
        if record.gateway.state is State.STARTING and probe.detail != record.detail:
            self._ledger.amend(replace(record, detail=probe.detail))
            self._ledger.wake()

    async def _look_at_limits(self, process: ProcessIdentity) -> None:
        """Says which limits are asked for in vain: nobody shall rely on them."""
        home = self._ledger.home
        unenforced = await self._effects.unenforced_limits(home, process)
        self.warnings = tuple(f"{limit} is set, but nothing here can enforce it" for limit in unenforced)
        for warning in self.warnings:
            log.warning("profile=%s pid=%d %s", home.name, process.pid, warning)
