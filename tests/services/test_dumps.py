"""What is kept of a process before it is ended, and that nothing puts its end off for long."""

import asyncio

import pytest

from hermesd.domain.errors import DiskFull, NotPermitted
from hermesd.domain.gateway import State
from hermesd.domain.operation import Happening
from hermesd.domain.process import ExitCause, Phase, Probe
from hermesd.domain.profile import ProfileName
from hermesd.services.effects import DUMP_LIMIT_S
from hermesd.services.gatewayviews import Explanation
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")
GRACE_S = 31.0
START_LIMIT_S = 181.0


async def explained(house: House) -> Explanation:
    """Why the gateway is as it is."""
    return await house.services.views.explain(CODER)


async def dumped(house: House) -> list[Happening]:
    """What is told of dumps."""
    return await house.store.events(after=0, profile="coder", limit=100, kinds=["gateway.dumped"])


async def miss_start_limit(house: House) -> int:
    """A gateway that does not become ready in time; its pid."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING, "connecting to telegram")]
    await house.start("coder")
    pid = (await house.process("coder")).pid
    await house.clock.advance(START_LIMIT_S)
    return pid


async def test_a_gateway_that_is_not_ready_in_time_is_dumped_before_its_end(house: House) -> None:
    """With its last lines; whoever asks why is shown where."""
    profile_id = (await house.services.profiles.get(CODER)).known.id
    house.logs.write(profile_id, "".join(f"line {number}\n" for number in range(250)))
    pid = await miss_start_limit(house)
    (dump,) = (await explained(house)).dumps
    text = house.dumps.texts[dump.path]
    assert dump.cause is ExitCause.START_TIMEOUT
    assert text.startswith(f"dump of process {pid}\nwhy: start_timeout: connecting to telegram\nline 50\n")
    assert text.endswith("line 249")
    (event,) = await dumped(house)
    assert event.facts == {"path": str(dump.path), "cause": "start_timeout", "pid": str(pid)}
    assert house.backend.terminated == [pid]


async def test_what_ends_when_it_is_asked_to_is_not_dumped(house: House) -> None:
    """There is nothing to find out."""
    await house.start("coder")
    await house.stop("coder")
    assert (await explained(house)).dumps == []


async def test_what_does_not_end_is_dumped_before_it_is_killed(house: House) -> None:
    """A person's stop, too."""
    await house.start("coder")
    house.backend.ends_on_terminate = None
    await house.stop("coder")
    assert (await explained(house)).dumps == []
    await house.clock.advance(GRACE_S)
    (dump,) = (await explained(house)).dumps
    assert dump.cause is ExitCause.STOPPED
    assert "why: stopped: it did not end in time" in house.dumps.texts[dump.path]
    assert len(house.backend.killed) == 1


async def test_one_end_is_dumped_once(house: House) -> None:
    """By signal and then by force; the next one is another."""
    house.backend.ends_on_terminate = None
    await miss_start_limit(house)
    await house.clock.advance(GRACE_S)
    assert len(house.backend.killed) == 1
    assert len((await explained(house)).dumps) == 1
    await house.clock.advance(START_LIMIT_S + 10)
    assert len((await explained(house)).dumps) == 2


@pytest.mark.parametrize("error", [DiskFull("no space"), NotPermitted("no")])
async def test_a_dump_that_cannot_be_kept_hinders_nothing_and_is_tried_again(
    house: House, error: DiskFull | NotPermitted
) -> None:
    """Before the process is killed, if it comes to that."""
    house.dumps.faults.arm("keep", error)
    house.backend.ends_on_terminate = None
    pid = await miss_start_limit(house)
    assert house.backend.terminated == [pid]
    assert await dumped(house) == []
    house.dumps.faults.disarm("keep")
    await house.clock.advance(GRACE_S)
    assert house.backend.killed == [pid]
    (dump,) = (await explained(house)).dumps
    assert dump.cause is ExitCause.START_TIMEOUT


async def test_a_dump_that_breaks_hinders_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a mistake of ours may keep a gateway that hangs."""

    async def keep(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.dumps, "keep", keep)
    pid = await miss_start_limit(house)
    assert house.backend.terminated == [pid]


async def test_a_log_that_cannot_be_read_costs_its_lines_alone(house: House) -> None:
    """What is seen of the process counts more."""
    house.logs.faults.arm("tail", NotPermitted("cannot read the log"))
    await miss_start_limit(house)
    assert len(house.dumps.texts) == 1


async def test_a_dump_that_hangs_puts_the_end_off_for_seconds(house: House) -> None:
    """And delays no other gateway."""
    house.dumps.hangs = True
    pid = await miss_start_limit(house)
    assert house.backend.terminated == []
    house.homes.add("writer")
    await house.start("writer")
    assert await house.state("writer") is State.RUNNING
    await house.clock.advance(DUMP_LIMIT_S)
    assert house.backend.terminated == [pid]
    assert await dumped(house) == []


async def test_a_late_dump_takes_nothing_from_the_grace(house: House) -> None:
    """It begins when the process is asked to end."""
    house.dumps.hangs = True
    house.backend.ends_on_terminate = None
    pid = await miss_start_limit(house)
    await house.clock.advance(DUMP_LIMIT_S)
    assert house.backend.terminated == [pid]
    await house.clock.advance(GRACE_S - 3)
    assert house.backend.killed == []
    await house.clock.advance(3 + DUMP_LIMIT_S)
    assert house.backend.killed[0] == pid


async def test_a_daemon_that_ends_waits_for_no_dump(house: House) -> None:
    """The next one goes on with the end of the gateway."""
    house.dumps.hangs = True
    pid = await miss_start_limit(house)
    assert house.backend.terminated == []
    async with asyncio.timeout(10):
        await house.reopen()
    assert house.backend.terminated == [pid]


@pytest.mark.parametrize("purge", [True, False])
async def test_dumps_go_with_the_data_of_their_profile(house: House, purge: bool) -> None:
    """Who deletes it for good, or empties the trash, deletes them."""
    await miss_start_limit(house)
    await house.stop("coder")
    assert len(house.dumps.texts) == 1
    await house.now(await house.services.profiles.delete(CODER, purge=purge, requester=REQUESTER))
    assert len(house.dumps.texts) == (0 if purge else 1)
    for view in await house.services.trash.all(with_sizes=False):
        await house.now(await house.services.trash.empty([view.entry.note.id], REQUESTER))
    assert house.dumps.texts == {}
