"""Captured output of gateways that run: kept below its limit, and marked with the time.

Owns: how often that is looked after, and that a trouble is told once. Must not know files or limits.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from hermesd.domain.errors import HermesError
from hermesd.domain.ports import Ports
from hermesd.services.tasks import lasting

log = logging.getLogger(__name__)

ROTATE_S = 2.0
"""How often it is looked whether output is over its limit: a gateway in a loop writes 15 MB a second, and more."""

MARK_S = 30.0
"""How often it is noted how much had been written: output seldom says when."""


class Captures:
    """Looks after what gateways write."""

    def __init__(self, ports: Ports, live: Callable[[], Sequence[str]]) -> None:
        """`live` tells the profile ids of gateways that may be writing."""
        self._clock = ports.clock
        self._logs = ports.logs
        self._live = live
        self._looking: asyncio.Task[None] | None = None
        self._trouble = ""
        """What was told last; empty once it is over."""

    def open(self) -> None:
        """Begins to look after it."""
        self._looking = lasting(self._look_again_and_again, "captures", self._clock)

    def close(self) -> None:
        """Ends that."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look_again_and_again(self) -> None:
        marked_at_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep_s(ROTATE_S)
            is_time = self._clock.monotonic_s() - marked_at_s >= MARK_S
            marked_at_s = self._clock.monotonic_s() if is_time else marked_at_s
            if live := self._live():
                self._tell(await asyncio.to_thread(self._look_after, live, is_time))

    def _look_after(self, live: Sequence[str], is_time: bool) -> str:
        """In one turn of a thread, which costs more than the looks. Returns a trouble; it hinders no other."""
        troubles = [self._attempt(self._logs.rotate, id_) for id_ in live]
        if is_time:  # last: rotation is what keeps the disk from filling up
            troubles += [self._attempt(self._logs.mark, id_) for id_ in live]
        return next(filter(None, troubles), "")

    def _attempt(self, deed: Callable[[str], None], profile_id: str) -> str:
        try:
            deed(profile_id)
        except HermesError as error:
            return error.message
        return ""

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("captured output is looked after later: %s", trouble)
        self._trouble = trouble
