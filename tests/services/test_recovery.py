"""A daemon dies and another one starts: the same gateways, the same wishes."""

import asyncio
from dataclasses import replace

import pytest

from hermesd.domain.errors import DiskFull
from hermesd.domain.gateway import State
from hermesd.domain.operation import OperationState
from hermesd.domain.process import ExitCause, ExitStatus, Phase, Probe
from hermesd.domain.record import GatewayRecord
from hermesd.services.operations import Request
from tests.fakes.homes import MemoryHomes
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]


async def test_a_running_gateway_is_adopted_with_its_pid(house: House) -> None:
    """The process that runs is kept, unsignalled, and watched: its end is noticed by the new daemon."""
    await house.start("coder")
    process = await house.process("coder")
    await house.reopen()
    assert await house.process("coder") == process
    assert await house.state("coder") is State.RUNNING
    assert house.backend.terminated == house.backend.killed == []
    house.backend.exit(process.pid, ExitStatus(code=1))
    await house.clock.advance(2)
    assert await house.process("coder") != process


async def test_adopting_again_and_again_doubles_nothing(house: House) -> None:
    """Any number of restarts leaves one process."""
    await house.start("coder")
    for _ in range(5):
        await house.reopen()
    assert len(house.backend.specs) == 1
    assert len(house.backend.alive) == 1


async def test_a_gateway_that_died_meanwhile_is_started_once_and_its_end_told_as_unknown(house: House) -> None:
    """What ended while no daemon watched counts as one crash; nothing is invented about how."""
    await house.start("coder")
    pid = (await house.process("coder")).pid
    await house.close()
    house.backend.exit(pid, ExitStatus(code=0))
    await house.open()
    record = await house.record("coder")
    assert record.gateway.state is State.BACKOFF
    assert record.last_exit is not None
    assert record.last_exit.cause is ExitCause.UNKNOWN
    assert record.last_exit.status == ExitStatus()
    await house.clock.advance(2)
    assert await house.state("coder") is State.RUNNING
    assert len(house.backend.specs) == 2


async def test_a_crash_between_spawn_and_record_is_healed_by_the_spawn_id(house: House) -> None:
    """A process whose pid was never recorded is found by its spawn id and kept."""
    await house.start("coder")
    process = await house.process("coder")
    await house.close()
    (record,) = await house.store.gateways()
    starting = replace(record.gateway, state=State.STARTING)
    await house.store.save_gateway(replace(record, gateway=starting, process=None))
    await house.open()
    await house.clock.advance(1)
    assert await house.process("coder") == process
    assert len(house.backend.specs) == 1


async def test_a_crash_before_the_spawn_starts_the_gateway_once(house: House) -> None:
    """A recorded start without a process is a lost one: it is tried again, not forgotten."""
    await house.start("coder")
    pid = (await house.process("coder")).pid
    await house.close()
    house.backend.exit(pid, ExitStatus(code=1))
    (record,) = await house.store.gateways()
    starting = replace(record.gateway, state=State.STARTING)
    await house.store.save_gateway(replace(record, gateway=starting, process=None, spawn_id="never-used"))
    await house.open()
    await house.clock.advance(2)
    assert await house.state("coder") is State.RUNNING
    assert len(house.backend.specs) == 2


async def test_a_process_that_a_full_disk_kept_from_the_record_is_replaced(house: House) -> None:
    """No record tells of it, so it is ended by the lock it holds before its gateway is started anew."""
    await house.start("coder")
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.settle()
    house.store.faults.arm("save_gateway", DiskFull("no space is left"))
    await house.clock.advance(2)
    unknown = await house.process("coder")
    house.store.faults.disarm("save_gateway")
    await house.reopen()
    assert unknown not in house.backend.alive
    await house.clock.advance(2)
    assert [await house.process("coder")] == list(house.backend.alive)


