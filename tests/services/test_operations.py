"""Operations: joined, refused, watched, cancelled and recorded."""

import asyncio

import pytest

from hermesd.domain.errors import Cancelled, DiskFull, HermesError
from hermesd.domain.operation import Operation, OperationState, Progress
from hermesd.services.operations import KEPT_IN_MEMORY, RECORD_AGAIN_S, Job, Request
from tests.services.house import REQUESTER, House, failure
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.fast, pytest.mark.services]


async def nothing(_: Job) -> None:
    """Work that is done at once."""


async def test_a_watcher_sees_each_change_and_the_end(house: House) -> None:
    """A watch begins with the present and ends by itself when the work does."""
    go = asyncio.Event()

    async def work(job: Job) -> None:
        job.report("download", "aiohttp", 3, 94)
        job.warn("slow network")
        await go.wait()

    operations = house.services.operations
    begun = await operations.start(Request("runtime.install"), REQUESTER, work)
    seen: list[Operation] = []

    async def watch() -> None:
        seen.extend([current async for current in operations.watch(begun.id)])

    watching = asyncio.create_task(watch())
    await house.clock.settle()
    go.set()
    await asyncio.wait_for(watching, DEADLINE_S)
    assert seen[0].state is OperationState.RUNNING
    assert seen[-1].state is OperationState.SUCCEEDED
    assert seen[-1].progress == Progress("download", "aiohttp", 3, 94)
    assert seen[-1].warnings == ("slow network",)
    assert seen[-1].requester == REQUESTER


async def test_exclusive_work_keeps_everything_else_off_the_profile(house: House) -> None:
    """A second operation on a profile that is being changed is refused, with the first one's id."""
    operations = house.services.operations
    exclusive = Request("profile.setup", "coder", is_exclusive=True)
    begun = await operations.start(exclusive, REQUESTER, lambda _: house.clock.sleep_s(1e9))
    for other in (Request("profile.delete", "coder", is_exclusive=True), Request("gateway.start", "coder")):
        with pytest.raises(HermesError) as caught:
            await operations.start(other, REQUESTER, nothing)
        assert caught.value.metadata["operation"] == begun.id
    elsewhere = await operations.start(Request("profile.delete", "other", is_exclusive=True), REQUESTER, nothing)
    assert (await house.now(elsewhere)).state is OperationState.SUCCEEDED


async def test_a_cancelled_operation_ends_when_its_work_notices(house: House) -> None:
    """Cancelling asks; the work answers, and the outcome says cancelled."""

    async def work(job: Job) -> None:
        while not job.is_cancelled:
            await house.clock.sleep_s(1)
        raise Cancelled("as asked")

    operations = house.services.operations
    begun = await operations.start(Request("runtime.install"), REQUESTER, work)
    await house.clock.settle()
    await operations.cancel(begun.id)
    await house.clock.advance(2)
    ended = await operations.get(begun.id)
    assert ended.state is OperationState.CANCELLED
    assert ended.elapsed_s == pytest.approx(1.0)


