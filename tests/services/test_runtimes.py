"""Runtimes and the commands that run on them."""

from pathlib import Path

import pytest

from hermesd.domain.errors import HermesError, Incompatible, SourceUnreachable
from hermesd.domain.operation import OperationState
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.services.terminals import Caller
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]


async def test_the_first_installation_is_the_one_in_use() -> None:
    """Nobody has to choose among one; a later installation does not change the choice."""
    house = House()
    await house.open()
    for version in ("", "0.18.2"):
        done = await house.now(await house.services.runtimes.install(version, REQUESTER))
        assert done.state is OperationState.SUCCEEDED
    current = await house.services.runtimes.current()
    assert current is not None
    assert current.version == "0.19.0"
    assert len(await house.services.runtimes.all()) == 2
    await house.close()


async def test_installing_twice_installs_once(house: House) -> None:
    """The second time is a success without work."""
    await house.now(await house.services.runtimes.install("0.19.0", REQUESTER))
    assert house.installer.installs == ["0.19.0"]


async def test_a_version_without_a_lock_is_refused(house: House) -> None:
    """What was never tested is not installed, and what can be is named."""
    with pytest.raises(HermesError) as caught:
        await house.services.runtimes.install("9.9.9", REQUESTER)
    assert caught.value.reason == "NOT_FOUND"
    assert "0.19.0" in caught.value.metadata["hint"]


async def test_an_unreachable_source_changes_nothing() -> None:
    """The operation says so, and no runtime is in use."""
    house = House()
    await house.open()
    house.installer.failure = SourceUnreachable("the package index does not answer")
    done = await house.now(await house.services.runtimes.install("", REQUESTER))
    assert failure(done) == "SOURCE_UNREACHABLE"
    assert await house.services.runtimes.current() is None
    await house.close()


async def test_a_found_agent_is_registered_and_used(house: House) -> None:
    """Registering makes it the one in use; twice is once."""
    for _ in range(2):
        runtime = await house.services.runtimes.register(Path("/opt/hermes/bin/hermes"))
    assert not runtime.is_managed
    assert await house.services.runtimes.current() == runtime
    assert len(await house.services.runtimes.all()) == 2


async def test_what_is_no_agent_is_not_registered(house: House) -> None:
    """An executable that cannot say its version is refused, and the choice stays."""
    house.agent.versions[Path("/bin/true")] = Incompatible("/bin/true is no hermes-agent")
    with pytest.raises(Incompatible):
        await house.services.runtimes.register(Path("/bin/true"))
    current = await house.services.runtimes.current()
    assert current is not None
    assert current.is_managed


async def test_an_unknown_runtime_cannot_be_used(house: House) -> None:
    """A name that no runtime has is answered as such."""
    with pytest.raises(HermesError) as caught:
        await house.services.runtimes.use("nothing")
    assert caught.value.reason == "NOT_FOUND"


async def test_a_profile_can_run_any_program() -> None:
    """A program named in the profile's settings is supervised without any hermes-agent installed."""
    house = House(Settings(profiles={"echo": ProfileSettings(("/usr/bin/echo", "hi"))}))
    await house.open()
    house.homes.add("echo")
    assert (await house.start("echo")).state is OperationState.SUCCEEDED
    assert house.backend.specs[0].argv[0] == "/usr/bin/echo"
    await house.close()


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