async def test_what_still_holds_the_lock_is_ended_before_a_start(house: House) -> None:
    """A start that finds the lock held, by whatever of an earlier one, does not wait for it to go by itself."""
    await house.start("coder")
    process = await house.process("coder")
    (record,) = await house.store.gateways()
    await house.close()
    await house.store.save_gateway(GatewayRecord(record.profile_id))
    house.backend.is_stuck = True
    await house.open()
    house.backend.is_stuck = False
    await house.start("coder")
    assert process not in house.backend.alive
    assert await house.state("coder") is State.RUNNING


async def test_a_gateway_whose_home_went_while_no_daemon_looked_is_ended(house: House) -> None:
    """Nobody could ever stop it otherwise; but its wish stays, should the home come back with its file system."""
    await house.start("coder")
    await house.close()
    house.homes.drop("coder")
    await house.open()
    assert list(house.backend.alive) == []
    (record,) = await house.store.gateways()
    assert record.gateway.wanted_up


async def test_without_any_home_nothing_is_ended_or_forgotten(house: House) -> None:
    """A daemon that starts before the file system of its root is mounted leaves everything as it is."""
    await house.start("coder")
    mounted, house.homes = house.homes, MemoryHomes(has_root=False)
    await house.reopen()
    assert len(house.backend.alive) == 1
    house.homes = mounted
    await house.reopen()
    assert await house.state("coder") is State.RUNNING


async def test_a_stop_that_was_cut_off_is_finished(house: House) -> None:
    """The wish was recorded first, so the new daemon ends the process."""
    await house.start("coder")
    house.backend.ends_on_terminate = None
    await house.stop("coder")
    house.backend.ends_on_terminate = ExitStatus(code=0)
    await house.reopen()
    assert await house.state("coder") is State.STOPPED
    assert list(house.backend.alive) == []


async def test_a_stopped_gateway_stays_stopped(house: House) -> None:
    """A wish to be down survives."""
    await house.start("coder")
    await house.stop("coder")
    await house.reopen()
    await house.clock.advance(3600)
    assert len(house.backend.specs) == 1


async def test_a_drained_daemon_starts_its_gateways_again(house: House) -> None:
    """Draining ends every gateway but no wish: the next daemon starts what was wanted."""
    await house.start("coder")
    await house.close(drain=True)
    assert list(house.backend.alive) == []
    await house.open()
    assert await house.state("coder") is State.RUNNING
    assert (await house.record("coder")).gateway.attempts == 0


async def test_draining_kills_what_does_not_end(house: House) -> None:
    """A gateway that ignores SIGTERM cannot hold up the drain beyond its grace."""
    await house.start("coder")
    house.backend.ends_on_terminate = None
    await house.services.operations.close()
    draining = asyncio.create_task(house.services.keepers.close(drain=True))
    await house.clock.advance(31)
    await draining
    assert len(house.backend.killed) == 1
    await house.open()


async def test_a_back_off_goes_on_where_it_was(house: House) -> None:
    """A daemon's restart neither forgets nor shortens the waiting for a retry by much."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    await house.start("coder")
    for _ in range(6):
        house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
        await house.clock.settle()
        while (await house.record("coder")).process is None and (await house.record("coder")).gateway.attempts < 6:
            await house.clock.advance(1)
    before = await house.record("coder")
    assert before.gateway.attempts == 6
    await house.clock.advance(10)
    await house.reopen()
    after = await house.record("coder")
    assert after.gateway.attempts == 6
    assert after.next_start_at_s == pytest.approx(before.next_start_at_s, abs=1.0)


async def test_an_operation_that_cannot_be_resumed_is_told_as_interrupted(house: House) -> None:
    """Nothing stays running for ever in the history."""
    request = Request("runtime.install", parameters="0.19.0")
    begun = await house.services.operations.start(request, REQUESTER, lambda _: house.clock.sleep_s(1e9))
    await house.reopen()
    ended = await house.services.operations.get(begun.id)
    assert ended.state is OperationState.FAILED
    assert ended.error is not None
    assert ended.error.reason == "INTERRUPTED"
