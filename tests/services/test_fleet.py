"""Many gateways at once: who is meant, what becomes of each, and who joins."""

import asyncio

import pytest

from hermesd.domain.errors import (
    ArgumentInvalid,
    ConfigInvalid,
    DiskFull,
    GatewayNotRunning,
    Incompatible,
    ProfileNotFound,
)
from hermesd.domain.fleet import NO_CHANNEL, NOT_OURS, NOT_RUNNING, Verb
from hermesd.domain.gateway import State
from hermesd.domain.health import Condition
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.process import ExitStatus, Phase, Probe
from hermesd.domain.profile import ProfileName
from hermesd.services.drains import PATIENCE_S
from hermesd.services.fleet import FleetOrder
from hermesd.services.operations import Job, Request
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

NAMES = ("a", "b", "c")
SLOW = [Probe(Phase.STARTING)]
READY = [Probe(Phase.READY)]


@pytest.fixture
async def fleet(house: House) -> House:
    """Three gateways that run; those of default and coder do not."""
    for name in NAMES:
        house.homes.add(name)
        await house.start(name)
    await house.clock.advance(100)
    return house


async def change(house: House, verb: Verb, *words: str, is_all: bool = False, **more: object) -> Operation:
    """Asks for it and lets everything happen that needs no time."""
    order = FleetOrder(verb, words, is_all=is_all, **more)  # type: ignore[arg-type]
    return await house.now(await house.services.fleet.change(order, REQUESTER))


def told(done: Operation) -> dict[str, str]:
    """What became of each: the reason of a failure, else what was done; in brackets if nothing was."""
    return {
        one.profile: one.error.reason if one.error else f"({one.summary})" if one.is_skipped else one.summary
        for one in done.results
    }


async def test_all_are_restarted_but_those_that_do_not_run(fleet: House) -> None:
    """Each that runs gets another process; the others are skipped, and say why."""
    before = {name: await fleet.process(name) for name in NAMES}
    done = await change(fleet, Verb.RESTART, is_all=True)
    assert done.state is OperationState.SUCCEEDED
    assert done.kind == "gateways.restart"
    assert told(done) == {
        **dict.fromkeys(NAMES, "ready, stopped in 0.0 s, started in 0.0 s"),
        "default": f"({NOT_RUNNING})",
        "coder": f"({NOT_RUNNING})",
    }
    assert all([await fleet.process(name) != before[name] for name in NAMES])


async def test_a_name_that_is_spelt_out_is_done_as_it_would_be_alone(fleet: House) -> None:
    """A restart starts what does not run, though a pattern that meets it too would have skipped it."""
    done = await change(fleet, Verb.RESTART, "coder", "*")
    assert told(done)["coder"] == "ready in 0.0 s"
    assert told(done)["default"] == f"({NOT_RUNNING})"


async def test_starting_and_stopping_many(fleet: House) -> None:
    """What is so already is said to be."""
    await fleet.services.gateways.enable(ProfileName("default"), is_enabled=False)
    fleet.agent.without_channels.add("c")
    await fleet.stop("b")
    await fleet.stop("c")
    done = await change(fleet, Verb.START, is_all=True)
    assert told(done) == {
        "a": "already ready",
        "b": "ready in 0.0 s",
        "c": f"({NO_CHANNEL})",
        "coder": "ready in 0.0 s",
        "default": "(disabled)",
    }
    done = await change(fleet, Verb.STOP, "a", "c", "co*", "default")
    assert told(done) == {
        "a": "stopped in 0.0 s",
        "c": "already stopped",
        "coder": "stopped in 0.0 s",
        "default": "already stopped",
    }
    assert (
        told(await change(fleet, Verb.STOP, is_all=True, excluded=("d*", "coder", "b")))["a"]
        == "(already stopped)"
    )


