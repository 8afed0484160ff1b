"""The daemon dies at each step of a verb that is done to many gateways; the next one finishes it, and no more."""

import asyncio
import random
from collections import Counter

import pytest

from hermesd.domain.fleet import Verb
from hermesd.domain.gateway import State
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.policy import Policy
from hermesd.domain.process import ExitStatus
from hermesd.domain.settings import Settings
from hermesd.services.fleet import FleetOrder
from tests.faults.power import FragileHouse
from tests.services.house import REQUESTER

pytestmark = [pytest.mark.services]

NAMES = ("a", "b", "c")
LONG_S = 400.0
MOST_STEPS = 400
"""A story with more steps than this does not end."""


async def furnished() -> FragileHouse:
    """Three gateways that have run for a while."""
    house = FragileHouse(Settings(Policy(backoff_first_s=2.0)))
    await house.open()
    await house.furnish(*NAMES)
    for name in NAMES:
        await house.start(name)
    await house.clock.advance(LONG_S)
    house.backend.specs.clear()
    return house


async def change(house: FragileHouse, verb: Verb, at_once: int) -> None:
    """Somebody wants it done to all of them."""
    await house.services.fleet.change(FleetOrder(verb, NAMES, at_once=at_once), REQUESTER)


async def cut_off(house: FragileHouse, verb: Verb, at_once: int, step: int) -> bool:
    """Does it until the power fails at this step; then the daemon is dead. Says whether there was such a step."""
    house.power.fail_at(step)
    doing = asyncio.ensure_future(change(house, verb, at_once))
    await house.clock.advance(LONG_S)
    doing.cancel()
    await asyncio.wait({doing})
    await house.close()
    return house.power.restore()


async def found(house: FragileHouse, verb: Verb) -> Operation | None:
    """The operation, if it was accepted."""
    all_ = await house.store.operations(profile="", limit=100)
    return next((one for one in all_ if one.kind == f"gateways.{verb}"), None)


async def assert_done(house: FragileHouse, verb: Verb) -> None:
    """Either nothing was begun, or each of them is done exactly once, and the operation says so."""
    operation = await found(house, verb)
    starts = Counter(spec.name for spec in house.backend.specs)
    states = {await house.state(name) for name in NAMES}
    if operation is None:
        assert (states, starts) == ({State.RUNNING}, Counter())
        return
    assert operation.state is OperationState.SUCCEEDED
    assert sorted(one.profile for one in operation.results) == list(NAMES)
    assert [one.error for one in operation.results] == [None] * len(NAMES)
    if verb is Verb.STOP:
        assert (states, starts) == ({State.STOPPED}, Counter())
    else:
        assert (states, starts) == ({State.RUNNING}, Counter(NAMES))
    assert len(house.backend.alive) == (0 if verb is Verb.STOP else len(NAMES))


async def dies(verb: Verb, at_once: int, step: int, *again: int) -> bool:
    """Cuts it off at one step, and each recovery at another; says whether there was such a step."""
    house = await furnished()
    has_failed = await cut_off(house, verb, at_once, step)
    for later in again:
        house.power.fail_at(later)
        opening = asyncio.ensure_future(house.open())
        await house.clock.advance(LONG_S)
        opening.cancel()
        await asyncio.wait({opening})
        await house.close()
        house.power.restore()
    await house.open()
    await house.clock.advance(LONG_S)
    await assert_done(house, verb)
    await house.close()
    return has_failed


@pytest.mark.fast
@pytest.mark.parametrize("verb", [Verb.RESTART, Verb.STOP])
async def test_a_daemon_that_dies_in_the_middle_leaves_the_rest_to_the_next_one(
    verb: Verb, rng: random.Random
) -> None:
    """At any step: what is done is not done again, and everybody has a result."""
    for step in range(rng.randint(1, 3), MOST_STEPS, 3):
        if not await dies(verb, 2, step):
            return
    pytest.fail(f"no end after {MOST_STEPS} steps")


@pytest.mark.full
@pytest.mark.parametrize("verb", [Verb.RESTART, Verb.STOP])
@pytest.mark.parametrize("at_once", [1, 3])
async def test_every_step_of_it(verb: Verb, at_once: int) -> None:
    """The same without a gap, one by one and all at once."""
    for step in range(1, MOST_STEPS):
        if not await dies(verb, at_once, step):
            return
    pytest.fail(f"no end after {MOST_STEPS} steps")


@pytest.mark.full
async def test_a_daemon_that_dies_again_and_again_gets_there(rng: random.Random) -> None:
    """However many daemons it takes, each gateway restarts once."""
    for step in range(1, MOST_STEPS):
        if not await dies(Verb.RESTART, 2, step, rng.randint(1, 40), rng.randint(1, 40)):
            return
    pytest.fail(f"no end after {MOST_STEPS} steps")


@pytest.mark.fast
async def test_a_machine_that_fails_in_the_middle_comes_back_with_all_of_them(rng: random.Random) -> None:
    """What had not been restarted is new after a boot; the operation ends, and everything runs."""
    house = await furnished()
    await cut_off(house, Verb.RESTART, 2, rng.randint(8, 40))
    for process in list(house.backend.alive):
        house.backend.exit(process.pid, ExitStatus(signal=9))
    house.processes.boot = "00000000-0000-4000-8000-000000000002"
    await house.open()
    await house.clock.advance(LONG_S)
    operation = await found(house, Verb.RESTART)
    assert operation is not None
    assert operation.state is OperationState.SUCCEEDED
    assert {await house.state(name) for name in NAMES} == {State.RUNNING}
    assert len(house.backend.alive) == len(NAMES)
    await house.close()


@pytest.mark.fast
async def test_an_identical_request_joins_what_a_new_daemon_has_taken_up() -> None:
    """Who asks again after a crash of the daemon restarts nothing twice."""
    house = await furnished()
    await cut_off(house, Verb.RESTART, 1, 20)
    await house.open()
    first = await found(house, Verb.RESTART)
    assert first is not None
    if first.state is OperationState.RUNNING:
        second = await house.services.fleet.change(FleetOrder(Verb.RESTART, NAMES, at_once=1), REQUESTER)
        assert second.id == first.id
    await house.clock.advance(LONG_S)
    await assert_done(house, Verb.RESTART)
    await house.close()
