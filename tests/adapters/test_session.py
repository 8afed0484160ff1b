"""Who is ended with a gateway's tree in a session of its own, and who stays untouched."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from hermesd.adapters import locks, procfs
from hermesd.adapters.backends.process_trees import LEFTOVER_KILL_S, LEFTOVER_TERM_S
from hermesd.adapters.backends.session import SessionBackend
from hermesd.domain.errors import GatewayStuck
from hermesd.domain.process import HOME_VARIABLE, SPAWN_ID_VARIABLE, ExitStatus, ProcessIdentity
from tests.processes import GATEWAY, PYTHON, HurriedClock, Place, ending, gateway_spec, start_id, with_home
from tests.waiting import until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

PROJECT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def decoy(*argv: str, environment: dict[str, str] | None = None) -> Iterator[ProcessIdentity]:
    """A process that only looks like ours."""
    with ending(subprocess.Popen(argv, env=environment or {}, stdout=subprocess.DEVNULL)) as process:
        identity = procfs.identity(process.pid, "")
        assert identity is not None
        yield identity


def home_in(place: Place, name: str) -> Path:
    """A home for a gateway."""
    home = place.directory / "profiles" / name
    home.mkdir(parents=True)
    return home


async def test_a_tree_with_a_daemon_is_ended_whole(place: Place) -> None:
    """The daemon left the session and has another parent; its environment gives it away."""
    process = await place.start("--daemon")
    tree = procfs.members(start_id())
    assert len(tree) == 2
    await place.backend.kill(process)
    await until(lambda: not any(procfs.is_alive(member) for member in tree), "the whole tree to end")


async def test_a_daemon_without_environment_is_ended_for_holding_the_lock(place: Place) -> None:
    """It hides from the spawn id, but cannot be a stranger: only the tree inherits the lock."""
    process = await place.start("--daemon", "--daemon-clears-environment")
    await place.backend.kill(process)
    await place.backend.wait(process)
    (hidden,) = procfs.holders(place.lock())
    assert (procfs.environ_of(hidden) or {}).get(SPAWN_ID_VARIABLE) is None
    await place.backend.clear(start_id(), place.lock())
    assert procfs.holders(place.lock()) == []


async def test_a_main_process_without_environment_is_still_ours(place: Place) -> None:
    """It is known by its record, whatever it does to its environment."""
    process = await place.start("--clear-environment")
    assert procfs.environ_of(process.pid) == {}
    assert await place.backend.find(start_id(), process) == process
    await place.backend.kill(process)
    assert await place.backend.wait(process) == ExitStatus(signal=9)


async def test_leftovers_that_ignore_sigterm_are_killed(place: Place) -> None:
    """After they had their time to end by themselves."""
    process = await place.start("--daemon", "--daemon-ignores-term")
    os.kill(process.pid, signal.SIGKILL)
    await place.backend.wait(process)
    hurried = SessionBackend(HurriedClock())
    await hurried.clear(start_id(), place.lock())
    assert procfs.members(start_id()) == []
    assert locks.is_free(place.lock())


async def test_a_lock_that_stays_held_is_reported(place: Place) -> None:
    """Nobody can be ended who cannot be found; the profile must not be started over it."""
    hurried = SessionBackend(HurriedClock(haste=200))
    clock = HurriedClock(haste=200)
    began_s = clock.monotonic_s()
    with locks.acquire(place.lock()), pytest.raises(GatewayStuck, match="may not look at"):
        await hurried.clear(start_id(), place.lock())
    assert clock.monotonic_s() - began_s >= LEFTOVER_TERM_S + LEFTOVER_KILL_S


async def test_leftovers_that_survive_are_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not be signalled, say: whoever mends this needs its pid."""

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    process = await place.start()
    with monkeypatch.context() as patch:
        patch.setattr(signal, "pidfd_send_signal", refuse)
        with pytest.raises(GatewayStuck, match=f"process {process.pid} survived") as raised:
            await SessionBackend(HurriedClock(haste=200)).clear(start_id(), place.lock())
    assert raised.value.metadata["pids"] == str(process.pid)


async def test_a_decoy_with_the_same_command_line_stays_untouched(place: Place) -> None:
    """Neither the command line nor a spawn id that merely begins alike makes a process ours."""
    environments = [{SPAWN_ID_VARIABLE: start_id(f"coder{suffix}")} for suffix in ("-two", "2", " ")]
    with contextlib.ExitStack() as decoys:
        strangers = [
            decoys.enter_context(decoy(*PYTHON, str(GATEWAY), environment=environment))
            for environment in [*environments, {"OTHER": f"{SPAWN_ID_VARIABLE}={start_id()}"}, {}]
        ]
        process = await place.start("--daemon")
        await place.backend.kill(process)
        await place.backend.wait(process)
        await place.backend.clear(start_id(), place.lock())
        assert all(procfs.is_alive(stranger) for stranger in strangers)