async def test_who_is_not_there_is_refused_before_anything_is_done(fleet: House) -> None:
    """A mistyped name gets the closest one; nobody is restarted."""
    processes = list(fleet.backend.alive)
    with pytest.raises(ProfileNotFound) as caught:
        await change(fleet, Verb.RESTART, "a", "codr")
    assert caught.value.metadata["closest"] == "coder"
    for words, excluded in ((("a", "nobody*"), ()), (("a",), ("codr",)), (("a",), ("nobody*",))):
        with pytest.raises(ProfileNotFound):
            await change(fleet, Verb.RESTART, *words, excluded=excluded)
    with pytest.raises(ArgumentInvalid):
        await change(fleet, Verb.RESTART)
    with pytest.raises(ArgumentInvalid):
        await change(fleet, Verb.RESTART, "a", excluded=("a",))
    assert list(fleet.backend.alive) == processes


async def test_one_that_fails_hinders_no_other(fleet: House) -> None:
    """Its result has the failure that the verb alone would have had, also that of its operation."""
    fleet.agent.refusals["a"] = ConfigInvalid("cannot read config.yaml")
    fleet.agent.probes["b"] = SLOW
    begun = await change(fleet, Verb.RESTART, *NAMES)
    fleet.backend.exit((await fleet.process("b")).pid, ExitStatus(code=1))
    done = await fleet.now(begun)
    assert done.state is OperationState.SUCCEEDED
    assert told(done) == {
        "a": "CONFIG_INVALID",
        "b": "GATEWAY_CRASHED",
        "c": "ready, stopped in 0.0 s, started in 0.0 s",
    }
    events = await fleet.store.events(after=0, profile="", limit=99, kinds=["operation.succeeded"])
    assert events[-1].message == "gateways.restart succeeded: 1 done, 2 failed"


async def test_what_somebody_else_started_is_let_be(fleet: House) -> None:
    """To start it fails and says whose it is; a stop of all does not mean it, one by name does."""
    fleet.agent.foreign["coder"] = 4711
    assert told(await change(fleet, Verb.START, "co*")) == {"coder": "GATEWAY_FOREIGN"}
    assert told(await change(fleet, Verb.STOP, "co*")) == {"coder": f"({NOT_OURS})"}
    assert told(await change(fleet, Verb.STOP, "coder")) == {"coder": "GATEWAY_FOREIGN"}


async def test_no_more_are_down_than_may_be(fleet: House) -> None:
    """A restart of all goes round: the next is taken down once one is ready again."""
    for name in NAMES:
        fleet.agent.probes[name] = [*SLOW * 5, *READY]
    begun = await change(fleet, Verb.RESTART, is_all=True, at_once=1)
    while (await fleet.now(begun)).state is OperationState.RUNNING:
        states = [await fleet.state(name) for name in NAMES]
        assert sum(state is not State.RUNNING for state in states) <= 1
        await fleet.clock.advance(0.1)
    done = await fleet.now(begun)
    assert [one.profile for one in done.results if not one.is_skipped] == ["a", "b", "c"]
    assert (done.progress.done, done.progress.total) == (5, 5)


async def test_those_that_come_first_are_changed_first(fleet: House) -> None:
    """As when a daemon comes up."""
    await fleet.services.gateways.enable(ProfileName("c"), is_enabled=True, start_order=-1)
    done = await change(fleet, Verb.RESTART, *NAMES, at_once=1)
    assert [one.profile for one in done.results] == ["c", "a", "b"]


async def test_identical_requests_join(fleet: House) -> None:
    """Two people restart everything at once: each gateway restarts once, and both follow one operation."""
    for name in NAMES:
        fleet.agent.probes[name] = [*SLOW * 3, *READY]
    before = len(fleet.backend.specs)
    first = await change(fleet, Verb.RESTART, is_all=True)
    second = await change(fleet, Verb.RESTART, is_all=True)
    other = await change(fleet, Verb.RESTART, *NAMES)
    assert first.id == second.id != other.id
    await fleet.clock.advance(10)
    assert (await fleet.now(other)).state is OperationState.SUCCEEDED
    assert len(fleet.backend.specs) - before == len(NAMES)


