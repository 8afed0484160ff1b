"""What every clock does. Real time is let pass in milliseconds; manual time is moved."""

import asyncio

import pytest

from hermesd.adapters.clock import SystemClock
from hermesd.domain.ports import Clock
from tests.fakes.clock import ManualClock
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

TICK_S = 0.01


@pytest.fixture(params=[SystemClock, ManualClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    """The system's clock, then the manual one."""
    made: Clock = request.param()
    return made


async def let_pass(clock: Clock, seconds: float) -> None:
    """Time goes by."""
    if isinstance(clock, ManualClock):
        await clock.advance(seconds)
    else:
        await asyncio.sleep(seconds + TICK_S)


async def test_sleeper_wakes_no_earlier_than_asked(clock: Clock) -> None:
    """A sleep of some seconds takes at least as many by the same clock."""
    began_s = clock.monotonic_s()
    sleeping = asyncio.ensure_future(clock.sleep_s(2 * TICK_S))
    await let_pass(clock, 2 * TICK_S)
    await sleeping
    assert clock.monotonic_s() - began_s >= 2 * TICK_S


async def test_sleepers_wake_in_the_order_they_are_due(clock: Clock) -> None:
    """The shorter sleep ends first, whichever began first."""
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep_s(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep("long", 4 * TICK_S))
        group.create_task(sleep("short", TICK_S))
        await let_pass(clock, 4 * TICK_S)
    assert woken == ["short", "long"]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_sleep_of_no_length_returns(clock: Clock, seconds: float) -> None:
    """A sleep that is over already does not wait for time to pass."""
    await asyncio.wait_for(clock.sleep_s(seconds), timeout=DEADLINE_S)


async def test_sleep_can_be_cancelled(clock: Clock) -> None:
    """A cancelled sleep ends at once and disturbs nobody else."""
    cancelled = asyncio.ensure_future(clock.sleep_s(3600))
    other = asyncio.ensure_future(clock.sleep_s(TICK_S))
    await asyncio.sleep(0)
    cancelled.cancel()
    await let_pass(clock, TICK_S)
    await other
    assert cancelled.cancelled()


async def test_both_times_advance(clock: Clock) -> None:
    """Wall time and monotonic time go forward together."""
    before = clock.now_s(), clock.monotonic_s()
    await let_pass(clock, TICK_S)
    assert clock.now_s() > before[0]
    assert clock.monotonic_s() > before[1]


async def test_manual_clock_honours_sleeps_begun_on_the_way() -> None:
    """A task that sleeps again and again wakes at each due moment of one long advance."""
    clock = ManualClock()
    woken_at_s: list[float] = []

    async def tick() -> None:
        for _ in range(3):
            await clock.sleep_s(1)
            woken_at_s.append(clock.monotonic_s())

    ticking = asyncio.ensure_future(tick())
    await clock.advance(10)
    await ticking
    assert woken_at_s == [1, 2, 3]
    assert clock.monotonic_s() == 10


async def test_manual_clock_says_who_is_due_next() -> None:
    """A test can ask how many sleep and how long the next one still does; a wall-clock jump wakes nobody."""
    clock = ManualClock()
    sleeping = asyncio.ensure_future(clock.sleep_s(5))
    await clock.settle()
    clock.jump(-100)
    assert (clock.sleepers, clock.next_wake_s) == (1, 5)
    await clock.advance(5)
    assert sleeping.done()
    assert (clock.sleepers, clock.next_wake_s) == (0, None)
