"""Renaming: what follows a profile to its new name, in each state of its gateway and across a daemon's death."""

import json

import pytest

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.creation import NewProfile
from hermesd.domain.errors import ConfigInvalid, DiskFull, GatewayForeign, HermesError, NotPermitted
from hermesd.domain.gateway import State
from hermesd.domain.limits import Limit
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.process import ExitStatus, Phase, Probe
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.domain.usage import Leftover
from hermesd.services.terminals import Caller
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, WRITER = ProfileName("coder"), ProfileName("writer")


async def rename(house: House, before: str = "coder", after: str = "writer") -> Operation:
    """Asks for a rename and lets everything happen."""
    begun = await house.services.renames.rename(ProfileName(before), ProfileName(after), REQUESTER)
    return await house.now(begun)


async def refused(house: House, before: str = "coder", after: str = "writer") -> str:
    """The reason with which a rename is refused."""
    with pytest.raises(HermesError) as caught:
        await rename(house, before, after)
    return caught.value.reason


def names(house: House) -> list[str]:
    """What the profiles are called."""
    return [home.name.text for home in house.homes.scan()]


def calls(house: House) -> dict[str, str]:
    """The profile that each alias calls."""
    return {alias.name: alias.profile.text for alias in house.aliases.scan()}


async def test_a_profile_at_rest_is_renamed(house: House) -> None:
    """It is the same profile: its id stays, nothing is started, and the agent is told."""
    before = await house.services.profiles.get(CODER)
    done = await rename(house)
    assert (done.state, done.warnings) == (OperationState.SUCCEEDED, ())
    after = await house.services.profiles.get(WRITER)
    assert after.known.id == before.known.id
    assert names(house) == ["default", "writer"]
    assert house.agent.renamed == [("coder", "writer")]
    assert await house.state("writer") is State.STOPPED
    (told,) = await house.store.events(after=0, profile="writer", limit=9, kinds=["profile.renamed"])
    assert told.facts["before"] == "coder"


async def test_a_gateway_that_runs_is_ready_again_under_the_new_name(house: House) -> None:
    """It was drained, moved and started once; it is wanted as before, and what it wrote is where it was."""
    await house.start("coder")
    first, record = await house.process("coder"), await house.record("coder")
    done = await rename(house)
    assert (done.state, done.warnings) == (OperationState.SUCCEEDED, ())
    again = await house.record("writer")
    assert (again.gateway.state, again.gateway.wanted_up) == (State.RUNNING, True)
    assert again.profile_id == record.profile_id
    assert again.home is not None
    assert again.home.path.name == "writer"
    process = await house.process("writer")
    assert process.pid != first.pid
    assert list(house.backend.alive) == [process]
    assert len(house.backend.specs) == len(again.starts_s) == 2
    assert house.agent.announced[0][0] == "coder"


async def test_it_survives_and_is_kept_after_a_rename(house: House) -> None:
    """A crash under the new name leads to a restart, as ever."""
    await house.start("coder")
    await rename(house)
    house.backend.exit((await house.process("writer")).pid, ExitStatus(code=1))
    await house.clock.settle()
    assert await house.state("writer") is State.BACKOFF
    await house.clock.advance(5.0)
    assert await house.state("writer") is State.RUNNING


async def test_a_gateway_that_waits_for_its_next_start_waits_on(house: House) -> None:
    """It is neither started at once nor forgotten."""
    await house.start("coder")
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.settle()
    before = await house.record("coder")
    await rename(house)
    after = await house.record("writer")
    assert (after.gateway, after.next_start_at_s) == (before.gateway, before.next_start_at_s)
    await house.clock.advance(5.0)
    assert await house.state("writer") is State.RUNNING


async def test_a_gateway_that_failed_still_waits_for_a_person(house: House) -> None:
    """A rename is no start."""
    await house.start("coder")
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=78))
    await house.clock.settle()
    await rename(house)
    assert await house.state("writer") is State.FAILED


async def test_a_disabled_gateway_that_runs_comes_back(house: House) -> None:
    """Disabled means: not with the daemon. It ran, so it runs."""
    await house.start("coder")
    await house.services.gateways.enable(CODER, is_enabled=False)
    await rename(house)
    record = await house.record("writer")
    assert (record.gateway.state, record.is_enabled) == (State.RUNNING, False)


async def test_a_gateway_that_does_not_come_back_is_told(house: House) -> None:
    """The rename is done all the same, and the gateway is kept trying."""
    await house.start("coder")
    house.agent.probes["writer"] = [Probe(Phase.STARTING)]
    begun = await house.services.renames.rename(CODER, WRITER, REQUESTER)
    await house.clock.settle()
    house.backend.exit((await house.process("writer")).pid, ExitStatus(code=1))
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    assert "hermesctl gateway why writer" in done.warnings[0]
    assert (await house.record("writer")).gateway.wanted_up


