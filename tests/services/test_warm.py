"""Keeping clients warm: again and again, ever more slowly."""

import asyncio
import logging

import pytest

from hermesd.domain.errors import NotPermitted
from hermesd.domain.process import ExitStatus
from hermesd.services.tasks import background
from hermesd.services.warm import LONGEST_PAUSE_S, STABLE_S, keep_warm
from tests.fakes.clock import ManualClock

pytestmark = [pytest.mark.fast, pytest.mark.services]


class Clients:
    """Warm clients that live as long as they are told."""

    def __init__(self, clock: ManualClock) -> None:
        self.starts: list[float] = []
        self.life_s = 0.0
        self.is_refused = False
        self._clock = clock

    async def run(self) -> ExitStatus:
        self.starts.append(self._clock.monotonic_s())
        if self.is_refused:
            raise NotPermitted("cannot keep clients warm in /run: no")
        if self.life_s:
            await self._clock.sleep_s(self.life_s)
        return ExitStatus(code=1)


async def test_clients_that_end_are_started_again_ever_more_slowly(caplog: pytest.LogCaptureFixture) -> None:
    """A defect of theirs costs the daemon next to nothing, and the log says so."""
    caplog.set_level(logging.WARNING)
    clock = ManualClock()
    clients = Clients(clock)
    keeping = background(keep_warm(clients, clock), "warm")
    await clock.advance(2000.0)
    pauses = [later - earlier for earlier, later in zip(clients.starts, clients.starts[1:], strict=False)]
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(pauses) == LONGEST_PAUSE_S
    assert "clients=warm ended code=1" in caplog.text
    keeping.cancel()


async def test_clients_that_lasted_are_started_again_soon() -> None:
    """As after an update of theirs, or a kill."""
    clock = ManualClock()
    clients = Clients(clock)
    clients.life_s = STABLE_S
    keeping = background(keep_warm(clients, clock), "warm")
    await clock.advance(5 * STABLE_S)
    assert clients.starts == [0.0, 61.0, 122.0, 183.0, 244.0]
    keeping.cancel()


async def test_clients_that_cannot_be_started_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """The reason is in the log, and nothing else fails."""
    clock = ManualClock()
    clients = Clients(clock)
    clients.is_refused = True
    keeping = background(keep_warm(clients, clock), "warm")
    await clock.advance(3.5)
    assert len(clients.starts) == 3
    assert "not started: cannot keep clients warm in /run: no" in caplog.text
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
