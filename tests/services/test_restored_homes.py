"""A home is restored from a backup, or was only out of sight: it is the same profile, with all its wishes."""

import pytest

from hermesd.domain.gateway import State
from hermesd.domain.process import ExitStatus
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord
from hermesd.services.keepers import CHECK_S
from tests.fakes.homes import MemoryHomes
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

NAMES = ("a", "b", "c", "d")
LONG_S = 400.0
"""Longer than any first back-off and the time between two looks at the homes."""


async def fleet() -> House:
    """`a` runs by request, `b` was stopped by request, `c` crashes, `d` is disabled; agents have worked in all."""
    house = House()
    await house.open()
    await house.furnish(*NAMES)
    house.agent.lived_in |= set(NAMES)
    await house.start("a")
    await house.start("b")
    await house.stop("b")
    await house.start("c")
    await house.services.gateways.enable(ProfileName("d"), is_enabled=False)
    return house


async def crash(house: House, name: str) -> None:
    """Its process ends."""
    house.backend.exit((await house.process(name)).pid, ExitStatus(code=1))
    await house.clock.settle()


async def ids(house: House) -> dict[str, str]:
    """The id of each profile."""
    return {name: (await house.record(name)).profile_id for name in NAMES}


async def assert_as_wished(house: House) -> None:
    """Everything is as it was asked for, in one process each."""
    await house.clock.advance(LONG_S)
    states = {name: await house.state(name) for name in NAMES}
    assert states == {"a": State.RUNNING, "b": State.STOPPED, "c": State.RUNNING, "d": State.STOPPED}
    assert not (await house.record("d")).is_enabled
    running = [(await house.record(name)).process for name in ("a", "c")]
    assert sorted(map(str, house.backend.alive)) == sorted(map(str, running))


async def test_wishes_survive_a_machine_made_anew_from_its_backup() -> None:
    """Every home has another inode and no process is left; ids, wishes and history are the old ones."""
    house = await fleet()
    before = await ids(house)
    await crash(house, "c")
    await house.close()
    for process in list(house.backend.alive):
        house.backend.exit(process.pid, ExitStatus(signal=9))
    for name in NAMES:
        house.homes.replace(name)
    await house.open()
    assert await ids(house) == before
    assert (await house.record("c")).last_exit is not None
    await assert_as_wished(house)
    await house.close()


async def test_wishes_survive_a_restore_under_a_running_daemon() -> None:
    """What runs in a removed home is ended; what is restored is taken up again, as it was wanted."""
    house = await fleet()
    before = await ids(house)
    removed = (await house.process("a")).pid
    for name in NAMES:
        house.homes.drop(name)
    await house.clock.advance(2 * CHECK_S + LONG_S)
    assert removed in house.backend.terminated
    assert list(house.backend.alive) == []
    for name in NAMES:
        house.homes.add(name)
    await assert_as_wished(house)
    assert await ids(house) == before
    await house.close()


@pytest.mark.parametrize("is_daemon_away", [True, False])
async def test_a_process_in_a_home_that_was_replaced_is_ended_and_started_in_the_new_one(
    house: House, is_daemon_away: bool
) -> None:
    """It would go on writing into files that nobody can see, though home and process both seem to be there."""
    await house.start("coder")
    await house.clock.advance(100)
    old = await house.process("coder")
    if is_daemon_away:
        await house.close()
    restored = house.homes.replace("coder")
    house.agent.lived_in.add("coder")
    if is_daemon_away:
        await house.open()
    await house.clock.advance(CHECK_S + 1)
    record = await house.record("coder")
    assert old.pid in house.backend.terminated
    assert (record.gateway.state, record.gateway.wanted_up) == (State.RUNNING, True)
    assert record.process in house.backend.alive
    assert record.home == restored


async def test_a_stop_outranks_the_restart_in_a_replaced_home(house: House) -> None:
    """Also while the old process has not gone yet."""
    await house.start("coder")
    house.backend.ends_on_terminate = None
    house.homes.replace("coder")
    house.agent.lived_in.add("coder")
    await house.clock.advance(CHECK_S)
    assert await house.state("coder") is State.STOPPING
    await house.services.gateways.stop(ProfileName("coder"), REQUESTER)
    await house.clock.advance(LONG_S)
    assert await house.state("coder") is State.STOPPED
    assert len(house.backend.specs) == 1


async def test_a_blank_home_under_an_old_name_is_a_new_profile(house: House) -> None:
    """Somebody deleted the old one and made another: nobody wished for its gateway."""
    await house.start("coder")
    before = (await house.record("coder")).profile_id
    house.homes.replace("coder")
    await house.clock.advance(LONG_S)
    record = await house.record("coder")
    assert record == GatewayRecord(record.profile_id)
    assert record.profile_id != before
    assert list(house.backend.alive) == []


async def test_a_name_that_went_to_a_new_profile_is_not_given_back(house: House) -> None:
    """The next home of that name is restored from the new profile, if from any."""
    await house.start("coder")
    house.homes.replace("coder")
    new = (await house.record("coder")).profile_id
    house.homes.drop("coder")
    await house.clock.advance(LONG_S)
    house.homes.add("coder")
    house.agent.lived_in.add("coder")
    assert (await house.record("coder")).profile_id == new


async def test_a_profile_that_was_renamed_is_not_restored_under_its_old_name(house: House) -> None:
    """Its home is seen, and so a copy under the old name is another profile."""
    await house.start("coder")
    before = (await house.record("coder")).profile_id
    house.homes.rename("coder", "writer")
    house.homes.add("coder")
    house.agent.lived_in |= {"coder", "writer"}
    assert (await house.record("coder")).profile_id != before
    assert (await house.record("writer")).profile_id == before
    assert await house.state("writer") is State.RUNNING


async def test_what_was_deleted_is_not_restored(house: House) -> None:
    """Deleting a profile forgets its wish for good, whatever comes to lie under its name."""
    await house.start("coder")
    before = (await house.record("coder")).profile_id
    await house.now(await house.services.profiles.delete(ProfileName("coder"), purge=False, requester=REQUESTER))
    house.homes.add("coder")
    house.agent.lived_in.add("coder")
    record = await house.record("coder")
    assert record == GatewayRecord(record.profile_id)
    assert record.profile_id != before


@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_home_that_was_only_out_of_sight_is_taken_up_again(house: House, is_asked: bool) -> None:
    """By itself, or when somebody asks before the daemon has noticed."""
    await house.start("coder")
    elsewhere = MemoryHomes(has_root=False)
    elsewhere.mount(house.homes)
    house.homes.drop("coder")
    await house.clock.advance(2 * CHECK_S + LONG_S)
    assert list(house.backend.alive) == []
    house.homes.mount(elsewhere)
    assert (await house.record("coder")).gateway.wanted_up
    if is_asked:
        await house.start("coder")
    await house.clock.advance(LONG_S)
    assert await house.state("coder") is State.RUNNING
    assert len(house.backend.alive) == 1


async def test_a_file_system_that_is_mounted_late_brings_its_gateways(house: House) -> None:
    """A daemon that found no home at all adopts what runs as soon as there are some."""
    await house.start("coder")
    process = await house.process("coder")
    mounted, house.homes = house.homes, MemoryHomes(has_root=False)
    await house.close()
    await house.open()
    house.homes.mount(mounted)
    await house.clock.advance(CHECK_S + 1)
    assert await house.process("coder") == process
    assert await house.state("coder") is State.RUNNING