async def test_who_restarts_one_of_them_joins_too(fleet: House) -> None:
    """And its own operation tells who asked first."""
    for name in NAMES:
        fleet.agent.probes[name] = SLOW
    await change(fleet, Verb.RESTART, is_all=True)
    single = await fleet.services.gateways.restart(ProfileName("a"), "somebody else")
    assert single.requester == REQUESTER
    assert len([spec for spec in fleet.backend.specs if spec.name == "a"]) == 2


async def test_a_caller_that_goes_away_changes_nothing(fleet: House) -> None:
    """At whatever moment: what was accepted is done, and nothing that was not seems to run."""
    for rounds in range(12):
        call = asyncio.create_task(fleet.services.fleet.change(FleetOrder(Verb.RESTART, is_all=True), REQUESTER))
        for _ in range(rounds):
            await asyncio.sleep(0)
        call.cancel()
        await fleet.clock.advance(1)
        found = await fleet.services.operations.all(profile="", limit=100)
        assert all(one.state is OperationState.SUCCEEDED for one in found)
        assert {await fleet.state(name) for name in NAMES} == {State.RUNNING}


async def test_a_cancelled_operation_finishes_what_it_is_at(fleet: House) -> None:
    """Nobody is left half restarted; whoever was not begun with stays as it was."""
    for name in NAMES:
        fleet.agent.probes[name] = SLOW
    begun = await change(fleet, Verb.RESTART, *NAMES, at_once=1)
    await fleet.services.operations.cancel(begun.id)
    fleet.agent.probes["a"] = READY
    await fleet.clock.advance(1)
    ended = await fleet.now(begun)
    assert failure(ended) == "CANCELLED"
    assert list(told(ended)) == ["a"]
    assert len(fleet.backend.specs) == len(NAMES) + 1


async def test_a_profile_that_goes_meanwhile_is_a_failure_of_its_own(fleet: House) -> None:
    """The rest goes on."""
    fleet.agent.probes["a"] = [*SLOW * 3, *READY]
    begun = await change(fleet, Verb.RESTART, *NAMES, at_once=1)
    fleet.homes.drop("b")
    await fleet.clock.advance(5)
    assert told(await fleet.now(begun))["b"] == "PROFILE_NOT_FOUND"


async def test_a_profile_that_is_being_changed_is_refused_alone(fleet: House) -> None:
    """By name, as the single verb would be."""
    hold = asyncio.Event()

    async def work(_: Job) -> None:
        await hold.wait()

    await fleet.services.operations.start(Request("profile.delete", "b", is_exclusive=True), REQUESTER, work)
    assert told(await change(fleet, Verb.RESTART, *NAMES))["b"] == "PROFILE_BUSY"
    hold.set()


async def test_warnings_of_each_say_whose_they_are(fleet: House) -> None:
    """One that nothing can reach is started where it is spelt out, and warned of."""
    fleet.agent.without_channels.add("coder")
    done = await change(fleet, Verb.START, "coder", "a")
    assert done.warnings == (f"coder: {NO_CHANNEL}",)


async def test_a_full_disk_does_not_hinder_it(fleet: House) -> None:
    """How far it has come cannot be kept, which only matters to the next daemon."""
    fleet.agent.probes["a"] = [*SLOW * 3, *READY]
    begun = await change(fleet, Verb.STOP, "a", "coder")
    fleet.store.faults.arm("save_operation", DiskFull("no space is left"))
    await fleet.clock.advance(5)
    fleet.store.faults.disarm("save_operation")
    assert set(told(await fleet.now(begun))) == {"a", "coder"}


