"""The trash: deleted, brought back, removed for good and expired, also across a daemon's death."""

import json
from collections.abc import Awaitable, Callable

import pytest

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.creation import NewProfile
from hermesd.domain.errors import DiskFull, HermesError
from hermesd.domain.gateway import State
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.profile import ProfileName
from hermesd.domain.trash import DAY_S, TrashNote
from hermesd.services.trash import CHECK_S, TrashedView
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

WRITER = ProfileName("writer")


async def make(house: House, *, description: str = "") -> str:
    """A profile with its own alias and a custom one; its stable id."""
    house.agent.known_facts["writer"] = ProfileFacts(description=description)
    await house.now(await house.services.creations.create(NewProfile(WRITER), REQUESTER))
    house.aliases.create("pen", WRITER)
    return (await house.services.profiles.get(WRITER)).known.id


async def delete(house: House) -> TrashedView:
    """The profile is deleted; what the trash says of it."""
    begun = await house.services.profiles.delete(WRITER, purge=False, requester=REQUESTER)
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    return next(view for view in await house.services.trash.all(with_sizes=True) if view.entry.note.id == done.id)


async def restore(house: House, view: TrashedView, name: str = "") -> Operation:
    """The profile is brought back."""
    wanted = ProfileName(name) if name else None
    return await house.now(await house.services.trash.restore(view.entry.note.id, wanted, REQUESTER))


async def empty(house: House, *views: TrashedView) -> Operation:
    """Profiles are removed for good."""
    ids = [view.entry.note.id for view in views]
    return await house.now(await house.services.trash.empty(ids, REQUESTER))


async def refusal(call: Awaitable[object]) -> HermesError:
    """What a call is refused with."""
    with pytest.raises(HermesError) as caught:
        await call
    return caught.value


async def test_the_trash_says_what_was_deleted_and_until_when_it_is_kept(house: House) -> None:
    """Name, time, description, size, and every alias that went with it."""
    house.aliases.add_upstream("quill", "writer")
    profile_id = await make(house, description="Writes")
    deleted_at_s = house.clock.now_s()
    view = await delete(house)
    note = view.entry.note
    assert (note.name, note.profile_id, note.description) == (WRITER, profile_id, "Writes")
    assert note.aliases == ("pen", "writer")
    assert note.deleted_at_s == deleted_at_s
    assert view.kept_until_s == deleted_at_s + 7 * DAY_S
    assert view.size_bytes


async def test_what_is_in_the_trash_is_no_profile(house: House) -> None:
    """It is not listed, has no alias and no record."""
    await make(house)
    await house.start("writer")
    await delete(house)
    assert list(house.backend.alive) == []
    assert await house.store.gateways() == []
    assert house.aliases.scan() == []
    assert "writer" not in [view.known.home.name.text for view in await house.services.profiles.all()]


async def test_a_restored_profile_is_the_same_one_at_rest(house: House) -> None:
    """Data, stable id, aliases and captured output are back; the gateway stays stopped."""
    profile_id = await make(house)
    await house.start("writer")
    house.logs.write(profile_id, "an old line\n")
    files = dict(house.homes.files_of("writer"))
    done = await restore(house, await delete(house))
    assert (done.state, done.warnings) == (OperationState.SUCCEEDED, ())
    view = await house.services.profiles.get(WRITER)
    assert (view.known.id, view.aliases) == (profile_id, ("pen", "writer"))
    assert view.gateway.record.gateway.state is State.STOPPED
    assert not view.gateway.record.gateway.wanted_up
    assert house.homes.files_of("writer") == files
    assert house.logs.tail(profile_id, 10) == ["an old line"]
    assert await house.services.trash.all(with_sizes=False) == []
    await house.start("writer")


