"""Every verb of a profile's life, cut off by a power cut that forgets what was not flushed."""

import random
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain.profile import ProfileName
from tests.faults.powerloss import Disk
from tests.faults.verbs import (
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
"""States after power cuts that are looked at of each verb while working."""


async def found_after(verb: Verb, place: Path, step: int, pick: int, expected: Outcomes) -> int:
    """Cuts the power at a step, and has the next daemon find one of the states that may be left.

    Returns how many there are.
    """
    house = await furnished(place)
    before = await operations_in(house.store)
    disk = Disk(place)
    store = await cut_off(house, disk, step, partial(verb.act, house))
    is_promised = (await operations_in(store)).keys() > before.keys() or disk.steps < step
    survivals = disk.survivals()
    survival = survivals[pick % len(survivals)]
    disk.materialise(survival)
    story = f"{verb}: step {step} of {expected.steps}, {survival.title} survives"
    with disk.remembered():
        after = house.successor(store, is_same_boot=False)
        await after.awake()
        found = await picture(after, expected.ids)
        if is_promised:
            assert found.differences(expected.new) == [], story
        else:
            assert [] in (found.differences(expected.old), found.differences(expected.new)), story
        assert staged(after) == [], story
        await after.close()
    return len(survivals)


@pytest.mark.fast
@pytest.mark.parametrize("verb", VERBS, ids=str)
async def test_a_power_cut_leaves_old_or_new(verb: Verb, tmp_path: Path, rng: random.Random) -> None:
    """Sampled: at any step, whatever of the unflushed survives. What was answered is there for good."""
    place = tmp_path / "place"
    expected = await outcomes(verb, place)
    await found_after(verb, place, expected.steps + 1, 1, expected)
    for _ in range(SAMPLED):
        await found_after(verb, place, rng.randint(1, expected.steps), rng.randrange(100), expected)


@pytest.mark.fast
def test_the_first_profile_and_alias_of_a_machine_survive(tmp_path: Path) -> None:
    """Also the directories that were made for them do."""
    place = tmp_path / "place"
    place.mkdir()
    disk = Disk(place)
    name = ProfileName("coder")
    with disk.attached():
        HomesOnDisk(place / ".hermes").create(name, {"a": "b"}, ["logs"])
        AliasesInBin(place / ".local" / "bin", place / "current", "").create("coder", name)
        disk.cut()
    whole, nothing, *_ = disk.survivals()
    assert nothing.changes == frozenset()
    assert disk.tree(nothing).keys() >= {".hermes/profiles/coder/a", ".local/bin/coder"}
    assert whole.has_data


@pytest.mark.full
@pytest.mark.parametrize("verb", VERBS, ids=str)
async def test_every_power_cut_leaves_old_or_new(verb: Verb, tmp_path: Path) -> None:
    """The same at every step, with every state that may survive."""
    place = tmp_path / "place"
    expected = await outcomes(verb, place)
    for step in range(1, expected.steps + 2):
        for pick in count():
            if pick + 1 >= await found_after(verb, place, step, pick, expected):
                break