async def test_a_mistake_in_the_work_is_told_without_its_text(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect becomes INTERNAL with an incident that the log explains; its message stays in the log."""

    async def work(_: Job) -> None:
        raise ZeroDivisionError("sk-live-secret")

    begun = await house.services.operations.start(Request("runtime.install"), REQUESTER, work)
    ended = await house.now(begun)
    assert failure(ended) == "INTERNAL"
    assert ended.error is not None
    assert "secret" not in ended.error.message
    assert ended.error.metadata["incident"] in caplog.text


async def test_an_operation_that_cannot_be_recorded_does_not_begin(house: House) -> None:
    """On a full disk the work is not started, and the same request is possible later."""
    house.store.faults.arm("save_operation", DiskFull("no space left"))
    begun = False

    async def work(_: Job) -> None:
        nonlocal begun
        begun = True

    with pytest.raises(DiskFull):
        await house.services.operations.start(Request("runtime.install"), REQUESTER, work)
    await house.clock.settle()
    assert not begun
    house.store.faults.disarm("save_operation")
    again = await house.services.operations.start(Request("runtime.install"), REQUESTER, work)
    assert (await house.now(again)).state is OperationState.SUCCEEDED


async def test_an_end_that_cannot_be_recorded_is_still_told(house: House) -> None:
    """Whoever watches learns how it ended although the disk filled up meanwhile."""

    async def work(_: Job) -> None:
        house.store.faults.arm("save_operation", DiskFull("no space left"))

    begun = await house.services.operations.start(Request("runtime.install"), REQUESTER, work)
    assert (await house.now(begun)).state is OperationState.SUCCEEDED


async def test_an_end_that_could_not_be_recorded_is_recorded_once_it_can_be(house: House) -> None:
    """Else the store would say for ever that it runs, also to the next daemon, which would do it again."""
    operations = house.services.operations

    async def work(_: Job) -> None:
        house.store.faults.arm("save_operation", DiskFull("no space left"))

    begun = await operations.start(Request("runtime.install"), REQUESTER, work)
    await house.now(begun)
    await house.clock.advance(5 * RECORD_AGAIN_S)
    house.store.faults.disarm("save_operation")
    for number in range(KEPT_IN_MEMORY + 20):
        await operations.start(Request("runtime.install", parameters=str(number)), REQUESTER, nothing)
        await asyncio.sleep(0)
    assert (await operations.get(begun.id)).state is OperationState.SUCCEEDED
    await house.clock.advance(RECORD_AGAIN_S)
    recorded = {one.id: one for one in await house.store.operations(profile="", limit=1000)}
    assert recorded[begun.id].state is OperationState.SUCCEEDED
    ends = await house.store.events(after=0, profile="", limit=1000, kinds=["operation.succeeded"])
    assert [one.facts["operation"] for one in ends].count(begun.id) == 1


async def test_a_daemon_that_ends_records_what_it_still_owes(house: House) -> None:
    """The next one does not do it again."""
    done = 0

    async def work(_: Job) -> None:
        nonlocal done
        done += 1
        house.store.faults.arm("save_operation", DiskFull("no space left"))

    begun = await house.services.operations.start(Request("runtime.install"), REQUESTER, work)
    await house.now(begun)
    house.store.faults.disarm("save_operation")
    await house.reopen()
    assert (await house.services.operations.get(begun.id)).state is OperationState.SUCCEEDED
    assert done == 1


async def test_finished_operations_do_not_pile_up_in_memory(house: House) -> None:
    """However many have ended, a bounded number is kept outside the store."""
    operations = house.services.operations
    for number in range(KEPT_IN_MEMORY + 20):
        await operations.start(Request("runtime.install", parameters=str(number)), REQUESTER, nothing)
        await asyncio.sleep(0)
    await house.clock.settle()
    assert len(operations._jobs) == KEPT_IN_MEMORY


async def test_a_request_does_not_join_an_operation_that_has_ended(house: House) -> None:
    """While the end of one is being recorded, an identical request is a new one: it was made after that end."""
    request = Request("runtime.install", parameters="0.19.0")
    save = house.store.save_operation

    async def save_slowly(operation: Operation) -> None:
        if operation.state is not OperationState.RUNNING:
            await house.clock.sleep_s(1.0)
        await save(operation)

    house.store.save_operation = save_slowly  # type: ignore[method-assign]
    first = await house.services.operations.start(request, REQUESTER, lambda _: house.clock.sleep_s(5.0))
    await house.clock.advance(5.5)
    second = await house.services.operations.start(request, REQUESTER, lambda _: house.clock.sleep_s(5.0))
    assert second.id != first.id


async def test_an_unknown_operation_is_not_found(house: House) -> None:
    """An id that nobody gave out is answered as such."""
    with pytest.raises(HermesError) as caught:
        await house.services.operations.get("000000000000")
    assert caught.value.reason == "NOT_FOUND"


async def test_a_warning_is_told_once(house: House) -> None:
    """A step that a daemon's death has repeated warns of the same thing again."""

    async def work(job: Job) -> None:
        for text in ("a disk is full", "a disk is full", "a cable is loose"):
            job.warn(text)

    done = await house.now(await house.services.operations.start(Request("test.warn"), REQUESTER, work))
    assert done.warnings == ("a disk is full", "a cable is loose")