async def test_a_name_that_is_taken_is_told_with_a_way_out(house: House) -> None:
    """PROFILE_EXISTS with a name that is free; under that name it is the same profile."""
    profile_id = await make(house)
    view = await delete(house)
    other_id = await make(house)
    house.homes.add("writer-2")
    error = await refusal(restore(house, view))
    assert error.reason == "PROFILE_EXISTS"
    assert error.metadata["fix"] == f"hermesctl profile trash restore {view.entry.note.id} --name writer-3"
    done = await restore(house, view, "writer-3")
    assert done.state is OperationState.SUCCEEDED
    (warning,) = done.warnings
    assert warning.startswith("no alias 'pen': ")
    assert warning.endswith("is the alias of 'writer'; use hermesctl -p writer-3")
    back = await house.services.profiles.get(ProfileName("writer-3"))
    assert (back.known.id, back.aliases) == (profile_id, ("writer-3",))
    assert (await house.services.profiles.get(WRITER)).known.id == other_id


async def test_two_deletions_of_a_name_are_two_entries(house: House) -> None:
    """Each comes back as what it was."""
    first_id = await make(house)
    first = await delete(house)
    await make(house)
    second = await delete(house)
    assert first.entry.note.id != second.entry.note.id
    await restore(house, first)
    assert (await house.services.profiles.get(WRITER)).known.id == first_id


async def test_a_restoration_that_fails_leaves_the_entry(house: House) -> None:
    """Nothing stands for a profile that is not there."""
    await make(house)
    view = await delete(house)
    house.trash.faults.arm("restore", DiskFull("no space left"))
    assert failure(await restore(house, view)) == "DISK_FULL"
    assert [one.entry for one in await house.services.trash.all(with_sizes=False)] == [view.entry]
    assert view.entry.identity not in [binding.home for binding in await house.store.bindings()]
    house.trash.faults.disarm("restore")
    assert (await restore(house, view)).state is OperationState.SUCCEEDED


async def test_only_what_is_named_is_removed(house: House) -> None:
    """For good, with the output that was captured; the rest stays."""
    first_id = await make(house)
    house.logs.write(first_id, "private\n")
    first = await delete(house)
    await make(house)
    second = await delete(house)
    assert (await empty(house, first)).state is OperationState.SUCCEEDED
    assert [view.entry for view in await house.services.trash.all(with_sizes=False)] == [second.entry]
    assert house.logs.tail(first_id, 10) == []


async def test_what_is_not_in_the_trash_is_refused(house: House) -> None:
    """NOT_FOUND before anything is done, and nothing is emptied by naming nothing."""
    await make(house)
    view = await delete(house)
    trash = house.services.trash
    assert (await refusal(trash.restore("nothing", None, REQUESTER))).reason == "NOT_FOUND"
    assert (await refusal(trash.empty([view.entry.note.id, "nothing"], REQUESTER))).reason == "NOT_FOUND"
    assert (await refusal(trash.empty([], REQUESTER))).reason == "ARGUMENT_INVALID"
    assert len(await trash.all(with_sizes=False)) == 1


async def test_what_was_kept_long_enough_goes_by_itself(house: House) -> None:
    """Not a moment earlier, and not what was deleted later."""
    await make(house)
    await delete(house)
    house.clock.jump(3 * DAY_S)
    await make(house)
    later = await delete(house)
    house.clock.jump(4 * DAY_S - CHECK_S - 1)
    await house.clock.advance(CHECK_S)
    assert len(await house.services.trash.all(with_sizes=False)) == 2
    await house.clock.advance(CHECK_S)
    assert [view.entry for view in await house.services.trash.all(with_sizes=False)] == [later.entry]


async def test_the_same_request_joins_the_one_that_runs(house: House) -> None:
    """Asked twice, restored once; a creation of that name waits its turn."""
    await make(house)
    view = await delete(house)
    trash = house.services.trash
    first = await trash.restore(view.entry.note.id, None, REQUESTER)
    second = await trash.restore(view.entry.note.id, None, "somebody else")
    assert first.id == second.id
    assert (await refusal(house.services.creations.create(NewProfile(WRITER), REQUESTER))).reason == "PROFILE_BUSY"
    assert (await house.now(first)).state is OperationState.SUCCEEDED