async def test_a_stranger_with_our_spawn_id_and_another_home_stays_untouched(place: Place) -> None:
    """What a gateway started for another profile, and let go of, is that profile's business; not so its own."""
    own, others = home_in(place, "coder"), home_in(place, "writer")
    environment = {SPAWN_ID_VARIABLE: start_id()}
    with (
        decoy("/bin/sleep", "60", environment={**environment, HOME_VARIABLE: str(others)}) as stranger,
        decoy("/bin/sleep", "60", environment={**environment, HOME_VARIABLE: str(own)}) as member,
    ):
        process = await place.start_spec(with_home(gateway_spec(place.directory), own))
        recorded = replace(stranger, spawn_id=start_id())
        assert await place.backend.find(start_id(), recorded, home=own) is None
        await place.backend.kill(process, home=own)
        await place.backend.wait(process)
        await place.backend.clear(start_id(), place.lock(), home=own)
        assert procfs.is_alive(stranger)
        assert not procfs.is_alive(member)


async def test_whoever_holds_the_lock_is_of_the_tree_in_any_home(place: Place) -> None:
    """Only the tree inherits it, and the profile cannot be started while it is held."""
    process = await place.start_spec(with_home(gateway_spec(place.directory, "--daemon"), home_in(place, "coder")))
    os.kill(process.pid, signal.SIGKILL)
    await place.backend.wait(process)
    await place.backend.clear(start_id(), place.lock(), home=place.directory / "writer")
    assert locks.is_free(place.lock())


async def test_a_home_that_is_reached_through_links_is_the_same(place: Place) -> None:
    """An agent may write out the way to its home."""
    home = home_in(place, "coder")
    (place.directory / "link").symlink_to(home)
    process = await place.start_spec(with_home(gateway_spec(place.directory), home))
    assert await place.backend.find(start_id(), None, home=place.directory / "link") == process


async def test_a_tree_whose_name_begins_alike_stays_untouched(place: Place) -> None:
    """Ending `coder` is not ending `coder-two`."""
    coder, other = await place.start(), await place.start("--daemon", name="coder-two")
    await place.backend.kill(coder)
    await place.backend.wait(coder)
    await place.backend.clear(start_id(), place.lock())
    assert len(procfs.members(start_id("coder-two"))) == 2
    assert await place.backend.find(start_id("coder-two"), other) == other


async def test_a_recycled_pid_is_signalled_by_no_call(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record's process has ended, and a stranger has its pid."""

    def forbidden(*_: object) -> NoReturn:
        raise AssertionError("a stranger was signalled")

    with decoy("/bin/sleep", "60") as stranger:
        recorded = replace(stranger, start_ticks=stranger.start_ticks - 1, spawn_id=start_id())
        with monkeypatch.context() as patch:
            patch.setattr(signal, "pidfd_send_signal", forbidden)
            await place.backend.terminate(recorded)
            await place.backend.kill(recorded)
            await place.backend.clear(start_id(), place.lock())
        assert procfs.is_alive(stranger)


async def test_the_daemon_itself_is_never_of_a_tree(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent may have started it, and then its own environment carries the spawn id."""
    monkeypatch.setattr(procfs, "members", lambda spawn_id, *_: [procfs.identity(os.getpid(), spawn_id)])
    await place.backend.clear(start_id(), place.lock())
    assert await place.backend.find(start_id(), None) is None


COPY = """
import asyncio, os, sys
from pathlib import Path
from hermesd.adapters import locks, procfs
from hermesd.adapters.backends.session import SessionBackend
from hermesd.domain.errors import GatewayStuck
from tests.processes import HurriedClock
path = Path(sys.argv[1])
reading, writing = os.pipe()
with locks.acquire(path):
    copy = os.fork()
    if not copy:
        os.close(writing)
        os._exit(len(os.read(reading, 1)))
try:
    asyncio.run(SessionBackend(HurriedClock(haste=100)).clear("start", path))
except GatewayStuck:
    os.close(writing)
    print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))
"""


def test_a_child_being_started_is_spared(tmp_path: Path) -> None:
    """Between fork and exec it has a copy of every descriptor of ours, another gateway's lock among them."""
    ran = subprocess.run(
        [sys.executable, "-c", COPY, str(tmp_path / "lock")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "0\n", ran.stderr
