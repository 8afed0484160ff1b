"""Starting, stopping and keeping gateways: what people are told and what is remembered."""

import asyncio
from dataclasses import replace

import pytest

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.errors import (
    ConfigInvalid,
    DiskFull,
    GatewayForeign,
    HermesError,
    PortInUse,
    ProfileNotFound,
    RuntimeMissing,
)
from hermesd.domain.gateway import Event, State
from hermesd.domain.operation import OperationState
from hermesd.domain.process import ExitCause, ExitStatus, Foreign, Phase, Probe, Sign
from hermesd.domain.profile import ProfileName
from hermesd.services.keepers import CHECK_S
from hermesd.services.operations import Request
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]


async def test_a_start_succeeds_when_the_agent_is_ready(house: House) -> None:
    """The operation ends only once the agent says so, and the process is recorded."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    begun = await house.start("coder")
    assert begun.state is OperationState.RUNNING
    house.agent.probes["coder"] = [Probe(Phase.READY)]
    await house.clock.advance(1.0)
    assert (await house.now(begun)).state is OperationState.SUCCEEDED
    assert await house.state("coder") is State.RUNNING
    assert (await house.process("coder")) in house.backend.alive


async def test_the_child_gets_the_written_out_environment_and_nothing_else(house: House) -> None:
    """A gateway's environment is the allow-list and what the agent adds."""
    await house.start("coder")
    (spec,) = house.backend.specs
    assert set(spec.environment) == {"HOME", "PATH", "HERMES_HOME"}
    assert spec.argv[1:3] == ("-p", "coder")
    assert str(spec.working_directory) == "/home/ana"


async def test_the_wish_is_recorded_before_the_process_exists(house: House) -> None:
    """At the moment of the spawn the store already knows the wish and the spawn id."""
    seen = []
    start = house.backend.start

    async def watching(spec):  # type: ignore[no-untyped-def]
        seen.extend(await house.store.gateways())
        return await start(spec)

    house.backend.start = watching  # type: ignore[method-assign]
    await house.start("coder")
    (record,) = seen
    assert record.gateway.wanted_up
    assert record.spawn_id == house.backend.specs[0].spawn_id
    assert record.process is None


async def test_a_second_start_changes_nothing(house: House) -> None:
    """A gateway that is ready already is a success without a second process."""
    await house.start("coder")
    again = await house.start("coder")
    assert again.state is OperationState.SUCCEEDED
    assert len(house.backend.specs) == 1


