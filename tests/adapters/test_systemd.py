"""What the systemd backend makes of a manager that is away or declines; `tests/e2e/systemd` has a real one."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from hermesd.adapters import locks, procfs
from hermesd.adapters.backends import cgroups
from hermesd.adapters.backends.systemd import SystemdBackend
from hermesd.adapters.backends.systemd_bus import Systemd
from hermesd.adapters.clock import SystemClock
from hermesd.domain.errors import HermesError, NotPermitted, ProfileBusy
from hermesd.domain.limits import Limit
from tests.fakes.systemd import FakeSystemd, Scope, systemd_at
from tests.processes import HurriedClock, Place, ending, gateway_spec, start_id

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = "hermes-gateway-coder.scope"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystemd]:
    """A manager with an empty table, whose scopes /proc seems to show."""
    with systemd_at(tmp_path / "bus") as made:
        monkeypatch.setattr(cgroups, "of", made.group_of)
        yield made


def backend_on(fake: FakeSystemd, clock: SystemClock | None = None) -> SystemdBackend:
    """A daemon's backend."""
    return SystemdBackend(clock or SystemClock(), Systemd(fake.socket))


@pytest_asyncio.fixture
async def place(fake: FakeSystemd, tmp_path: Path) -> AsyncIterator[Place]:
    """The backend in a directory."""
    made = Place(tmp_path, backend_on(fake))
    yield made
    await made.close()


@pytest.fixture
def stranger() -> Iterator[int]:
    """Pid of a process that is not ours."""
    with ending(subprocess.Popen(["/bin/sleep", "60"])) as process:
        yield process.pid


async def end(place: Place) -> None:
    """Ends the gateway `coder` and what it left."""
    process = await place.backend.find(start_id(), None)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await place.backend.wait(process)
    await place.backend.clear(start_id(), place.lock())


async def test_a_scope_is_named_for_its_profile_and_says_its_start(place: Place, fake: FakeSystemd) -> None:
    """The start in its description is what proves whose it is."""
    process = await place.start()
    assert {name: one.description for name, one in fake.scopes.items()} == {
        CODER: f"Hermes gateway of coder, start {start_id()}"
    }
    assert cgroups.unit_of(process.pid) == CODER


async def test_limits_are_asked_for_in_the_units_of_systemd(place: Place, fake: FakeSystemd) -> None:
    """Bytes, microseconds of processor time a second, a count; what is not asked for is not mentioned."""
    limits = {Limit.MEMORY_MAX: 2 << 30, Limit.CPU_QUOTA: 150, Limit.TASKS_MAX: 500}
    await place.start_spec(replace(gateway_spec(place.directory), limits=limits))
    asked = fake.scopes[CODER].properties
    assert (asked["MemoryMax"], asked["CPUQuotaPerSecUSec"], asked["TasksMax"]) == (2 << 30, 1_500_000, 500)
    await place.start_spec(gateway_spec(place.directory, name="writer"))
    assert not {"MemoryMax", "TasksMax"} & fake.scopes["hermes-gateway-writer.scope"].properties.keys()


@pytest.mark.parametrize("has_manager", [True, False])
async def test_a_start_that_systemd_declines_leaves_nothing(
    place: Place, fake: FakeSystemd, has_manager: bool
) -> None:
    """No process, no lock, and the program never ran."""
    fake.errors["StartTransientUnit" if has_manager else "Hello"] = "org.freedesktop.DBus.Error.AccessDenied"
    with pytest.raises(NotPermitted):
        await place.backend.start(gateway_spec(place.directory))
    assert procfs.members(start_id()) == []
    assert locks.is_free(place.lock())
    assert (place.directory / "coder.log").read_text() == ""


async def test_a_process_that_did_not_get_in_is_not_let_go(place: Place, fake: FakeSystemd) -> None:
    """Whatever systemd says, the kernel is asked where it is."""
    fake.moves = False
    with pytest.raises(HermesError, match="did not get into it"):
        await place.backend.start(gateway_spec(place.directory))
    assert procfs.members(start_id()) == []


