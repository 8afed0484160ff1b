"""The record of one gateway: as it is now, as the store has it, and for whoever waits for a change.

Owns: what is remembered, and where its home is. Must not know what a change means, or who may make one: the keeper
sees to it that they are made one after the other.
"""

import asyncio
import logging

from hermesd.domain.errors import HermesError
from hermesd.domain.gateway import State
from hermesd.domain.ports import Store
from hermesd.domain.profile import Home
from hermesd.domain.record import GatewayRecord

log = logging.getLogger(__name__)


class Ledger:
    """What is remembered of one gateway."""

    def __init__(
        self, store: Store, record: GatewayRecord, home: Home, *, stored: GatewayRecord | None = None
    ) -> None:
        """`stored` is what the store has, if that is known."""
        self.home = home
        """Where the profile is now, which others may rename."""
        self._store = store
        self._record = record
        self._stored = stored
        self._change = asyncio.Event()

    @property
    def record(self) -> GatewayRecord:
        """What is remembered now."""
        return self._record

    @property
    def is_up(self) -> bool:
        """Whether its process has been ready and was not told to end since."""
        return self._record.gateway.state is State.RUNNING and self._record.process is not None

    async def save(self, record: GatewayRecord) -> None:
        """Records a wish. What the store has already is not written again: who adopts hundreds has nothing to
        tell it.

        Raises:
            DiskFull, StateCorrupt, NotPermitted: it could not be recorded, and nothing has changed.
        """
        if record != self._stored:
            await self._store.save_gateway(record)
            self._stored = record
        self._record = record

    async def keep(self, record: GatewayRecord) -> None:
        """Records what happened by itself. A full disk must not silence a bot, so it goes on without a record."""
        try:
            await self.save(record)
        except HermesError as error:
            log.error("profile=%s not recorded: %s", self.home.name, error.message)
            self._record = record

    def amend(self, record: GatewayRecord) -> None:
        """Changes what the next daemon finds out for itself, and what is shown for a moment only."""
        self._record = record

    def wake(self) -> None:
        """Tells whoever waits for a change."""
        self._change.set()
        self._change = asyncio.Event()

    async def changed(self) -> None:
        """Returns after the next change."""
        await self._change.wait()
