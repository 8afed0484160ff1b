"""Why the process of one gateway is about to be ended, and what is kept of it before.

Owns: the reason, from the fact that leads to the end until the exit is told, and the one dump of each process.
Must not know how a process is ended, or when.
"""

from dataclasses import replace

from hermesd.domain.gateway import Event, State
from hermesd.domain.process import ExitCause, ExitReport, ProcessIdentity
from hermesd.domain.record import GatewayRecord
from hermesd.services.effects import Effects
from hermesd.services.facts import COMMANDS, Fact
from hermesd.services.ledgers import Ledger
from hermesd.services.stories import Story

UNHEALTHY = {Event.HUNG: ExitCause.HUNG, Event.UNWELL: ExitCause.UNWELL}
"""Ends for the sake of a gateway's health, as they are told."""


class Endings:
    """The endings of one gateway's processes."""

    def __init__(self, effects: Effects, ledger: Ledger, story: Story) -> None:
        self._effects = effects
        self._ledger = ledger
        self._story = story
        self._cause = ExitCause.STOPPED
        self._detail = ""
        self._dumped_spawn = ""
        """The start whose process a dump was kept of."""

    def note(self, fact: Fact, before: GatewayRecord) -> None:
        """Remembers why the process is about to be ended, if that is what comes of this fact."""
        event = fact.event
        if event is Event.TIMER and before.gateway.state is State.STARTING:
            self._cause, self._detail = ExitCause.START_TIMEOUT, before.detail
        elif event is Event.HOME_GONE:
            self._cause, self._detail = ExitCause.STOPPED, "its home was removed or replaced"
        elif event in UNHEALTHY and before.gateway.state is State.RUNNING:
            self._cause, self._detail = UNHEALTHY[event], fact.detail
        elif event in COMMANDS or event is Event.READY:
            self._cause, self._detail = ExitCause.STOPPED, ""

    def explained(self, report: ExitReport) -> ExitReport:
        """How the process ended; one that was told to end did so for the reason that is remembered."""
        if self._ledger.record.gateway.state in (State.STOPPING, State.KILLING):
            return replace(report, cause=self._cause, detail=self._detail)
        return report

    @property
    def can_drain(self) -> bool:
        """Whether what is being ended can finish its turns: a dead loop finishes none."""
        return self._cause is not ExitCause.HUNG

    def is_dumped(self, process: ProcessIdentity) -> bool:
        """Whether a dump of it was kept."""
        return process.spawn_id == self._dumped_spawn

    async def dump(self, process: ProcessIdentity) -> None:
        """Keeps what can be seen of a process that is about to be ended, and tells where."""
        record = self._ledger.record
        is_overdue = record.gateway.state is State.KILLING
        detail = self._detail or ("it did not end in time" if is_overdue else "")
        cause = self._cause
        path = await self._effects.dump(self._ledger.home, record, process, cause, detail)
        if path is not None:
            self._dumped_spawn = process.spawn_id
            await self._story.record("gateway.dumped", path=str(path), cause=cause.value, pid=str(process.pid))
