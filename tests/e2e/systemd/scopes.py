"""What only the systemd backend does. Run in a machine with systemd, see `tests/e2e/systemd/test_backends.py`."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from hermesd.adapters import locks, procfs
from hermesd.adapters.backends import cgroups
from hermesd.adapters.backends.choice import SYSTEM_BUS, ManagerSite, choose_backend
from hermesd.adapters.backends.session import SessionBackend
from hermesd.adapters.backends.systemd import SystemdBackend
from hermesd.adapters.backends.systemd_bus import SLICE, Systemd, Unit
from hermesd.adapters.clock import SystemClock
from hermesd.domain.errors import HermesError, NotPermitted, ProfileBusy
from hermesd.domain.limits import Limit
from hermesd.domain.process import SPAWN_ID_VARIABLE, ExitStatus, ProcessIdentity
from hermesd.domain.settings import BackendKind
from tests.processes import PYTHON, RUN, Place, ending, gateway_spec, spec_of, start_id
from tests.waiting import until, wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

PROJECT = Path(__file__).resolve().parents[3]
SYSTEMD = Systemd(ManagerSite(os.geteuid()).bus)
HIDING = """
import os, sys, time
if os.fork():
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    print("up", flush=True)
    time.sleep(3600)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 100)
os.execve("/bin/sh", ["sh", "-c", f"touch {sys.argv[1]}; exec sleep 3600"], {})
"""
"""A gateway whose daemon drops session, environment and every descriptor, the lock among them."""


FORKING = "while :; do sleep 3600 & done"
"""A shell that says `Cannot fork`, or retries, as soon as it may have no more processes."""


def properties_of(unit: str) -> dict[str, str]:
    """The limits of a unit as systemd has them."""
    mode = [] if os.geteuid() == 0 else ["--user"]
    environment = {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}", "PATH": os.environ["PATH"]}
    names = "MemoryMax,CPUQuotaPerSecUSec,TasksMax"
    shown = subprocess.run(
        ["systemctl", *mode, "show", "-p", names, unit],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in shown.stdout.splitlines())


def scope_of(name: str) -> str:
    """The unit of a gateway started here."""
    return f"hermes-gateway-{name}-{RUN}.scope"


def unit_of(name: str) -> Unit | None:
    """That unit as systemd has it."""
    return next(iter(SYSTEMD.units(scope_of(name))), None)


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A backend in a directory; its scopes are gone after the test, and their slice with them."""
    made = Place(tmp_path)
    yield made
    await made.close()
    await until(lambda: SYSTEMD.units("hermes*") == [], "systemd to forget the scopes and their slice")


async def start_hiding(place: Place) -> tuple[ProcessIdentity, ProcessIdentity]:
    """A gateway and its hidden daemon."""
    spec = spec_of(place.directory, *PYTHON, "-c", HIDING, str(place.directory / "hidden"))
    main = await place.start_spec(spec)
    cgroup = cgroups.of(main.pid) or ""
    (hidden,) = (pid for pid in cgroups.members(cgroup) if pid != main.pid)
    daemon = procfs.identity(hidden, start_id())
    assert daemon is not None
    assert SPAWN_ID_VARIABLE not in (procfs.environ_of(hidden) or {})
    return main, daemon


@contextlib.contextmanager
def stranger_in(name: str) -> Iterator[ProcessIdentity]:
    """A process that somebody put into a scope of the same name."""
    mode = [] if os.geteuid() == 0 else ["--user"]
    environment = {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}", "PATH": os.environ["PATH"]}
    command = ["systemd-run", *mode, "--quiet", "--scope", f"--unit={name}", "sleep", "3600"]
    with ending(subprocess.Popen(command, env=environment)) as process:
        wait_until(lambda: cgroups.unit_of(process.pid) == name, "systemd-run to be in its scope")
        identity = procfs.identity(process.pid, "")
        assert identity is not None
        yield identity


