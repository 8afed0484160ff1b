"""Syncing skills into many profiles: what each result is, and who may do something meanwhile."""

import asyncio
from pathlib import Path

import pytest

from hermesd.domain.errors import DiskFull, NotPermitted, ProfileBusy, ProfileNotFound
from hermesd.domain.operation import OperationState
from hermesd.domain.profile import ProfileName
from hermesd.services.operations import Job, Request
from hermesd.services.skills import SyncOrder
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, HELPER = ProfileName("coder"), ProfileName("helper")
BUNDLED = Path("/runtime/skills")


@pytest.fixture(autouse=True)
def bundle(house: House) -> None:
    """Two skills come with the agent, one with hermesd; a second profile is there."""
    house.homes.add("helper")
    house.agent.skills = BUNDLED
    house.skills.bundles[BUNDLED] = {"paint": "1", "sing": "1"}
    house.skills.own = {"operate": "1"}


async def sync(house: House, *names: ProfileName, is_dry_run: bool = False) -> dict[str, str]:
    """Syncs, and says what became of each profile: the summary, or the reason of a failure."""
    begun = await house.services.skills.sync(SyncOrder(names, is_dry_run), REQUESTER)
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    return {one.profile: one.error.reason if one.error else one.summary for one in done.results}


def home_of(house: House, name: ProfileName) -> Path:
    """Where a profile is."""
    home = house.homes.find(name)
    assert home is not None
    return home.path


async def test_all_profiles_are_synced(house: House) -> None:
    """Each is a result, in order; once more changes nothing."""
    assert await sync(house) == {"default": "+3 new", "coder": "+3 new", "helper": "+3 new"}
    assert set((await sync(house)).values()) == {"up to date"}


async def test_only_named_profiles_are_synced(house: House) -> None:
    """The others are not even looked at."""
    assert await sync(house, CODER) == {"coder": "+3 new"}
    assert home_of(house, HELPER) not in house.skills.homes


async def test_a_dry_run_changes_nothing(house: House) -> None:
    """And says the same twice."""
    for _ in range(2):
        assert await sync(house, CODER, is_dry_run=True) == {"coder": "+3 new"}


async def test_an_unknown_profile_is_refused_before_anything_is_done(house: House) -> None:
    """By its name."""
    with pytest.raises(ProfileNotFound, match="ghost"):
        await house.services.skills.sync(SyncOrder((CODER, ProfileName("ghost"))), REQUESTER)
    assert house.skills.asked == []


async def test_without_a_runtime_there_are_still_our_own(house: House) -> None:
    """What an agent would bring is not known then."""
    await house.store.use_runtime("gone")
    assert await sync(house, CODER) == {"coder": "+1 new"}


async def test_one_that_fails_hinders_no_other(house: House) -> None:
    """Its result says why."""
    house.skills.refusals[home_of(house, CODER)] = NotPermitted("cannot write there")
    assert await sync(house) == {"default": "+3 new", "coder": "NOT_PERMITTED", "helper": "+3 new"}


async def test_a_failure_of_all_is_one_of_each(house: House) -> None:
    """Such as a full disk before anything was begun."""
    house.skills.faults.arm("sync_all", DiskFull("the disk is full"))
    assert set((await sync(house)).values()) == {"DISK_FULL"}


async def test_a_profile_that_is_being_changed_is_a_failed_result(house: House) -> None:
    """Until that is over."""
    gate = asyncio.Event()

    async def rename(_: Job) -> None:
        await gate.wait()

    request = Request("profile.rename", "coder", is_exclusive=True)
    await house.services.operations.start(request, REQUESTER, rename)
    assert await sync(house) == {"default": "+3 new", "coder": "PROFILE_BUSY", "helper": "+3 new"}
    gate.set()
    await house.clock.settle()
    assert await sync(house, CODER) == {"coder": "+3 new"}


async def test_nobody_changes_a_profile_while_it_is_synced(house: House) -> None:
    """Who would is told what is in the way; starting its gateway is no change."""
    operations = house.services.operations
    gate = asyncio.Event()

    async def hold(job: Job) -> None:
        with operations.holding(job, "coder"):
            await gate.wait()

    await operations.start(Request("skills.sync"), REQUESTER, hold)
    await house.clock.settle()
    with pytest.raises(ProfileBusy, match="'coder'"):
        await house.services.profiles.delete(CODER, purge=False, requester=REQUESTER)
    assert (await house.start("coder")).state is not OperationState.FAILED
    gate.set()
    await house.clock.settle()
    await house.services.profiles.delete(CODER, purge=False, requester=REQUESTER)


async def test_what_a_person_should_see_to_is_a_warning(house: House) -> None:
    """With the name of the profile."""
    house.skills.problems[home_of(house, CODER)] = ("skills is a link, and is left alone",)
    begun = await house.services.skills.sync(SyncOrder((CODER,)), REQUESTER)
    assert (await house.now(begun)).warnings == ("coder: skills is a link, and is left alone",)


async def test_changes_are_events(house: House) -> None:
    """And nothing else is."""
    for _ in range(2):
        await sync(house, CODER)
    found = await house.store.events(after=0, profile="coder", limit=9, kinds=["skills.synced"])
    assert [one.message for one in found] == ["profile coder: +3 new"]


async def test_a_sync_that_was_cut_off_is_taken_up(house: House) -> None:
    """By the next daemon, as it was asked for."""
    begun = await house.services.skills.sync(SyncOrder((CODER,)), REQUESTER)
    await house.reopen()
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    assert [one.profile for one in done.results] == ["coder"]


async def test_records_of_homes_that_are_gone_are_dropped(house: House) -> None:
    """But not of those in the trash, which may come back."""
    deleted = await house.services.profiles.delete(HELPER, purge=False, requester=REQUESTER)
    await house.now(deleted)
    await sync(house)
    assert house.skills.kept is not None
    assert len(house.skills.kept) == 3
