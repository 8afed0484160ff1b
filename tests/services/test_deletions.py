"""Deletions that meet something: a gateway on its way, a full disk, somebody else's request."""

import asyncio
from dataclasses import replace

import pytest

from hermesd.domain.errors import DiskFull, NotPermitted, ProfileNotFound
from hermesd.domain.gateway import Event, State
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.process import Phase, Probe
from hermesd.domain.profile import ProfileName
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")


async def delete(house: House, *, purge: bool = False) -> Operation:
    """A deletion and all that needs no time."""
    begun = await house.services.profiles.delete(CODER, purge=purge, requester=REQUESTER)
    return await house.now(begun)


@pytest.mark.parametrize("purge", [False, True])
async def test_a_gateway_whose_profile_stays_comes_back(house: House, *, purge: bool) -> None:
    """The disk is full when its home is to go: it answers again, is the sticky default still, and that is said."""
    await house.furnish("coder")
    await house.services.profiles.use(CODER)
    await house.start("coder")
    house.homes.faults.arm("purge" if purge else "move_to_trash", DiskFull("full"))
    done = await delete(house, purge=purge)
    assert failure(done) == "DISK_FULL"
    assert await house.state("coder") is State.RUNNING
    assert (await house.record("coder")).gateway.wanted_up
    assert house.homes.sticky_default() == CODER


async def test_a_gateway_at_rest_stays_at_rest(house: House) -> None:
    """Nothing is started that was not up."""
    await house.furnish("coder")
    await house.start("coder")
    await house.stop("coder")
    house.homes.faults.arm("move_to_trash", DiskFull("full"))
    await delete(house)
    assert await house.state("coder") is State.STOPPED
    assert house.backend.alive == []


async def test_what_cannot_follow_a_deleted_home_is_told(house: House) -> None:
    """The profile is in the trash; that its alias stays is no failure of the deletion, but to be seen to."""
    await house.furnish("coder")
    house.aliases.create("coder", CODER)
    house.aliases.faults.arm("remove", NotPermitted("cannot remove the alias"))
    done = await delete(house)
    assert done.state is OperationState.SUCCEEDED
    assert done.warnings == ("cannot remove the alias",)
    assert len(await house.services.trash.all(with_sizes=False)) == 1


async def test_a_start_that_waits_learns_of_the_deletion(house: House) -> None:
    """Whoever asked for it would otherwise wait for ever."""
    await house.furnish("coder")
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    starting = await house.start("coder")
    assert starting.state is OperationState.RUNNING
    assert (await delete(house)).state is OperationState.SUCCEEDED
    assert failure(await house.now(starting)) == "PROFILE_NOT_FOUND"


async def test_a_command_that_comes_too_late_is_refused(house: House) -> None:
    """Its sender had found the profile before it was deleted."""
    await house.furnish("coder")
    known = (await house.services.profiles.get(CODER)).known
    keeper = await house.services.keepers.of(known)
    waiting = asyncio.create_task(keeper.command(Event.START))
    keeper.let_go()
    with pytest.raises(ProfileNotFound):
        await keeper.command(Event.START)
    with pytest.raises(ProfileNotFound):
        await waiting


async def test_nobody_chooses_a_profile_while_its_home_goes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sticky default that names nothing would lock hermes-agent's users out."""
    await house.furnish("coder")
    take_away = house.homes.move_to_trash
    choosing: list[asyncio.Task[object]] = []

    def meanwhile(*arguments: object) -> object:
        choosing.append(asyncio.get_running_loop().create_task(house.services.profiles.use(CODER)))
        return take_away(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(house.homes, "move_to_trash", meanwhile)
    await delete(house)
    with pytest.raises(ProfileNotFound):
        await choosing[0]
    assert house.homes.write_sticky_default(ProfileName("default")) == ProfileName("default")


async def test_a_profile_that_was_brought_back_under_another_name_stays_itself(house: House) -> None:
    """Though the store says that its deletion still runs: its id, and with it its history, is not taken away."""
    await house.furnish("coder")
    before = (await house.services.profiles.get(CODER)).known.id
    done = await delete(house)
    (view,) = await house.services.trash.all(with_sizes=False)
    await house.now(await house.services.trash.restore(view.entry.note.id, ProfileName("writer"), REQUESTER))
    await house.store.save_operation(replace(done, state=OperationState.RUNNING))
    await house.reopen()
    resumed = await house.now(await house.services.operations.get(done.id))
    assert resumed.warnings == ("the profile that was 'coder' has another name by now, and stays",)
    assert (await house.services.profiles.get(ProfileName("writer"))).known.id == before
