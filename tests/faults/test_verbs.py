"""Every verb of a profile's life as a whole: killed at every step and once more, or with a full disk."""

import errno
import random
from functools import partial
from pathlib import Path

import pytest

from hermesd.domain.errors import HermesError
from hermesd.domain.operation import OperationState
from tests.faults.injection import FILLING, Injector, injected
from tests.faults.powerloss import Disk
from tests.faults.verbs import (
    LONG_S,
    VERBS,
    Outcomes,
    Verb,
    cut_off,
    furnished,
    operations_in,
    outcomes,
    picture,
    staged,
)

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("unflushed")]

SAMPLED = 6
"""Accidents of each kind that each verb meets while working."""

AGAIN = 20
"""Changes of the file system that a recovery makes at most, or nearly so."""

FAILURES = {
    "full": (errno.ENOSPC, FILLING),
    "over quota": (errno.EDQUOT, FILLING),
    "read-only": (errno.EROFS, None),
}


async def killed_twice(verb: Verb, place: Path, first: int, second: int, expected: Outcomes) -> None:
    """The daemon dies at a step of the verb, the next one at a step of its recovery; the third is let be."""
    house = await furnished(place)
    before = await operations_in(house.store)
    disk = Disk(place)
    store = await cut_off(house, disk, first, partial(verb.act, house))
    is_promised = (await operations_in(store)).keys() > before.keys() or disk.steps < first
    house = house.successor(store)
    house = house.successor(await cut_off(house, Disk(place), second, house.awake))
    await house.awake()
    found = await picture(house, expected.ids)
    story = f"{verb}: killed at {first} of {expected.steps}, then at {second}"
    if is_promised:
        assert found.differences(expected.new) == [], story
    else:
        assert [] in (found.differences(expected.old), found.differences(expected.new)), story
    assert staged(house) == [], story
    await house.close()


async def refused(verb: Verb, place: Path, step: int, why: str, expected: Outcomes, *, lasts: bool) -> None:
    """From a step on, or at that one, nothing can be written. What cannot be done is said, and all is old or new.

    Only what goes by a profile's name elsewhere may lag behind, if that is said.
    """
    house = await furnished(place)
    before = await operations_in(house.store)
    number, only = FAILURES[why]
    injector = Injector(step, OSError(number, why), only=only, lasts=lasts)
    is_told = False
    with injected(injector):
        try:
            await verb.act(house)
            await house.clock.advance(LONG_S)
        except HermesError:
            is_told = True
    await house.clock.advance(LONG_S)
    for operation in (await operations_in(house.store)).values():
        if operation.id not in before:
            assert operation.state is not OperationState.RUNNING
            assert operation.error is None or operation.error.reason != "INTERNAL", operation.error
            is_told = is_told or operation.error is not None or operation.warnings != ()
    found = await picture(house, expected.ids)
    story = f"{verb}: {why} at {step}, lasts={lasts}"
    pairs = ((expected.old, expected.new), (expected.new, expected.old))
    assert [] in [found.differences(one, lagging=other if is_told else None) for one, other in pairs], story
    if not injector.has_fired:
        assert found.differences(expected.new) == [], story
    house.ports.homes.recover()
    house.ports.aliases.recover()
    left = staged(house)
    if lasts and number == errno.EROFS and is_told:  # what a home was to get cannot even be removed again
        left = [
            path for path in left if not path.startswith(tuple(f".hermes/profiles/{one}/" for one in found.homes))
        ]
    assert left == [], story
    await house.close()


@pytest.mark.fast
@pytest.mark.parametrize("verb", VERBS, ids=str)
async def test_a_verb_that_is_killed_twice_is_done_or_was_never_begun(
    verb: Verb, tmp_path: Path, rng: random.Random
) -> None:
    """Sampled: at any step, and at any step of taking it up again."""
    place = tmp_path / "place"
    expected = await outcomes(verb, place)
    for _ in range(SAMPLED):
        await killed_twice(verb, place, rng.randint(1, expected.steps), rng.randint(1, AGAIN), expected)


@pytest.mark.full
@pytest.mark.parametrize("verb", VERBS, ids=str)
async def test_a_verb_that_is_killed_at_any_two_steps_is_done_or_was_never_begun(
    verb: Verb, tmp_path: Path
) -> None:
    """The same at every step of both."""
    place = tmp_path / "place"
    expected = await outcomes(verb, place)
    for first in range(1, expected.steps + 2):
        for second in range(1, AGAIN + 1):
            await killed_twice(verb, place, first, second, expected)


@pytest.mark.fast
@pytest.mark.parametrize("why", FAILURES)
@pytest.mark.parametrize("verb", VERBS, ids=str)
async def test_a_disk_that_takes_nothing_leaves_old_or_new(
    verb: Verb, why: str, tmp_path: Path, rng: random.Random
) -> None:
    """Sampled: from the first step on, from a later one on, and at one alone."""
    place = tmp_path / "place"
    expected = await outcomes(verb, place)
    await refused(verb, place, 1, why, expected, lasts=True)
    await refused(verb, place, rng.randint(1, expected.steps), why, expected, lasts=True)
    await refused(verb, place, rng.randint(1, expected.steps), why, expected, lasts=False)


@pytest.mark.full
@pytest.mark.parametrize("why", FAILURES)
@pytest.mark.parametrize("verb", VERBS, ids=str)
async def test_a_disk_that_takes_nothing_at_any_step_leaves_old_or_new(
    verb: Verb, why: str, tmp_path: Path
) -> None:
    """The same at every step."""
    place = tmp_path / "place"
    expected = await outcomes(verb, place)
    for step in range(1, expected.steps + 2):
        for lasts in (True, False):
            await refused(verb, place, step, why, expected, lasts=lasts)
