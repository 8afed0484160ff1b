"""Gateways start in turns: few at the same time, in order, and alone without any delay."""

from dataclasses import dataclass, field

import pytest

from hermesd.domain.errors import DiskFull, RuntimeMissing
from hermesd.domain.gateway import State
from hermesd.domain.operation import OperationState
from hermesd.domain.policy import Policy
from hermesd.domain.process import ExitStatus, Phase, Probe
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import Settings
from hermesd.services.turns import WAITING, Place, Turns
from tests.fakes.clock import ManualClock
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

POLICY = Policy(starts_at_once=2, turn_s=30.0)
SLOW = [Probe(Phase.STARTING)]
READY = [Probe(Phase.READY)]


@dataclass
class Line:
    """Turns, and who has begun by them."""

    turns: Turns
    begun: list[str] = field(default_factory=list)

    def take(self, name: str, order: int = 0, *, is_asked_for: bool = False) -> Place:
        """Somebody wants to start."""
        place = Place(name, order, is_asked_for, lambda: self.begun.append(name))
        self.turns.take(place)
        return place


@pytest.fixture
def line() -> Line:
    """Two turns, on a clock that stands still."""
    return Line(Turns(ManualClock(), POLICY))


async def test_a_free_turn_is_taken_at_once(line: Line) -> None:
    """Without anybody being told."""
    assert [line.take(name).is_waiting for name in "abc"] == [False, False, True]
    assert line.begun == []


async def test_the_line_is_in_order(line: Line) -> None:
    """What a person waits for, then by place in line, then by name."""
    first, second = line.take("x"), line.take("y")
    line.take("b")
    line.take("late", 5)
    line.take("a")
    line.take("early", -1)
    line.take("person", 9, is_asked_for=True)
    for place in (first, second, first):
        line.turns.leave(place)
    assert line.begun == ["person", "early"]
    line.turns.close()


async def test_who_is_asked_for_while_waiting_moves_forward(line: Line) -> None:
    """And who has a turn stays where it is."""
    first = line.take("x")
    line.take("y")
    line.take("a")
    wanted = line.take("z")
    line.turns.prefer(wanted)
    line.turns.prefer(first)
    line.turns.leave(first)
    assert line.begun == ["z"]
    line.turns.close()


async def test_who_leaves_the_line_is_never_called(line: Line) -> None:
    """A start that nobody wants any more keeps nobody waiting."""
    first = line.take("x")
    line.take("y")
    gone = line.take("a")
    line.take("b")
    line.turns.leave(gone)
    line.turns.leave(first)
    assert line.begun == ["b"]
    line.turns.close()


async def test_a_turn_that_takes_too_long_ends() -> None:
    """Each by itself; who had it may go on, and what it does later changes nothing."""
    clock = ManualClock()
    line = Line(Turns(clock, POLICY))
    slow = line.take("slow")
    await clock.advance(20)
    line.take("other")
    line.take("a")
    line.take("b")
    await clock.advance(9.9)
    assert line.begun == []
    await clock.advance(0.1)
    assert line.begun == ["a"]
    line.turns.leave(slow)
    assert line.begun == ["a"]
    await clock.advance(20)
    assert line.begun == ["a", "b"]
    await clock.advance(60)
    assert clock.sleepers == 0


async def test_what_runs_when_the_daemon_comes_up_counts(line: Line) -> None:
    """However many: none is taken its turn, and none is given one beside them."""
    places = [Place(name, 0, is_asked_for=False, begin=lambda: None) for name in "abc"]
    for place in places:
        line.turns.occupy(place)
    line.take("x")
    line.turns.leave(places[0])
    assert line.begun == []
    line.turns.leave(places[1])
    assert line.begun == ["x"]
    line.turns.close()


NAMES = ("a", "b", "c", "d")


@pytest.fixture
async def busy(house: House) -> House:
    """A daemon with two turns, both of them taken by `a` and `b`, while `c` waits."""
    await house.close()
    house.settings = Settings(policy=POLICY)
    await house.open()
    for name in NAMES:
        house.homes.add(name)
        house.agent.probes[name] = SLOW
    for name in NAMES[:3]:
        await house.start(name)
    return house


async def test_a_gateway_that_waits_is_starting_without_a_process(busy: House) -> None:
    """It says so, however long it takes: its start limit begins with its start."""
    record = await busy.record("c")
    assert (record.gateway.state, record.detail, record.process) == (State.STARTING, WAITING, None)
    assert len(busy.backend.specs) == 2
    busy.agent.probes["c"] = READY
    await busy.clock.advance(29)
    assert (await busy.record("c")).detail == WAITING
    await busy.clock.advance(2)
    assert await busy.state("c") is State.RUNNING
    assert (await busy.record("c")).detail == ""


async def test_the_start_limit_begins_with_the_spawn(busy: House) -> None:
    """Not with the wait: `c` gets all of it."""
    await busy.clock.advance(30)
    assert (await busy.record("c")).process is not None
    await busy.clock.advance(POLICY.start_limit_s - 1)
    assert await busy.state("c") is State.STARTING
    await busy.clock.advance(1.5)
    assert await busy.state("c") is State.BACKOFF


async def test_a_turn_ends_when_a_gateway_is_ready(busy: House) -> None:
    """The next one begins at once."""
    busy.agent.probes["a"] = READY
    await busy.clock.advance(0.2)
    assert (await busy.record("c")).process is not None