async def test_a_scope_that_systemd_believes_alive_is_stopped(place: Place, fake: FakeSystemd) -> None:
    """When the tree has ended; the name is then free."""
    fake.forgets = False
    await place.start()
    await end(place)
    assert fake.stopped == [CODER]
    assert fake.scopes == {}


async def test_a_scope_is_not_stopped_over_strangers(
    place: Place, fake: FakeSystemd, stranger: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody moved a process there; it stays, and the next start is refused for it."""
    fake.forgets = False
    await place.start()
    fake.added[stranger] = CODER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hermesd.adapters.backends.membership.inhabitants", lambda *_: {})
        await end(place)
    assert "used by others" in caplog.text
    assert fake.stopped == []
    assert procfs.stat(stranger) is not None


async def test_a_scope_of_another_purpose_is_left_alone(place: Place, fake: FakeSystemd, stranger: int) -> None:
    """Its name is no proof."""
    fake.scopes[CODER] = Scope("somebody's own", procfs.identity(stranger, ""))
    with pytest.raises(ProfileBusy, match="somebody else"):
        await place.backend.start(gateway_spec(place.directory))
    assert locks.is_free(place.lock())
    assert procfs.stat(stranger) is not None


async def test_an_empty_scope_of_an_earlier_start_is_replaced(place: Place, fake: FakeSystemd) -> None:
    """Systemd missed its end."""
    fake.forgets = False
    fake.scopes[CODER] = Scope("Hermes gateway of coder, start earlier", None)
    await place.start()
    assert fake.stopped == [CODER]


async def test_what_an_earlier_start_left_is_ended_first(place: Place, fake: FakeSystemd, stranger: int) -> None:
    """The lock is free, and so it can only be a leftover."""
    left = procfs.identity(stranger, "")
    assert left is not None
    fake.scopes[CODER] = Scope("Hermes gateway of coder, start earlier", left)
    await place.start()
    assert not procfs.is_alive(left)


async def test_a_scope_that_stays_is_told_of(place: Place, fake: FakeSystemd) -> None:
    """Nothing is started beside it, and the profile's lock is free again."""
    fake.forgets = False
    fake.scopes[CODER] = Scope("Hermes gateway of coder, start earlier", None)
    fake.errors["StopUnit"] = "org.freedesktop.systemd1.NoSuchUnit"
    hurried = backend_on(fake, HurriedClock(haste=200))
    with pytest.raises(HermesError, match="does not go away"):
        await hurried.start(gateway_spec(place.directory))
    assert locks.is_free(place.lock())
    fake.forgets = True


async def test_without_a_manager_everything_can_be_ended(place: Place, fake: FakeSystemd) -> None:
    """It only encloses."""
    process = await place.start("--daemon")
    fake.errors["Hello"] = "org.freedesktop.DBus.Error.Failed"
    await place.backend.kill(process)
    await place.backend.wait(process)
    await place.backend.clear(start_id(), place.lock())
    assert procfs.members(start_id()) == []


async def test_a_cleared_start_that_another_daemon_made_is_found_by_its_description(
    place: Place, fake: FakeSystemd, stranger: int
) -> None:
    """Nobody here saw the main process; the scope says which start it belongs to, compared whole."""
    fake.scopes["hermes-gateway-x.scope"] = Scope(
        f"Hermes gateway of x, start {start_id()}", procfs.identity(stranger, "")
    )
    await place.backend.clear(start_id()[1:], place.lock())
    assert procfs.stat(stranger) is not None
    await place.backend.clear(start_id(), place.lock())
    found = procfs.stat(stranger)
    assert found is None or not found.is_alive


async def test_a_daemon_outside_of_gateways_stays_where_it_is(place: Place, fake: FakeSystemd) -> None:
    """Only one that an agent started has a scope to leave."""
    backend = backend_on(fake)
    await backend.leave_gateway()
    assert fake.scopes == {}
    fake.added[os.getpid()] = CODER
    fake.scopes[CODER] = Scope("Hermes gateway of coder, start earlier", None)
    fake.forgets = False
    await backend.leave_gateway()
    assert list(fake.scopes) == [CODER, f"hermesd-{os.getpid()}.scope"]
