"""What an earlier daemon left of one gateway, found by the one that takes it up.

Owns: whether its process lives, and what becomes of a record whose process does not. Must not know how the gateway
is kept from then on.
"""

from dataclasses import replace

from hermesd.domain.gateway import LIVE, Gateway
from hermesd.domain.ports import Ports
from hermesd.domain.process import ExitStatus, LastExit, ProcessIdentity
from hermesd.services.effects import Effects
from hermesd.services.facts import Fact, Post, at_rest
from hermesd.services.ledgers import Ledger
from hermesd.services.stories import Story
from hermesd.services.turns import WAITING


class Inheritance:
    """What is there when one gateway is taken up."""

    def __init__(self, ports: Ports, effects: Effects, ledger: Ledger, story: Story, post: Post) -> None:
        self._ports = ports
        self._effects = effects
        self._ledger = ledger
        self._story = story
        self._post = post

    async def find(self) -> ProcessIdentity | None:
        """The process of the recorded start, if it lives; it is noted in the record."""
        record = self._ledger.record
        process = await self._effects.find(record) if record.gateway.state in LIVE else None
        if process is not None:
            self._ledger.amend(replace(record, process=process))
        return process

    async def settle(self) -> None:
        """Ends what is left of a start whose main process does not live, and says so where it should.

        What is disabled is not wanted any more, until somebody says so again. What the machine may start again by
        itself is lost; what is of the past rests, for whoever brings up what is wanted.
        """
        await self._effects.is_cleared(self._ledger.home, self._ledger.record)
        record = self._ledger.record
        if not record.is_enabled:
            await self._ledger.keep(at_rest(record, Gateway()))
        elif record.gateway.state in LIVE and self._is_of_the_past:
            await self._put_to_rest()
        elif record.gateway.state in LIVE:
            report = await self._effects.explain_loss(self._ledger.home, record.process)
            self._post(Fact.of_end(report, record.spawn_id, ExitStatus(), now_s=self._ports.clock.now_s()))

    @property
    def _is_of_the_past(self) -> bool:
        """Whether the start that is recorded cannot go on: the machine was rebooted, or its turn never came."""
        record = self._ledger.record
        if record.process is None:
            return record.detail == WAITING
        return record.process.boot_id != self._ports.processes.boot_id()

    async def _put_to_rest(self) -> None:
        """Forgets a start of the past, but for how it ended; what is wanted stays."""
        before, now_s = self._ledger.record, self._ports.clock.now_s()
        stopped = Gateway(wanted_up=before.gateway.wanted_up)
        record = replace(at_rest(before, stopped), since_s=now_s, detail="")
        if before.process is not None:
            report = await self._effects.explain_loss(self._ledger.home, before.process)
            end = LastExit(report.cause, ExitStatus(), report.detail, now_s)
            record = replace(record, last_exit=end)
            await self._story.end(end)
        await self._ledger.keep(record)