def enclose_a_zombie(name: str) -> None:
    """Puts a process into a scope that has ended and was not reaped."""
    with subprocess.Popen(["/bin/true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(HermesError):  # some versions of systemd notice
            SYSTEMD.start_scope(name, ended.pid, "Hermes gateway of coder, start lost")


async def test_a_gateway_has_a_scope_of_its_own(place: Place) -> None:
    """In our slice, away from who started it, with all that it starts."""
    process = await place.start("--daemon")
    unit = unit_of("coder")
    assert unit is not None
    assert unit.description == f"Hermes gateway of coder, start {start_id()}"
    cgroup = await asyncio.to_thread(SYSTEMD.control_group, unit)
    assert cgroup.endswith(f"/{SLICE}/{scope_of('coder')}")
    tree = [member.pid for member in procfs.members(start_id())]
    assert sorted(cgroups.members(cgroup)) == sorted(tree)
    assert len(tree) == 2
    assert process.pid in tree
    assert not cgroups.is_in(os.getpid(), cgroup)


async def test_limits_are_properties_of_the_scope(place: Place) -> None:
    """The system's manager has every controller; of a user's, only what holds is said to hold."""
    limits = {Limit.MEMORY_MAX: 256 << 20, Limit.CPU_QUOTA: 150, Limit.TASKS_MAX: 50}
    process = await place.start_spec(replace(gateway_spec(place.directory), limits=limits))
    assert properties_of(scope_of("coder")) == {
        "MemoryMax": str(256 << 20), "CPUQuotaPerSecUSec": "1.500000s", "TasksMax": "50"
    }  # fmt: skip
    held = await place.backend.limits(process)
    assert held == (set(Limit) if os.geteuid() == 0 else held)
    free = await place.start(name="writer")
    assert (await place.backend.limits(free) or set()) <= {Limit.TASKS_MAX}  # of which systemd has a default


@pytest.mark.skipif(os.geteuid() != 0, reason="a user's manager need not have the controller")
async def test_a_tree_does_not_outgrow_its_limit(place: Place) -> None:
    """Not one process of it, and not all of them together."""
    spec = spec_of(place.directory, "/bin/sh", "-c", FORKING)
    await place.start_spec(replace(spec, limits={Limit.TASKS_MAX: 10}), is_gateway=False)
    await until(lambda: "fork" in spec.log_path.read_text(), "the kernel to refuse a process")
    unit = unit_of("coder")
    assert unit is not None
    cgroup = await asyncio.to_thread(SYSTEMD.control_group, unit)
    assert 0 < len(cgroups.members(cgroup)) <= 10


async def test_killing_ends_what_hides(place: Place) -> None:
    """Nothing of it proves whose it is but the scope, which it cannot leave."""
    main, hidden = await start_hiding(place)
    await place.backend.kill(main)
    await until(lambda: not procfs.is_alive(hidden), "the hidden daemon to end")


@pytest.mark.parametrize("is_same_daemon", [True, False])
async def test_clearing_ends_what_hides(place: Place, is_same_daemon: bool) -> None:
    """Also if another daemon clears, which never saw the main process and finds the scope by the spawn id."""
    main, hidden = await start_hiding(place)
    os.kill(main.pid, signal.SIGKILL)
    await place.backend.wait(main)
    assert procfs.is_alive(hidden)
    clearing = place.backend if is_same_daemon else SystemdBackend(SystemClock(), SYSTEMD, suffix=RUN)
    await clearing.clear(start_id(), place.lock())
    assert not procfs.is_alive(hidden)
    assert unit_of("coder") is None


async def test_a_start_ends_what_an_earlier_one_left_in_the_scope(place: Place) -> None:
    """Nobody may remember that start: the store can be lost. The lock is free, so only leftovers can live."""
    main, hidden = await start_hiding(place)
    os.kill(main.pid, signal.SIGKILL)
    await place.backend.wait(main)
    assert locks.is_free(place.lock())
    process = await place.start(spawn_id=start_id("next"))
    assert not procfs.is_alive(hidden)
    assert cgroups.unit_of(process.pid) == scope_of("coder")


async def test_a_scope_whose_end_systemd_missed_is_replaced(place: Place) -> None:
    """A process that ended while it was put there leaves a scope that seems to run for ever."""
    await asyncio.to_thread(enclose_a_zombie, scope_of("coder"))
    process = await place.start()
    assert cgroups.unit_of(process.pid) == scope_of("coder")


async def test_a_scope_of_somebody_else_is_left_alone(place: Place) -> None:
    """Its name is no proof: the start is refused, and nobody is harmed."""
    with stranger_in(scope_of("coder")) as stranger:
        with pytest.raises(ProfileBusy, match="somebody else"):
            await place.backend.start(gateway_spec(place.directory))
        assert locks.is_free(place.lock())
        assert procfs.members(start_id()) == []
        await place.backend.clear(start_id(), place.lock())
        assert procfs.is_alive(stranger)


async def test_a_scope_whose_name_begins_alike_stays_untouched(place: Place) -> None:
    """Ending `coder` is not ending `coder-two`, hidden or not."""
    main, _ = await start_hiding(place)
    other = await place.start("--daemon", name="coder-two")
    await place.backend.kill(main)
    await place.backend.wait(main)
    await place.backend.clear(start_id(), place.lock())
    assert unit_of("coder") is None
    assert len(procfs.members(start_id("coder-two"))) == 2
    assert await place.backend.find(start_id("coder-two"), other) == other


async def test_two_daemons_of_one_user_have_scopes_of_their_own(place: Place, tmp_path: Path) -> None:
    """The same profile name under another root is another gateway."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = SystemdBackend(SystemClock(), SYSTEMD, suffix=f"{RUN}x")
    mine = await place.start()
    spec = gateway_spec(elsewhere, spawn_id=start_id("theirs"))
    theirs = await other.start(spec)
    assert cgroups.unit_of(mine.pid) != cgroups.unit_of(theirs.pid)
    await other.kill(theirs)
    await other.wait(theirs)
    await other.clear(start_id("theirs"), spec.lock_path)
    await other.close()
    assert procfs.is_alive(mine)


async def test_what_a_session_started_is_kept_and_ended(place: Place) -> None:
    """A daemon that came to use systemd adopts the gateways it has."""
    session = SessionBackend(SystemClock())
    spec = gateway_spec(place.directory, "--daemon")
    process = await session.start(spec)
    await until(lambda: len(procfs.members(start_id())) == 2, "the gateway to be up")
    assert await place.backend.find(start_id(), process) == process
    await place.backend.kill(process)
    assert await place.backend.wait(process) == ExitStatus(signal=9)
    await place.backend.clear(start_id(), place.lock())
    assert procfs.members(start_id()) == []
    await session.close()


async def test_without_a_manager_nothing_starts_but_everything_can_be_ended(place: Place) -> None:
    """No silent change to another way; what runs is found, killed and cleared as ever."""
    main, hidden = await start_hiding(place)
    alone = SystemdBackend(SystemClock(), Systemd(place.directory / "no-bus"), suffix=RUN)
    with pytest.raises(HermesError, match=r"no-bus: No such file"):
        await alone.start(gateway_spec(place.directory, name="writer"))
    assert locks.is_free(place.lock("writer"))
    assert await alone.find(start_id(), main) == main
    await alone.kill(main)
    await alone.wait(main)
    await alone.clear(start_id(), place.lock())
    assert not procfs.is_alive(hidden)
    await alone.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root is refused nothing")
async def test_a_manager_that_refuses_is_told_of(place: Place) -> None:
    """Nobody else's manager takes our processes."""
    stranger = SystemdBackend(SystemClock(), Systemd(SYSTEM_BUS), suffix=RUN)
    with pytest.raises(NotPermitted, match="refuses"):
        await stranger.start(gateway_spec(place.directory))
    assert locks.is_free(place.lock())
    assert procfs.members(start_id()) == []
    await stranger.close()


async def test_systemd_is_chosen_where_it_is(tmp_path: Path) -> None:
    """Root has the system's manager, a person who lingers their own; no variable of a shell is asked."""
    chosen = await choose_backend(BackendKind.AUTO, SystemClock(), root=tmp_path, root_id="0123")
    assert isinstance(chosen, SystemdBackend)
    await chosen.close()


LEAVING = """
import asyncio, os
from pathlib import Path
from hermesd.adapters.backends import cgroups
from hermesd.adapters.backends.choice import choose_backend
from hermesd.adapters.clock import SystemClock
from hermesd.domain.settings import BackendKind
asyncio.run(choose_backend(BackendKind.AUTO, SystemClock(), root=Path("/"), root_id="0123"))
print(cgroups.unit_of(os.getpid()), flush=True)
"""


async def test_a_daemon_that_an_agent_started_leaves_its_scope(place: Place) -> None:
    """Else the end of that gateway would be the end of the daemon, or the daemon would keep it from ending."""
    spec = spec_of(place.directory, sys.executable, "-c", LEAVING)
    spec = replace(spec, environment={**spec.environment, "PYTHONPATH": str(PROJECT)})
    process = await place.start_spec(spec, is_gateway=False)
    assert await place.backend.wait(process) == ExitStatus(code=0)
    assert spec.log_path.read_text() == f"hermesd-{process.pid}.scope\n"