async def test_identical_requests_join(house: House) -> None:
    """Two callers that ask for the same start follow one operation."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    first = await house.start("coder")
    second = await house.start("coder")
    assert first.id == second.id


@pytest.mark.parametrize(
    "refusal",
    [ConfigInvalid("cannot read config.yaml"), PortInUse("port 8643 is in use", port="8643")],
    ids=["config", "port"],
)
async def test_a_start_that_cannot_succeed_is_refused_with_nothing_written(
    house: House, refusal: HermesError
) -> None:
    """An unreadable configuration or a taken port leaves the wish as it was and starts no process."""
    house.agent.refusals["coder"] = refusal
    with pytest.raises(type(refusal)):
        await house.start("coder")
    assert house.backend.specs == []
    assert not (await house.record("coder")).gateway.wanted_up


async def test_a_start_without_a_runtime_names_the_command_that_installs_one() -> None:
    """RUNTIME_MISSING comes with a runnable fix, and nothing is written."""
    house = House()
    await house.open()
    house.homes.add("coder")
    with pytest.raises(RuntimeMissing) as caught:
        await house.start("coder")
    assert caught.value.metadata["fix"] == "hermesctl runtime install"
    assert await house.store.gateways() == []
    await house.close()


async def test_an_unknown_profile_names_the_closest_one(house: House) -> None:
    """A mistyped name is answered with the name that was meant."""
    with pytest.raises(ProfileNotFound) as caught:
        await house.start("codr")
    assert caught.value.metadata["closest"] == "coder"


FOREIGN = Foreign(
    4711,
    owner="ana",
    started_at_s=1_700_000_000.0,
    unit="bot.service",
    tty="/dev/pts/3",
    resolution="systemctl --user stop bot.service",
)


async def test_a_foreign_gateway_blocks_a_start_and_is_never_signalled(house: House) -> None:
    """What somebody else started is named and left alone; start and stop are refused."""
    house.agent.foreign["coder"] = FOREIGN
    for command in (house.start, house.stop, house.restart):
        with pytest.raises(GatewayForeign) as caught:
            await command("coder")
        assert caught.value.metadata["pid"] == "4711"
        assert caught.value.metadata["fix"].splitlines()[0] == FOREIGN.resolution
    view = await house.services.views.get(ProfileName("coder"))
    assert (view.foreign, view.foreign_pid) == (FOREIGN, 4711)
    assert not view.record.gateway.wanted_up
    assert house.backend.specs == []
    assert house.backend.terminated == house.backend.killed == []


async def test_the_refusal_says_whose_it_is_and_what_to_run(house: House) -> None:
    """What ends it where it was started, then what was asked for."""
    house.agent.foreign["coder"] = FOREIGN
    with pytest.raises(GatewayForeign) as caught:
        await house.start("coder")
    assert caught.value.message == (
        "cannot start gateway 'coder': hermesd did not start the one that runs: "
        "pid 4711 of ana, since 2023-11-14 22:13 UTC, kept by bot.service, on /dev/pts/3"
    )
    assert caught.value.metadata == {
        "hint": "it is never signalled by hermesd",
        "fix": "systemctl --user stop bot.service\nhermesctl gateway start coder",
        "profile": "coder",
        "pid": "4711",
        "owner": "ana",
        "started_at": "2023-11-14T22:13:20+00:00",
        "unit": "bot.service",
        "tty": "/dev/pts/3",
    }


async def test_a_foreign_gateway_that_comes_between_is_waited_for(house: House) -> None:
    """A restart by itself meets it, backs off with the reason, and starts once it is gone."""
    await house.start("coder")
    house.agent.foreign["coder"] = replace(FOREIGN, owner="", started_at_s=None, unit="", tty="", is_proven=False)
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.advance(5)
    record = await house.record("coder")
    assert record.gateway.state is State.BACKOFF
    assert "pid 4711, as its record says" in record.detail
    assert len(house.backend.specs) == 1
    del house.agent.foreign["coder"]
    await house.clock.advance(60)
    assert await house.state("coder") is State.RUNNING


async def test_a_crash_before_ready_is_told_with_its_exit_code(house: House) -> None:
    """The operation fails with the exit, and the gateway is tried again by itself."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    begun = await house.start("coder")
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    ended = await house.now(begun)
    assert failure(ended) == "GATEWAY_CRASHED"
    assert ended.error is not None
    assert "exit code 1" in ended.error.metadata["why"]
    assert await house.state("coder") is State.BACKOFF
    await house.clock.advance(1.3)
    assert len(house.backend.specs) == 2


async def test_exit_78_waits_for_a_person(house: House) -> None:
    """A refused configuration is not tried again, and its reason is told."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    begun = await house.start("coder")
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=78))
    assert failure(await house.now(begun)) == "GATEWAY_MISCONFIGURED"
    await house.clock.advance(86_400)
    assert len(house.backend.specs) == 1
    assert await house.state("coder") is State.FAILED


async def test_a_start_that_misses_its_limit_is_ended_and_told(house: House) -> None:
    """After the start limit the process is terminated, and the operation says that it was not ready."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING, "connecting to telegram")]
    begun = await house.start("coder")
    await house.clock.advance(181)
    assert failure(await house.now(begun)) == "GATEWAY_NOT_READY"
    assert len(house.backend.terminated) == 1
    last_exit = (await house.record("coder")).last_exit
    assert last_exit is not None
    assert last_exit.cause is ExitCause.START_TIMEOUT
    assert last_exit.detail == "connecting to telegram"