async def record_running(house: House, kind: str, profile: str, parameters: list[object]) -> None:
    """What a daemon leaves that dies during an operation."""
    at_s = house.clock.now_s()
    await house.store.save_operation(Operation("cutoffop0001", kind, profile, json.dumps(parameters), "", at_s))


async def untouched(_: House, __: TrashedView) -> None:
    """The daemon died before it did anything."""


async def bound(house: House, view: TrashedView) -> None:
    """The daemon died once the id was bound."""
    await house.services.profiles._homes.expect(view.entry.note.profile_id, view.entry.identity, WRITER)


async def renamed(house: House, view: TrashedView) -> None:
    """The daemon died before the aliases."""
    await bound(house, view)
    house.trash.restore(view.entry, WRITER)


async def half_aliased(house: House, view: TrashedView) -> None:
    """The daemon died among the aliases."""
    await renamed(house, view)
    house.aliases.create("pen", WRITER)


@pytest.mark.parametrize("as_far_as", [untouched, bound, renamed, half_aliased])
async def test_a_restoration_that_was_cut_off_is_finished(
    house: House, as_far_as: Callable[[House, TrashedView], Awaitable[None]]
) -> None:
    """However far it came, the next daemon brings the rest back."""
    profile_id = await make(house)
    view = await delete(house)
    await as_far_as(house, view)
    note = view.entry.note
    await record_running(house, "trash.restore", "writer", [note.id, note.profile_id, note.aliases])
    await house.reopen()
    back = await house.services.profiles.get(WRITER)
    assert (back.known.id, back.aliases) == (profile_id, ("pen", "writer"))
    (done,) = [one for one in await house.store.operations(profile="writer", limit=9) if one.id == "cutoffop0001"]
    assert (done.state, done.warnings) == (OperationState.SUCCEEDED, ())


async def test_a_cut_off_restoration_takes_no_other_profile_for_its_own(house: House) -> None:
    """If somebody emptied the trash and made a profile of that name meanwhile, it fails and touches neither."""
    await make(house)
    view = await delete(house)
    house.trash.remove(view.entry)
    house.homes.add("writer")
    note = view.entry.note
    await record_running(house, "trash.restore", "writer", [note.id, note.profile_id, note.aliases])
    await house.reopen()
    (done,) = [one for one in await house.store.operations(profile="writer", limit=9) if one.id == "cutoffop0001"]
    assert failure(done) == "NOT_FOUND"
    assert house.aliases.scan() == []


async def test_emptying_that_was_cut_off_is_finished(house: House) -> None:
    """What is gone already is no failure."""
    await make(house)
    first = await delete(house)
    await make(house)
    second = await delete(house)
    house.trash.remove(first.entry)
    await record_running(house, "trash.empty", "", [first.entry.note.id, second.entry.note.id])
    await house.reopen()
    assert await house.services.trash.all(with_sizes=False) == []


@pytest.mark.parametrize("is_moved", [False, True])
async def test_a_deletion_that_was_cut_off_is_one_entry(house: House, is_moved: bool) -> None:
    """Under the id of its operation, with the aliases that the profile had when it began."""
    profile_id = await make(house)
    if is_moved:
        home = house.homes.find(WRITER)
        assert home is not None
        note = TrashNote("cutoffop0001", WRITER, house.clock.now_s(), profile_id, "", ("pen", "writer"))
        house.homes.move_to_trash(home, note)
    await record_running(house, "profile.delete", "writer", [profile_id, False])
    await house.reopen()
    (view,) = await house.services.trash.all(with_sizes=False)
    assert (view.entry.note.id, view.entry.note.aliases) == ("cutoffop0001", ("pen", "writer"))
    assert house.aliases.scan() == []
