"""Work that must not stay undone."""

import asyncio
import logging

import pytest

from hermesd.domain.errors import DiskFull
from hermesd.services.tasks import LONGEST_PAUSE_S, lasting, until_done
from tests.fakes.clock import ManualClock

pytestmark = [pytest.mark.fast, pytest.mark.services]


class Work:
    """Fails so often as it is told, each time after a while, and is done then."""

    def __init__(self, clock: ManualClock, *failures: Exception, takes_s: float = 0.0) -> None:
        self.begun_s: list[float] = []
        self._clock = clock
        self._failures = list(failures)
        self._takes_s = takes_s

    async def __call__(self) -> None:
        self.begun_s.append(self._clock.monotonic_s())
        await self._clock.sleep_s(self._takes_s)
        if self._failures:
            raise self._failures.pop(0)


async def test_it_is_tried_again_ever_more_slowly(caplog: pytest.LogCaptureFixture) -> None:
    """What passes by itself is a line in the log, and a defect comes with its traceback."""
    caplog.set_level(logging.WARNING)
    clock = ManualClock()
    work = Work(clock, DiskFull("cannot write /x: full"), ZeroDivisionError("boom"), DiskFull("again"))
    task = lasting(work, "drift", clock)
    await clock.advance(100)
    assert task.done()
    assert work.begun_s == [0, 1, 3, 7]
    first, second, third = caplog.records
    assert first.message == "task=drift is tried again: cannot write /x: full"
    assert first.exc_info is None
    assert second.exc_info is not None
    assert third.exc_info is None


async def test_pauses_do_not_grow_for_ever_and_begin_anew_after_a_while() -> None:
    """A failure a day is no reason to wait for a minute."""
    clock = ManualClock()
    work = Work(clock, *(DiskFull("full") for _ in range(12)))
    lasting(work, "drift", clock)
    await clock.advance(2000)
    assert work.begun_s[-1] - work.begun_s[-2] == LONGEST_PAUSE_S
    seldom = Work(clock, DiskFull("full"), DiskFull("full"), takes_s=LONGEST_PAUSE_S + 1)
    lasting(seldom, "drift", clock)
    await clock.advance(1000)
    first, second, third = seldom.begun_s
    assert second - first == third - second == LONGEST_PAUSE_S + 2


async def test_what_it_comes_to_is_returned_and_a_cancelled_one_ends() -> None:
    """Whoever waits gets it; whoever does not want it any more is obeyed."""
    clock = ManualClock()

    async def seven() -> int:
        return 7

    assert await until_done(seven, "seven", clock) == 7
    task = lasting(Work(clock, DiskFull("full")), "drift", clock)
    await clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