async def test_what_was_asked_for_while_it_is_held_is_refused_and_nobody_waits(house: House) -> None:
    """Start, stop and another change name the rename; both names are spoken for."""
    await house.start("coder")
    house.agent.probes["writer"] = [Probe(Phase.STARTING)]
    begun = await house.services.renames.rename(CODER, WRITER, REQUESTER)
    await house.clock.settle()
    for work in (
        house.services.gateways.stop(WRITER, REQUESTER),
        house.services.creations.create(NewProfile(CODER), REQUESTER),
        house.services.profiles.delete(WRITER, purge=True, requester=REQUESTER),
    ):
        with pytest.raises(HermesError) as caught:
            await work
        assert caught.value.reason == "PROFILE_BUSY"
    again = await house.services.renames.rename(CODER, WRITER, "somebody else")
    assert again.id == begun.id


async def test_a_gateway_that_cannot_be_ended_stays_where_it_is(house: House) -> None:
    """GATEWAY_STUCK: the home is not taken from under a process, and it is kept as before."""
    await house.start("coder")
    house.backend.ends_on_terminate = house.backend.ends_on_kill = None
    begun = await house.services.renames.rename(CODER, WRITER, REQUESTER)
    await house.clock.advance(200.0)
    assert failure(await house.now(begun)) == "GATEWAY_STUCK"
    assert names(house) == ["default", "coder"]
    assert await house.state("coder") is State.RUNNING


async def test_a_gateway_that_leaves_something_behind_is_started_where_it_was(house: House) -> None:
    """Once what it left is gone; until then it tries, as after any end."""
    await house.start("coder")
    house.backend.is_stuck = True
    assert failure(await rename(house)) == "GATEWAY_STUCK"
    assert names(house) == ["default", "coder"]
    house.backend.is_stuck = False
    await house.clock.advance(10.0)
    assert await house.state("coder") is State.RUNNING


async def test_turns_are_finished_before_the_home_moves(house: House) -> None:
    """In the profile's own time for it, and the grace on top."""
    house.agent.known_facts["coder"] = ProfileFacts(drain_s=100.0)
    await house.start("coder")
    house.backend.ends_on_terminate = None
    begun = await house.services.renames.rename(CODER, WRITER, REQUESTER)
    await house.clock.advance(129)
    assert (house.backend.killed, names(house)) == ([], ["default", "coder"])
    await house.clock.advance(2)
    assert (len(house.backend.killed), names(house)) == (1, ["default", "writer"])
    assert (await house.now(begun)).state is OperationState.SUCCEEDED


@pytest.mark.parametrize("error", [DiskFull("no space left"), NotPermitted("not permitted")])
async def test_a_move_that_fails_leaves_everything_as_it_was(house: House, error: HermesError) -> None:
    """The gateway is ready again under its old name."""
    await house.services.profiles.use(CODER)
    await house.start("coder")
    house.homes.faults.arm("move", error)
    assert failure(await rename(house)) == error.reason
    assert names(house) == ["default", "coder"]
    assert await house.state("coder") is State.RUNNING
    assert house.homes.sticky_text == "coder\n"


async def test_a_foreign_gateway_is_in_the_way(house: House) -> None:
    """Data is not moved from under a process that is not ours to stop."""
    house.agent.foreign["coder"] = 4711
    assert failure(await rename(house)) == GatewayForeign.reason
    assert names(house) == ["default", "coder"]


async def test_a_gateway_that_could_not_start_again_is_not_taken_down(house: House) -> None:
    """It runs on what it read when it started; at rest it can be renamed."""
    await house.start("coder")
    first = await house.process("coder")
    house.agent.refusals["coder"] = ConfigInvalid("config.yaml is damaged")
    assert await refused(house) == "CONFIG_INVALID"
    assert list(house.backend.alive) == [first]
    await house.stop("coder")
    assert (await rename(house)).state is OperationState.SUCCEEDED


async def test_names_are_checked_before_anything_happens(house: House) -> None:
    """Unknown, taken, its own, and the default profile's."""
    house.homes.add("editor")
    assert await refused(house, "ghost") == "PROFILE_NOT_FOUND"
    assert await refused(house, "coder", "editor") == "PROFILE_EXISTS"
    assert await refused(house, "coder", "coder") == "PROFILE_EXISTS"
    assert await refused(house, "default") == "PROFILE_NAME_INVALID"
    assert names(house) == ["default", "coder", "editor"]


async def test_aliases_follow(house: House) -> None:
    """The one called after the profile is renamed, others keep their names; none calls the old name."""
    for name, profile in (("coder", CODER), ("bot", CODER), ("other", ProfileName("other"))):
        house.aliases.create(name, profile)
    await rename(house)
    assert calls(house) == {"bot": "writer", "other": "other", "writer": "writer"}


async def test_no_alias_is_made_for_a_profile_that_had_none(house: House) -> None:
    """Somebody did not want one."""
    await rename(house)
    assert calls(house) == {}


async def test_a_taken_alias_is_a_warning(house: House) -> None:
    """The old one goes all the same: it would call nobody."""
    house.aliases.create("coder", CODER)
    house.aliases.foreign.add("writer")
    done = await rename(house)
    assert done.state is OperationState.SUCCEEDED
    assert "use hermesctl -p writer" in done.warnings[0]
    assert calls(house) == {}


