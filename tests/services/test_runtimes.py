"""Runtimes and the commands that run on them."""

from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.domain.errors import DiskFull, HermesError, Incompatible, SourceUnreachable
from hermesd.domain.operation import OperationState
from hermesd.domain.runtime import Runtime
from hermesd.domain.settings import ProfileSettings, Settings
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


async def test_everybody_is_told_which_runtime_is_in_use(house: House) -> None:
    """Those without a daemon too: at each choice, and again by the next daemon."""
    current = await house.services.runtimes.current()
    assert house.published == [current]
    await house.reopen()
    assert house.published == [current, current]


async def test_a_choice_stands_though_nobody_could_be_told(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The notice is for emergencies, and must not make one."""

    def refuse(_: Runtime) -> None:
        raise DiskFull("cannot write runtime.json: the file system is full")

    monkeypatch.setattr(house.services.runtimes, "_ports", replace(house.ports, publish_runtime=refuse))
    runtime = await house.services.runtimes.register(Path("/opt/hermes/bin/hermes"))
    assert await house.services.runtimes.current() == runtime
    assert "the file system is full" in caplog.text