async def test_a_drain_is_done_when_the_agent_says_so(fleet: House) -> None:
    """It goes on running; taking it back works alike."""
    process = await fleet.process("a")
    name = ProfileName("a")
    fleet.agent.deaf.add("a")
    begun = await fleet.services.gateways.drain(name, REQUESTER, is_wanted=True)
    await fleet.clock.advance(2)
    assert (await fleet.now(begun)).state is OperationState.RUNNING
    fleet.agent.deaf.clear()
    await fleet.clock.advance(1)
    assert (await fleet.now(begun)).state is OperationState.SUCCEEDED
    view = await fleet.services.views.get(name)
    assert view.health is not None
    assert view.health.condition is Condition.DRAINING
    back = await fleet.services.gateways.drain(name, REQUESTER, is_wanted=False)
    assert (await fleet.now(back)).state is OperationState.SUCCEEDED
    assert fleet.agent.drained["a"] is False
    assert await fleet.process("a") == process


async def test_a_drain_that_is_not_heard_fails_in_time(fleet: House) -> None:
    """It says what to look at, and nothing is ended for it."""
    fleet.agent.deaf.add("a")
    begun = await fleet.services.gateways.drain(ProfileName("a"), REQUESTER, is_wanted=True)
    await fleet.clock.advance(PATIENCE_S + 1)
    assert failure(await fleet.now(begun)) == "GATEWAY_NOT_READY"
    assert await fleet.state("a") is State.RUNNING


async def test_only_what_runs_can_drain(fleet: House) -> None:
    """One that ends meanwhile is told as well."""
    with pytest.raises(GatewayNotRunning):
        await fleet.services.gateways.drain(ProfileName("coder"), REQUESTER, is_wanted=True)
    fleet.agent.deaf.add("a")
    begun = await fleet.services.gateways.drain(ProfileName("a"), REQUESTER, is_wanted=True)
    await fleet.clock.settle()
    fleet.backend.exit((await fleet.process("a")).pid, ExitStatus(code=1))
    await fleet.clock.advance(1)
    assert failure(await fleet.now(begun)) == "GATEWAY_NOT_RUNNING"


async def test_many_are_drained_at_once(fleet: House) -> None:
    """What does not run is skipped; what cannot drain is a failure of its own."""
    fleet.agent.drain_refusals["b"] = Incompatible("it cannot drain")
    done = await change(fleet, Verb.DRAIN, is_all=True)
    assert told(done) == {
        "a": "draining",
        "b": "INCOMPATIBLE",
        "c": "draining",
        "coder": f"({NOT_RUNNING})",
        "default": f"({NOT_RUNNING})",
    }
    assert told(await change(fleet, Verb.UNDRAIN, "a", "c")) == dict.fromkeys("ac", "takes turns")


@pytest.mark.parametrize("verb", ["start", "restart"])
async def test_who_starts_a_gateway_wants_it_to_take_turns(fleet: House, verb: str) -> None:
    """A drain ends with a start, of one that runs or not, and with a restart; also where none is possible."""
    fleet.agent.drain_refusals["b"] = Incompatible("it cannot drain")
    await change(fleet, Verb.DRAIN, "a", "c")
    await fleet.stop("c")
    for name in NAMES:
        done = await getattr(fleet, verb)(name)
        assert (done.state, done.warnings) == (OperationState.SUCCEEDED, ())
    assert fleet.agent.drained == dict.fromkeys(NAMES, False)


async def test_a_crash_ends_no_drain(fleet: House) -> None:
    """A person asked for it, and nobody has asked for anything else since."""
    await change(fleet, Verb.DRAIN, "a", "b")
    fleet.backend.exit((await fleet.process("a")).pid, ExitStatus(code=1))
    await fleet.clock.advance(2)
    assert await fleet.state("a") is State.RUNNING
    assert fleet.agent.drained["a"]


async def test_a_gateway_that_drains_can_be_renamed_and_deleted(fleet: House) -> None:
    """As one that does not."""
    await change(fleet, Verb.DRAIN, "a", "b")
    renamed = await fleet.services.renames.rename(ProfileName("a"), ProfileName("z"), REQUESTER)
    deleted = await fleet.services.profiles.delete(ProfileName("b"), purge=False, requester=REQUESTER)
    for begun in (renamed, deleted):
        assert (await fleet.now(begun)).state is OperationState.SUCCEEDED
    assert await fleet.state("z") is State.RUNNING
