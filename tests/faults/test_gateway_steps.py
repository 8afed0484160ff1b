"""The daemon dies at each step of spawning, recording, adopting and stopping; the next one makes it good."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from hermesd.domain.gateway import State
from hermesd.domain.operation import OperationState
from hermesd.domain.policy import Policy
from hermesd.domain.process import ExitStatus
from hermesd.domain.record import GatewayRecord
from hermesd.domain.settings import Settings
from tests.faults.power import FragileHouse

pytestmark = [pytest.mark.services]

NAME = "coder"
LONG_S = 400.0
"""Longer than any start limit, grace and first back-off together."""
RECOVERY_STEPS = 40
"""About as many steps as a recovery has."""
MOST_STEPS = 200
"""A story with more steps than this does not end."""

Deed = Callable[[FragileHouse], Awaitable[object]]


@dataclass(frozen=True)
class Story:
    """What goes on while the power may fail: first `given` with power, then `when`."""

    given: tuple[Deed, ...]
    when: Deed
    wish_before: bool
    wish_after: bool
    """The wish once `when` has been acknowledged; until then it is either."""
    ends_on_terminate: ExitStatus | None = ExitStatus(code=0)
    leaves_tree: bool = False


async def start(house: FragileHouse) -> None:
    """Somebody wants it up."""
    await house.start(NAME)


async def stop(house: FragileHouse) -> None:
    """Somebody wants it down."""
    await house.stop(NAME)


async def restart(house: FragileHouse) -> None:
    """Somebody wants it afresh."""
    await house.restart(NAME)


async def crash(house: FragileHouse) -> None:
    """The process ends by itself; after a back-off it is started again."""
    for process in list(house.backend.alive):
        house.backend.exit(process.pid, ExitStatus(code=1))


async def nothing(house: FragileHouse) -> None:
    """Nobody does anything; the daemon itself is what happens."""


async def begin_stop(house: FragileHouse) -> None:
    """A stop of a process that will not go is under way."""
    house.backend.ends_on_terminate = None
    await house.stop(NAME)


async def die(house: FragileHouse) -> None:
    """The daemon is gone, and a while later another one is here."""
    await house.close()
    await house.open()


async def die_with_gateway(house: FragileHouse) -> None:
    """Daemon and gateway are gone."""
    await house.close()
    await crash(house)
    await house.open()


async def die_unrecorded(house: FragileHouse) -> None:
    """The daemon died between spawn and record."""
    await house.close()
    (record,) = await house.store.gateways()
    await house.store.save_gateway(
        replace(record, gateway=replace(record.gateway, state=State.STARTING), process=None)
    )
    await house.open()


STORIES = {
    "a start": Story((), start, wish_before=False, wish_after=True),
    "a start after a stop": Story((start, stop), start, wish_before=False, wish_after=True),
    "a stop": Story((start,), stop, wish_before=True, wish_after=False),
    "a stop that is ignored": Story((start,), stop, wish_before=True, wish_after=False, ends_on_terminate=None),
    "a stop that leaves a tree": Story((start,), stop, wish_before=True, wish_after=False, leaves_tree=True),
    "a restart": Story((start,), restart, wish_before=True, wish_after=True),
    "a restart that is ignored": Story(
        (start,), restart, wish_before=True, wish_after=True, ends_on_terminate=None
    ),
    "a start during a stop": Story((start, begin_stop), start, wish_before=False, wish_after=True),
    "a crash": Story((start,), crash, wish_before=True, wish_after=True),
    "a crash that leaves a tree": Story((start,), crash, wish_before=True, wish_after=True, leaves_tree=True),
    "an adoption": Story((start,), die, wish_before=True, wish_after=True),
    "an adoption by spawn id": Story((start,), die_unrecorded, wish_before=True, wish_after=True),
    "an adoption of a stop": Story((start, begin_stop), die, wish_before=False, wish_after=False),
    "an adoption of nothing": Story((start,), die_with_gateway, wish_before=True, wish_after=True),
    "an adoption of a back-off": Story((start, crash), die, wish_before=True, wish_after=True),
    "a loss that leaves a tree": Story(
        (start,), die_with_gateway, wish_before=True, wish_after=True, leaves_tree=True
    ),
}


EACH_STORY = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())


@asynccontextmanager
async def told(story: Story) -> AsyncIterator[FragileHouse]:
    """A house in which the beginning of a story has happened."""
    house = FragileHouse(Settings(Policy(backoff_first_s=2.0)))
    await house.open()
    await house.furnish(NAME)
    for deed in story.given:
        await deed(house)
        await house.clock.settle()
    house.backend.ends_on_terminate = story.ends_on_terminate
    house.backend.leaves_tree = story.leaves_tree
    yield house
    await house.close()


async def cut_off(house: FragileHouse, deed: Deed, step: int) -> tuple[bool, bool]:
    """Does a deed until the power fails at this step of it; then the daemon is dead.

    Returns whether there was such a step, and whether the deed was acknowledged before it.
    """
    house.power.fail_at(step)
    doing = asyncio.ensure_future(deed(house))
    await let_pass(house, LONG_S)
    is_acknowledged = doing.done()
    doing.cancel()
    await asyncio.wait({doing})
    await house.close()
    return house.power.restore(), is_acknowledged


async def let_pass(house: FragileHouse, seconds: float) -> None:
    """Time goes by; at no moment are there two processes."""
    end_s = house.clock.monotonic_s() + seconds
    await house.clock.settle()
    while (left_s := end_s - house.clock.monotonic_s()) > 0:
        assert len(house.backend.alive) <= 1
        await house.clock.advance(min(left_s, house.clock.next_wake_s or left_s))
    assert len(house.backend.alive) <= 1


async def assert_kept(house: FragileHouse, wishes: set[bool]) -> None:
    """The wish is one of these, and the gateway is what the wish says."""
    record = await house.record(NAME)
    assert record.gateway.wanted_up in wishes
    alive = list(house.backend.alive)
    if record.gateway.wanted_up:
        assert (record.gateway.state, [record.process]) == (State.RUNNING, alive)
    else:
        assert (record.gateway.state, record.process, alive) == (State.STOPPED, None, [])
    assert [record] == await house.store.gateways() or record == GatewayRecord(record.profile_id)
    for operation in await house.store.operations(profile="", limit=100):
        assert operation.state is not OperationState.RUNNING


def wishes_of(story: Story, *, is_acknowledged: bool) -> set[bool]:
    """What may be wanted after the story was cut off."""
    return {story.wish_after} if is_acknowledged else {story.wish_before, story.wish_after}


@pytest.mark.fast
@EACH_STORY
async def test_a_daemon_that_dies_at_any_step_leaves_what_the_next_one_makes_good(story: Story) -> None:
    """Whatever was under way: one process at most, the acknowledged wish, and a gateway that follows it."""
    for step in range(1, MOST_STEPS):
        async with told(story) as house:
            has_failed, is_acknowledged = await cut_off(house, story.when, step)
            await house.open()
            await let_pass(house, LONG_S)
            await assert_kept(house, wishes_of(story, is_acknowledged=is_acknowledged))
        if not has_failed:
            return
    pytest.fail(f"no end after {MOST_STEPS} steps")


@pytest.mark.fast
@EACH_STORY
async def test_a_gateway_that_dies_with_its_daemon_at_any_step_is_made_good(story: Story) -> None:
    """The same when the power of the whole machine fails, and no process outlives it."""
    for step in range(1, MOST_STEPS):
        async with told(story) as house:
            has_failed, is_acknowledged = await cut_off(house, story.when, step)
            await crash(house)
            await house.open()
            await let_pass(house, LONG_S)
            await assert_kept(house, wishes_of(story, is_acknowledged=is_acknowledged))
        if not has_failed:
            return
    pytest.fail(f"no end after {MOST_STEPS} steps")


@pytest.mark.fast
@EACH_STORY
async def test_a_daemon_that_dies_again_while_it_makes_good_changes_nothing(
    story: Story, rng: random.Random
) -> None:
    """Recovery itself can be cut off at any step, and the third daemon ends where the second would have."""
    for step in range(1, MOST_STEPS):
        has_failed, _ = await dies_twice(story, step, rng.randint(1, RECOVERY_STEPS))
        if not has_failed:
            return
    pytest.fail(f"no end after {MOST_STEPS} steps")


@pytest.mark.full
@EACH_STORY
async def test_a_daemon_that_dies_at_any_two_steps_changes_nothing(story: Story) -> None:
    """The same with every step of the story and every step of its recovery."""
    for step in range(1, MOST_STEPS):
        for second in range(1, MOST_STEPS):
            has_failed, has_failed_again = await dies_twice(story, step, second)
            if not has_failed_again:
                break
        if not has_failed:
            return
    pytest.fail(f"no end after {MOST_STEPS} steps")


async def dies_twice(story: Story, step: int, second: int) -> tuple[bool, bool]:
    """Cuts the story off at one step and its recovery at another; whether each cut happened."""
    async with told(story) as house:
        has_failed, is_acknowledged = await cut_off(house, story.when, step)
        has_failed_again, _ = await cut_off(house, FragileHouse.open, second)
        await house.open()
        await let_pass(house, LONG_S)
        await assert_kept(house, wishes_of(story, is_acknowledged=is_acknowledged))
    return has_failed, has_failed_again