async def test_a_turn_ends_when_a_start_fails(busy: House) -> None:
    """A crash makes way as well."""
    busy.backend.exit((await busy.process("a")).pid, ExitStatus(code=1))
    await busy.clock.settle()
    assert (await busy.record("c")).process is not None


async def test_a_turn_ends_when_nothing_could_be_started(busy: House) -> None:
    """A gateway without a program gives its turn to the next."""
    await busy.start("d")
    busy.backend.refuse_next(RuntimeMissing("it is gone"))
    await busy.stop("a")
    assert await busy.state("c") is State.FAILED
    assert (await busy.record("d")).process is not None


async def test_a_stop_of_a_gateway_that_waits_takes_effect_at_once(busy: House) -> None:
    """There never was a process, so none ended, and none is started when the turn comes."""
    stopped = await busy.stop("c")
    assert stopped.state is OperationState.SUCCEEDED
    record = await busy.record("c")
    assert (record.gateway.state, record.last_exit, record.detail) == (State.STOPPED, None, "")
    await busy.clock.advance(60)
    assert len(busy.backend.specs) == 2


async def test_a_stop_that_cannot_be_recorded_leaves_the_place_in_line(busy: House) -> None:
    """It is refused, so the start goes on as if nobody had asked."""
    busy.store.faults.arm("save_gateway", DiskFull("no space is left"))
    assert failure(await busy.stop("c")) == "DISK_FULL"
    busy.store.faults.disarm("save_gateway")
    await busy.stop("a")
    assert (await busy.record("c")).process is not None


async def test_a_start_that_cannot_be_recorded_takes_no_turn(busy: House) -> None:
    """Nor a place in line, which would be nobody's."""
    await busy.stop("a")
    await busy.stop("c")
    busy.store.faults.arm("save_gateway", DiskFull("no space is left"))
    assert failure(await busy.start("d")) == "DISK_FULL"
    busy.store.faults.disarm("save_gateway")
    await busy.start("c")
    assert (await busy.record("c")).process is not None


async def test_a_restart_of_a_gateway_that_waits_starts_it_once(busy: House) -> None:
    """It waits on, for what was asked for."""
    begun = await busy.restart("c")
    assert (await busy.record("c")).detail == WAITING
    busy.agent.probes["c"] = READY
    await busy.stop("a")
    await busy.clock.advance(1)
    assert (await busy.now(begun)).state is OperationState.SUCCEEDED
    assert len(busy.backend.specs) == 3


async def test_a_gateway_that_waits_can_be_held(busy: House) -> None:
    """A rename takes it out of the line, and it stands in line again afterwards."""
    keeper = await busy.services.keepers.of((await busy.services.profiles.get(ProfileName("c"))).known)
    await keeper.hold()
    await busy.stop("a")
    assert (await busy.record("c")).process is None
    await keeper.release()
    await busy.clock.settle()
    assert (await busy.record("c")).process is not None


async def test_a_crash_of_one_gateway_waits_for_nobody(busy: House) -> None:
    """A turn is free, so its next process is there as soon as its back-off is over."""
    busy.agent.probes.update(dict.fromkeys(NAMES, READY))
    await busy.clock.advance(1)
    busy.backend.exit((await busy.process("a")).pid, ExitStatus(code=1))
    await busy.clock.settle()
    wait_s = (await busy.record("a")).next_start_at_s
    assert wait_s is not None
    await busy.clock.advance(wait_s - busy.clock.now_s())
    assert (await busy.record("a")).process is not None


async def test_a_daemon_that_ends_starts_nothing_more(busy: House) -> None:
    """What waits goes on waiting under the next one, which counts what is starting; nothing ended."""
    await busy.reopen()
    assert len(busy.backend.specs) == 2
    record = await busy.record("c")
    assert (record.detail, record.last_exit) == (WAITING, None)
    busy.agent.probes["c"] = READY
    await busy.stop("b")
    await busy.clock.advance(1)
    assert await busy.state("c") is State.RUNNING


async def test_a_daemon_that_ends_for_good_ends_the_wait_too(busy: House) -> None:
    """Nothing is started behind it; the wish stays."""
    await busy.close(drain=True)
    assert not busy.backend.alive
    await busy.open()
    assert (await busy.record("c")).gateway.wanted_up


async def test_all_who_crash_together_come_back_in_turns(busy: House) -> None:
    """The jitter of their delays alone would not keep them apart."""
    busy.agent.probes.update(dict.fromkeys(NAMES, READY))
    await busy.start("d")
    await busy.clock.advance(2)
    busy.agent.probes.update(dict.fromkeys(NAMES, SLOW))
    for process in list(busy.backend.alive):
        busy.backend.exit(process.pid, ExitStatus(signal=9))
    await busy.clock.advance(2)
    assert len(busy.backend.alive) == POLICY.starts_at_once
    busy.agent.probes.update(dict.fromkeys(NAMES, READY))
    await busy.clock.advance(1)
    assert len(busy.backend.alive) == len(NAMES)


async def test_who_watches_an_operation_is_told_of_the_wait(busy: House) -> None:
    """The start of `c` is under way and says what it waits for."""
    (waiting,) = (
        one for one in await busy.services.operations.all(profile="c", limit=1) if one.kind == "gateway.start"
    )
    assert (waiting.progress.phase, waiting.progress.detail) == ("starting", WAITING)
    assert waiting.requester == REQUESTER