async def test_a_part_that_does_not_work_degrades_the_gateway_and_keeps_it(house: House) -> None:
    """After a while an agent that is up in part counts as started, with a warning, until it recovers."""
    silence = Sign("api_server", is_well=False, word="silent", detail="no answer")
    house.agent.probes["coder"] = [Probe(Phase.DEGRADED, "api_server: no answer", (silence,))]
    begun = await house.start("coder")
    await house.clock.advance(21)
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    assert done.warnings == ("up, but degraded: api_server: no answer",)
    assert (await house.health("coder")).detail == "api_server: no answer"
    house.agent.probes["coder"] = [Probe(Phase.READY, signs=(replace(silence, is_well=True, word="answers"),))]
    await house.clock.advance(31)
    assert (await house.health("coder")).detail == ""


async def test_each_start_is_prepared_and_made_even_if_it_cannot_be(house: House) -> None:
    """A full disk must not silence a bot whose agent would start as it is."""
    house.agent.preparing_refusal = DiskFull("no space left")
    assert (await house.start("coder")).state is OperationState.SUCCEEDED
    house.agent.preparing_refusal = None
    await house.restart("coder")
    assert house.agent.prepared == ["coder", "coder"]


async def test_a_stop_is_announced_and_ends_with_the_process(house: House) -> None:
    """The planned stop is announced before SIGTERM; the operation ends once the process is gone."""
    await house.start("coder")
    process = await house.process("coder")
    done = await house.stop("coder")
    assert done.state is OperationState.SUCCEEDED
    assert house.agent.announced == [("coder", process)]
    assert house.backend.terminated == [process.pid]
    record = await house.record("coder")
    assert record.gateway.state is State.STOPPED
    assert record.last_exit is not None
    assert record.last_exit.cause is ExitCause.STOPPED


async def test_a_stop_of_a_stopped_gateway_succeeds(house: House) -> None:
    """Nothing to stop is no failure."""
    assert (await house.stop("coder")).state is OperationState.SUCCEEDED


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(house: House) -> None:
    """SIGKILL comes only after grace, and the stop succeeds then."""
    await house.start("coder")
    house.backend.ends_on_terminate = None
    begun = await house.stop("coder")
    await house.clock.advance(29)
    assert house.backend.killed == []
    await house.clock.advance(2)
    assert len(house.backend.killed) == 1
    assert (await house.now(begun)).state is OperationState.SUCCEEDED


async def test_the_profiles_own_time_to_finish_turns_comes_on_top_of_the_grace(house: House) -> None:
    """Or a supervisor kills, in the middle of a turn, what was told that it may finish it."""
    house.agent.known_facts["coder"] = ProfileFacts(drain_s=100.0)
    await house.start("coder")
    house.backend.ends_on_terminate = None
    begun = await house.stop("coder")
    await house.clock.advance(129)
    assert house.backend.killed == []
    await house.clock.advance(2)
    assert len(house.backend.killed) == 1
    assert (await house.now(begun)).state is OperationState.SUCCEEDED


async def test_a_process_that_survives_sigkill_is_told_as_stuck(house: House) -> None:
    """The stop ends with GATEWAY_STUCK while the machine goes on trying."""
    await house.start("coder")
    house.backend.ends_on_terminate = house.backend.ends_on_kill = None
    begun = await house.stop("coder")
    await house.clock.advance(120)
    assert failure(await house.now(begun)) == "GATEWAY_STUCK"
    assert await house.state("coder") is State.KILLING


