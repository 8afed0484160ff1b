"""Commands on people's terminals: what they are told, and who knows that they run."""

from pathlib import Path

import pytest

from hermesd.domain.errors import DiskFull, HermesError
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.services.terminals import Caller
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")


async def test_a_command_is_resolved_and_remembered_while_it_runs(house: House) -> None:
    """The answer pins the profile and drops what would steer it elsewhere; the record ends with the process."""
    house.processes.add(321)
    caller = Caller(321, "/home/ana/src", ["PATH", "HERMES_HOME", "HERMESCTL_PROFILE", "OPENAI_API_KEY"])
    plan = await house.services.terminals.open(ProfileName("coder"), ["chat", "-q", "private words"], caller)
    assert plan.argv[1:] == ("-p", "coder", "chat", "-q", "private words")
    assert plan.environment_unset == ["HERMESCTL_PROFILE", "HERMES_HOME"]
    (terminal,) = await house.services.terminals.all("coder")
    assert (terminal.verb, terminal.working_directory) == ("chat", "/home/ana/src")
    assert await house.services.terminals.all("default") == []
    del house.processes.alive[321]
    assert await house.services.terminals.all("") == []


async def test_the_words_of_a_one_shot_prompt_are_not_recorded(house: House) -> None:
    """Of `-z PROMPT` only the option is remembered."""
    house.processes.add(321)
    plan = await house.services.terminals.open(ProfileName("coder"), ["-z", "private"], Caller(321, "/", []))
    assert plan.terminal.verb == "-z"
    house.processes.add(322)
    plan = await house.services.terminals.open(ProfileName("coder"), ["-z=private"], Caller(322, "/", []))
    assert plan.terminal.verb == "-z"


async def test_a_caller_that_does_not_exist_is_refused(house: House) -> None:
    """Nothing is recorded for a pid nobody has."""
    with pytest.raises(HermesError) as caught:
        await house.services.terminals.open(ProfileName("coder"), ["chat"], Caller(999, "/", []))
    assert caught.value.reason == "ARGUMENT_INVALID"


async def test_a_terminal_is_known_by_profile_verb_directory_and_tty(house: House) -> None:
    """Oldest first."""
    for pid, profile, verb in ((321, "coder", "chat"), (322, "default", "setup")):
        house.processes.add(pid)
        house.processes.ttys[pid] = f"/dev/pts/{pid}"
        await house.clock.advance(1.0)
        await house.services.terminals.open(ProfileName(profile), [verb], Caller(pid, f"/src/{pid}", []))
    found = await house.services.terminals.all("")
    assert [(one.profile.text, one.verb, one.working_directory, one.tty) for one in found] == [
        ("coder", "chat", "/src/321", "/dev/pts/321"),
        ("default", "setup", "/src/322", "/dev/pts/322"),
    ]


async def test_the_next_daemon_knows_what_runs(house: House) -> None:
    """By the very process; what ended while no daemon ran, or with the machine, is forgotten."""
    for pid in (321, 322):
        house.processes.add(pid)
        await house.services.terminals.open(CODER, ["chat"], Caller(pid, "/src", []))
    before = await house.services.terminals.all("")
    del house.processes.alive[322]
    await house.reopen()
    assert await house.services.terminals.all("") == before[:1]
    assert house.terminals.all() == before[:1]
    house.processes.boot = "another"
    house.processes.add(321)
    await house.reopen()
    assert await house.services.terminals.all("") == []


async def test_records_of_ended_commands_do_not_pile_up(house: House) -> None:
    """Each new command takes those away that have ended."""
    for pid in range(400, 410):
        house.processes.add(pid)
        await house.services.terminals.open(CODER, ["-z", "hi"], Caller(pid, "/", []))
        del house.processes.alive[pid]
    assert len(house.terminals.all()) == 1


async def test_a_command_runs_though_it_cannot_be_recorded(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk must not keep anybody from talking to their agent; this daemon knows of it all the same."""
    house.processes.add(321)
    house.terminals.faults.arm("save", DiskFull("cannot write: the file system is full"))
    plan = await house.services.terminals.open(CODER, ["chat"], Caller(321, "/", []))
    assert await house.services.terminals.all("") == [plan.terminal]
    assert "the file system is full" in caplog.text


async def test_a_command_starts_where_its_agent_says(house: House) -> None:
    """Else where its caller is."""
    house.processes.add(321)
    caller = Caller(321, "/src", [])
    assert (await house.services.terminals.open(CODER, ["chat"], caller)).working_directory is None
    house.agent.workplaces["coder"] = Path("/project")
    assert (await house.services.terminals.open(CODER, ["chat"], caller)).working_directory == Path("/project")


async def test_another_program_gets_the_profiles_environment_and_no_arguments(house: House) -> None:
    """It starts where its caller is, and is recorded by its name alone."""
    house.processes.add(321)
    house.agent.workplaces["coder"] = Path("/project")
    caller = Caller(321, "/src", ["HERMES_HOME", "TERMINAL_CWD", "PATH"])
    plan = await house.services.terminals.open_program(CODER, "/usr/bin/less", caller)
    assert plan.argv == ()
    assert plan.environment_set["HERMES_HOME"].endswith("/coder")
    assert plan.environment_unset == ["HERMES_HOME", "TERMINAL_CWD"]
    assert plan.working_directory is None
    assert [one.verb for one in await house.services.terminals.all("coder")] == ["exec less"]


async def test_another_program_needs_no_runtime() -> None:
    """Nor an agent that has commands; but a profile there must be."""
    house = House(settings=Settings(profiles={"echo": ProfileSettings(command=("/usr/bin/echo",))}))
    await house.open()
    for name in ("plain", "echo"):
        house.homes.add(name)
        house.processes.add(321)
        plan = await house.services.terminals.open_program(ProfileName(name), "env", Caller(321, "/", []))
        assert plan.environment_set["HERMES_HOME"].endswith(f"/{name}")
    with pytest.raises(HermesError) as caught:
        await house.services.terminals.open_program(ProfileName("nobody"), "env", Caller(321, "/", []))
    assert caught.value.reason == "PROFILE_NOT_FOUND"
    await house.close()