async def test_an_alias_that_is_not_ours_is_told(house: House) -> None:
    """hermes-agent's file stays as it is; in place of one called after the profile there is one of ours."""
    for name in ("bot", "coder"):
        house.aliases.add_upstream(name, "coder")
    done = await rename(house)
    assert done.warnings == tuple(
        f"/nowhere/.local/bin/{name} is not ours to change and still calls 'coder'" for name in ("bot", "coder")
    )
    assert calls(house) == {"bot": "coder", "coder": "coder", "writer": "writer"}


async def test_the_sticky_default_follows(house: House) -> None:
    """And so does the way back."""
    await house.services.profiles.use(CODER)
    await rename(house)
    assert house.homes.sticky_text == "writer\n"
    await house.services.profiles.use(ProfileName("default"))
    await rename(house, "writer", "coder")
    assert await house.services.profiles.use_previous() == (ProfileName("default"), CODER)


async def test_what_cannot_follow_is_told_and_hinders_nothing(house: House) -> None:
    """A full disk after the move leaves a profile with its new name, and a list of what is left to do."""
    house.homes.faults.arm("rename_sticky_default", DiskFull("no space left"))
    house.aliases.faults.arm("scan", DiskFull("no space left"))
    house.agent.rename_leftovers = ["config.yaml still names /coder"]
    done = await rename(house)
    assert done.state is OperationState.SUCCEEDED
    assert done.warnings == (
        "the sticky default: no space left",
        "config.yaml still names /coder",
        "aliases: no space left",
    )


async def test_what_goes_on_starting_the_old_name_is_named(house: House) -> None:
    """A service of the agent's own is not ours to change, and would be tried for ever where nothing is left."""
    service = "hermes-gateway-coder.service"
    house.agent.known_leftovers["coder"] = [Leftover(f"the service {service} is not ours", "systemctl disable")]
    assert (await rename(house)).warnings == (f"the service {service} is not ours: systemctl disable",)


async def test_commands_that_run_are_named(house: House) -> None:
    """They belong to people, are listed under the new name, and work in a place that is gone."""
    house.processes.add(4711)
    await house.services.terminals.open(CODER, ["chat"], Caller(4711, "/home/ana", ()))
    done = await rename(house)
    assert done.warnings == ("'chat' (pid 4711) still works where 'coder' was: end it",)
    await house.reopen()
    assert [one.profile for one in await house.services.terminals.all("writer")] == [WRITER]
    assert await house.services.terminals.all("coder") == []


async def test_limits_in_the_settings_are_a_persons_to_move() -> None:
    """They go by the name, and the file is not ours."""
    house = House(Settings(profiles={"coder": ProfileSettings(limits={Limit.MEMORY_MAX: 1})}))
    await house.open()
    await house.furnish("coder")
    done = await rename(house)
    assert "[profile.coder]" in done.warnings[0]
    await house.close()


async def test_another_program_is_never_started_by_a_rename() -> None:
    """CONFIG_INVALID where the settings name a program for the old name alone; with both it is renamed."""
    program = ProfileSettings(command=("/opt/program",))
    house = House(Settings(profiles={"coder": program, "editor": program}))
    await house.open()
    await house.furnish("coder")
    assert await refused(house) == "CONFIG_INVALID"
    await house.start("coder")
    assert (await rename(house, "coder", "editor")).state is OperationState.SUCCEEDED
    assert await house.state("editor") is State.RUNNING
    await house.close()


async def cut_off(house: House, *, is_up: bool) -> None:
    """What a daemon leaves that dies during a rename."""
    known = (await house.services.profiles.get(CODER)).known
    parameters = json.dumps(["writer", known.id, is_up])
    await house.store.save_operation(
        Operation("cut-off-op-1", "profile.rename", "coder", parameters, REQUESTER, house.clock.now_s())
    )


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("is_up", [False, True])
async def test_a_rename_that_was_cut_off_is_finished(house: House, is_moved: bool, is_up: bool) -> None:
    """By the next daemon, wherever it was cut off; the gateway is as it was."""
    house.aliases.create("coder", CODER)
    house.homes.write_sticky_default(CODER)
    if is_up:
        await house.start("coder")
    await cut_off(house, is_up=is_up)
    if is_moved:
        if is_up:
            house.backend.exit((await house.process("coder")).pid, ExitStatus(code=0))
        house.homes.rename("coder", "writer")
    await house.reopen()
    await house.clock.settle()
    assert (await house.services.operations.get("cut-off-op-1")).state is OperationState.SUCCEEDED
    assert (names(house), calls(house)) == (["default", "writer"], {"writer": "writer"})
    assert house.homes.sticky_text == "writer\n"
    assert await house.state("writer") is (State.RUNNING if is_up else State.STOPPED)
    assert len(house.backend.alive) == int(is_up)


async def test_a_rename_whose_profile_is_gone_says_so(house: House) -> None:
    """Somebody removed it while no daemon ran; who has the name now is left alone."""
    await cut_off(house, is_up=True)
    house.homes.replace("coder")
    await house.reopen()
    assert failure(await house.services.operations.get("cut-off-op-1")) == "PROFILE_NOT_FOUND"
    assert names(house) == ["default", "coder"]