async def test_a_stop_supersedes_a_start(house: House) -> None:
    """Stop outranks: the start that is under way ends as cancelled, and nothing runs."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    starting = await house.start("coder")
    assert (await house.stop("coder")).state is OperationState.SUCCEEDED
    assert failure(await house.now(starting)) == "CANCELLED"
    assert list(house.backend.alive) == []


async def test_a_stop_ends_the_waiting_for_a_retry(house: House) -> None:
    """A gateway in back-off stays down once it is told to."""
    await house.start("coder")
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.settle()
    await house.stop("coder")
    await house.clock.advance(3600)
    assert len(house.backend.specs) == 1


async def test_a_restart_replaces_the_process(house: House) -> None:
    """The restart succeeds with another process, after the first one is gone."""
    await house.start("coder")
    first = await house.process("coder")
    done = await house.restart("coder")
    assert done.state is OperationState.SUCCEEDED
    second = await house.process("coder")
    assert second != first
    assert list(house.backend.alive) == [second]
    assert (await house.record("coder")).restarts == 0


async def test_a_restart_waits_for_the_old_process(house: House) -> None:
    """While the old process takes its time, the restart is not done and no second process exists."""
    await house.start("coder")
    house.backend.ends_on_terminate = None
    begun = await house.restart("coder")
    assert begun.state is OperationState.RUNNING
    assert len(house.backend.specs) == 1
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=0))
    assert (await house.now(begun)).state is OperationState.SUCCEEDED


async def test_exit_75_of_a_stable_gateway_starts_it_again_at_once(house: House) -> None:
    """An agent that asks for a restart gets it without delay."""
    await house.start("coder")
    await house.clock.advance(61)
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=75))
    await house.clock.settle()
    assert await house.state("coder") is State.RUNNING
    assert len(house.backend.specs) == 2
    assert (await house.record("coder")).restarts == 1


async def test_leftovers_of_a_tree_are_cleared_before_the_next_start(house: House) -> None:
    """A descendant that lives on is ended before the gateway is started again."""
    house.backend.leaves_tree = True
    await house.start("coder")
    spawn_id = (await house.process("coder")).spawn_id
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.advance(1.3)
    assert house.backend.cleared == [spawn_id]
    assert await house.state("coder") is State.RUNNING


async def test_a_wish_that_cannot_be_recorded_changes_nothing(house: House) -> None:
    """On a full disk a start fails with DISK_FULL; no process is made, and it works once there is room."""
    house.store.faults.arm("save_gateway", DiskFull("no space left"))
    begun = await house.start("coder")
    assert failure(begun) == "DISK_FULL"
    assert house.backend.specs == []
    house.store.faults.disarm("save_gateway")
    assert (await house.start("coder")).state is OperationState.SUCCEEDED


async def test_a_full_disk_does_not_silence_a_running_gateway(house: House) -> None:
    """A crash that cannot be recorded is still answered with a restart."""
    await house.start("coder")
    house.store.faults.arm("save_gateway", DiskFull("no space left"))
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.advance(2)
    assert await house.state("coder") is State.RUNNING


async def test_a_failed_spawn_is_tried_again(house: House) -> None:
    """A start that the system refuses for now backs off and heals by itself."""
    house.backend.refuse_next(DiskFull("no space for the log"))
    begun = await house.start("coder")
    assert failure(begun) == "DISK_FULL"
    assert await house.state("coder") is State.BACKOFF
    await house.clock.advance(1.3)
    assert await house.state("coder") is State.RUNNING


async def test_a_port_taken_meanwhile_is_tried_every_five_minutes(house: House) -> None:
    """A bot whose port a stranger took slows down and comes back when the port is free."""
    await house.start("coder")
    house.agent.refusals["coder"] = PortInUse("port 8643 is in use", port="8643")
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.advance(2)
    record = await house.record("coder")
    assert record.gateway.state is State.BACKOFF
    assert record.detail == "port 8643 is in use"
    del house.agent.refusals["coder"]
    await house.clock.advance(290)
    assert await house.state("coder") is State.BACKOFF
    await house.clock.advance(100)
    assert await house.state("coder") is State.RUNNING


async def test_without_its_home_a_gateway_is_not_started_again(house: House) -> None:
    """When another program removes a profile. What was wanted stays written, should the home come back."""
    await house.start("coder")
    pid = (await house.process("coder")).pid
    house.homes.drop("coder")
    house.backend.exit(pid, ExitStatus(code=1))
    await house.clock.advance(3600)
    assert len(house.backend.specs) == 1
    (record,) = await house.store.gateways()
    assert (record.gateway.state, record.gateway.wanted_up) == (State.BACKOFF, True)


async def test_a_gateway_whose_home_is_removed_under_it_is_ended(house: House) -> None:
    """A gateway without a home would go on writing into whatever comes to lie there."""
    await house.start("coder")
    house.homes.drop("coder")
    await house.clock.advance(2 * CHECK_S)
    assert list(house.backend.alive) == []
    assert len(house.backend.terminated) == 1
    (record,) = await house.store.gateways()
    assert (record.process, record.gateway.wanted_up) == (None, True)
    ends = await house.store.events(after=0, profile="coder", limit=10, kinds=["gateway.exited"])
    assert ends[0].facts["detail"] == "its home was removed or replaced"


async def test_a_file_system_without_any_home_ends_nothing(house: House) -> None:
    """What is not mounted now may be mounted soon."""
    await house.start("coder")
    house.homes.drop("coder")
    house.homes.drop("default")
    await house.clock.advance(2 * CHECK_S)
    assert len(house.backend.alive) == 1


async def test_what_gateways_share_is_refreshed_while_they_run(house: House) -> None:
    """Now and then, for whatever a site manages may change meanwhile."""
    await house.start("coder")
    before = house.agent.refreshes
    await house.clock.advance(CHECK_S)
    assert house.agent.refreshes == before + 1


async def test_a_new_home_waits_for_the_end_of_the_old_ones_gateway(house: House) -> None:
    """Two processes in one directory, one for a profile that is gone, would be two of the same name."""
    house.backend.ends_on_terminate = None
    await house.start("coder")
    house.homes.drop("coder")
    house.homes.add("coder")
    with pytest.raises(HermesError) as caught:
        await house.start("coder")
    assert caught.value.reason == "PROFILE_BUSY"
    await house.clock.advance(31)
    assert list(house.backend.alive) == []
    await house.start("coder")
    assert await house.state("coder") is State.RUNNING


async def test_a_home_renamed_beside_a_new_one_keeps_its_gateway(house: House) -> None:
    """A new profile of the old name starts beside the renamed one, which is somebody else by now."""
    await house.start("coder")
    renamed = await house.process("coder")
    house.homes.rename("coder", "writer")
    house.homes.add("coder")
    await house.start("coder")
    assert await house.state("coder") is State.RUNNING
    assert renamed in house.backend.alive
    assert await house.process("writer") == renamed


async def test_what_a_caller_was_told_is_recorded(house: House) -> None:
    """When a command returns, its wish would survive the daemon."""
    name = ProfileName("coder")
    for ask, is_wanted in ((house.services.gateways.start, True), (house.services.gateways.stop, False)):
        await ask(name, REQUESTER)
        (record,) = await house.store.gateways()
        assert record.gateway.wanted_up is is_wanted


async def test_a_command_takes_effect_although_its_sender_is_gone(house: House) -> None:
    """A wish that is recorded is followed: a record of a start with no process would be the worst of both."""
    keeper = await house.services.keepers.of((await house.services.profiles.get(ProfileName("coder"))).known)
    sender = asyncio.create_task(keeper.command(Event.START))
    await asyncio.sleep(0)
    sender.cancel()
    await house.clock.settle()
    assert sender.cancelled()
    assert await house.state("coder") is State.RUNNING


async def test_nothing_is_started_while_a_profile_is_being_changed(house: House) -> None:
    """A start during a deletion is refused by name."""
    request = Request("profile.delete", "coder", is_exclusive=True)
    await house.services.operations.start(request, REQUESTER, lambda _: house.clock.sleep_s(1e9))
    with pytest.raises(HermesError) as caught:
        await house.start("coder")
    assert caught.value.reason == "PROFILE_BUSY"


async def test_the_tenth_failure_in_a_row_is_announced_once(house: House) -> None:
    """Ten crashes make one alert, and the gateway is still tried, rarely."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    await house.start("coder")
    for _ in range(12):
        house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
        await house.clock.settle()
        while await house.state("coder") is State.BACKOFF:
            await house.clock.advance(30)
    events = await house.services.events.recent(profile="coder", limit=10_000)
    assert [event.kind for event in events].count("gateway.alert") == 1


async def test_the_log_can_be_read_and_is_bounded(house: House) -> None:
    """The last lines come back in order; an absurd number of lines is refused."""
    profile_id = (await house.record("coder")).profile_id
    house.logs.write(profile_id, "one\ntwo\nthree\n")
    read = house.services.views.read_log
    assert [line async for line in read(ProfileName("coder"), lines=2, follow=False)] == ["two", "three"]
    with pytest.raises(HermesError) as caught:
        _ = [line async for line in read(ProfileName("coder"), lines=100_001, follow=False)]
    assert caught.value.reason == "ARGUMENT_INVALID"
