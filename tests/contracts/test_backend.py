"""What services may rely on of `Backend`: with scripted processes, and real ones in sessions and in scopes."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from hermesd.adapters.backends import cgroups
from hermesd.adapters.backends.session import SessionBackend
from hermesd.adapters.backends.systemd import SystemdBackend
from hermesd.adapters.backends.systemd_bus import Systemd
from hermesd.adapters.clock import SystemClock
from hermesd.domain.errors import ProfileBusy, RuntimeMissing
from hermesd.domain.limits import Limit
from hermesd.domain.ports import Backend
from hermesd.domain.process import ExitStatus, ProcessIdentity, SpawnSpec
from tests.fakes.backend import ScriptedBackend
from tests.fakes.systemd import systemd_at
from tests.processes import BACKEND, gateway_spec, real_backend, spec_of, start_id, until_up, with_home

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


class Scene(Protocol):
    """A backend, and the hand of fate over its processes."""

    backend: Backend

    async def start(self, name: str, *, term_code: int = 0, ignores_term: bool = False) -> ProcessIdentity:
        """Starts a gateway that ends on SIGTERM with that code, or not at all."""

    async def start_with_daemon(self, name: str) -> ProcessIdentity:
        """Starts a gateway that leaves a daemon of its own behind."""

    async def start_spec(self, spec: SpawnSpec) -> ProcessIdentity:
        """Starts a gateway in its own way."""

    def spec(self, name: str) -> SpawnSpec:
        """How the gateway of that name is started."""

    async def start_missing_program(self, name: str) -> ProcessIdentity:
        """Starts what is not there."""

    def strike(self, process: ProcessIdentity, number: signal.Signals) -> None:
        """Sends a signal from outside."""

    async def restart_daemon(self) -> None:
        """Lets the backend forget everything it knows and did not write down, as a new daemon does."""

    async def close(self) -> None:
        """Ends everything."""


class ScriptedScene:
    """Processes by the book."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.scripted = ScriptedBackend()
        self.backend: Backend = self.scripted

    async def start(self, name: str, *, term_code: int = 0, ignores_term: bool = False) -> ProcessIdentity:
        self.scripted.ends_on_terminate = None if ignores_term else ExitStatus(code=term_code)
        return await self.backend.start(self.spec(name))

    async def start_spec(self, spec: SpawnSpec) -> ProcessIdentity:
        return await self.backend.start(spec)

    async def start_with_daemon(self, name: str) -> ProcessIdentity:
        self.scripted.leaves_tree = True
        return await self.start(name)

    def spec(self, name: str) -> SpawnSpec:
        return gateway_spec(self._directory, name=name)

    async def start_missing_program(self, name: str) -> ProcessIdentity:
        self.scripted.refuse_next(RuntimeMissing("cannot start it: it is not there"))
        return await self.backend.start(self.spec(name))

    def strike(self, process: ProcessIdentity, number: signal.Signals) -> None:
        ends = self.scripted.ends_on_terminate
        status = ends if ends and number == signal.SIGTERM else ExitStatus(signal=number)
        self.scripted.exit(process.pid, status)

    async def restart_daemon(self) -> None:
        """The fake's table stands for the system, which does not forget."""

    async def close(self) -> None:
        """Nothing real was started."""


class RealScene:
    """Real processes of the scripted gateway."""

    def __init__(self, directory: Path, make: Callable[[], SessionBackend | SystemdBackend]) -> None:
        self._directory = directory
        self._make = make
        self._real = make()
        self.backend: Backend = self._real
        self._started: list[tuple[ProcessIdentity, Path]] = []

    async def start(self, name: str, *, term_code: int = 0, ignores_term: bool = False) -> ProcessIdentity:
        flags = ["--term-code", str(term_code)] + ["--ignore-term"] * ignores_term
        return await self.start_spec(gateway_spec(self._directory, *flags, name=name))

    async def start_with_daemon(self, name: str) -> ProcessIdentity:
        return await self.start_spec(gateway_spec(self._directory, "--daemon", name=name))

    def spec(self, name: str) -> SpawnSpec:
        return gateway_spec(self._directory, name=name)

    async def start_missing_program(self, name: str) -> ProcessIdentity:
        return await self.backend.start(spec_of(self._directory, "/nowhere/hermes", name=name))

    def strike(self, process: ProcessIdentity, number: signal.Signals) -> None:
        os.kill(process.pid, number)

    async def restart_daemon(self) -> None:
        await self._real.close()
        self._real = self.backend = self._make()

    async def close(self) -> None:
        for process, lock_path in self._started:
            await self._real.kill(process)
            await self._real.wait(process)
            await self._real.clear(process.spawn_id, lock_path)
        await self._real.close()

    async def start_spec(self, spec: SpawnSpec) -> ProcessIdentity:
        spec.log_path.unlink(missing_ok=True)
        process = await self.backend.start(spec)
        self._started.append((process, spec.lock_path))
        await until_up(spec)
        return process


@pytest.fixture(params=["scripted", BACKEND, "fake-systemd"] if BACKEND == "session" else [BACKEND])
async def scene(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    """One backend in an empty directory."""
    with contextlib.ExitStack() as held:
        made: Scene
        if request.param == "scripted":
            made = ScriptedScene(tmp_path)
        elif request.param == BACKEND:
            made = RealScene(tmp_path, lambda: real_backend(SystemClock()))
        else:
            fake = held.enter_context(systemd_at(tmp_path / "bus"))
            monkeypatch.setattr(cgroups, "of", fake.group_of)
            made = RealScene(tmp_path, lambda: SystemdBackend(SystemClock(), Systemd(fake.socket)))
        yield made
        await made.close()


async def test_a_started_process_is_found_by_its_record(scene: Scene) -> None:
    """What start returned is what find proves later."""
    process = await scene.start("coder")
    assert process.spawn_id == start_id("coder")
    assert await scene.backend.find(start_id("coder"), process) == process


async def test_a_started_process_is_found_without_a_record(scene: Scene) -> None:
    """A daemon that died between spawn and record finds the process by its spawn id."""
    process = await scene.start("coder")
    await scene.restart_daemon()
    assert await scene.backend.find(start_id("coder"), None) == process


async def test_a_record_of_another_start_is_no_proof(scene: Scene) -> None:
    """The spawn id decides: the process recorded earlier belongs to an older start."""
    process = await scene.start("coder")
    stale = replace(process, spawn_id="older", pid=process.pid + 1)
    assert await scene.backend.find(start_id("coder"), stale) == process


@pytest.mark.parametrize("field", ["start_ticks", "boot_id"])
async def test_a_recycled_pid_is_not_found(scene: Scene, field: str) -> None:
    """The same pid with another start time, or from before a reboot, is a stranger."""
    process = await scene.start("coder")
    stranger = (
        replace(process, start_ticks=process.start_ticks - 1)
        if field == "start_ticks"
        else replace(process, boot_id="00000000-0000-4000-8000-00000000dead")
    )
    assert await scene.backend.find(start_id("coder"), stranger) is None


async def test_a_spawn_id_is_compared_whole(scene: Scene) -> None:
    """A start whose id begins with another's is another start."""
    await scene.start("coder-two")
    assert await scene.backend.find(start_id("coder"), None) is None


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home that a gateway is started for."""
    made = tmp_path / "profiles" / "coder"
    made.mkdir(parents=True)
    return made


async def test_a_process_is_found_by_the_home_it_was_started_for(scene: Scene, home: Path) -> None:
    """With its record or without; also if that home is called otherwise by now."""
    spec = with_home(scene.spec("coder"), home)
    process = await scene.start_spec(spec)
    home.rename(home.with_name("painter"))
    await scene.restart_daemon()
    assert await scene.backend.find(spec.spawn_id, process, home=home) == process
    assert await scene.backend.find(spec.spawn_id, None, home=home) == process


async def test_a_process_in_another_home_is_a_stranger(scene: Scene, home: Path) -> None:
    """Whoever has our spawn id and works for another profile is not adopted."""
    spec = with_home(scene.spec("coder"), home)
    process = await scene.start_spec(spec)
    await scene.restart_daemon()
    other = home.with_name("coder-two")
    assert await scene.backend.find(spec.spawn_id, process, home=other) is None
    assert await scene.backend.find(spec.spawn_id, None, home=other) is None


async def test_a_process_that_names_no_home_is_ours(scene: Scene, home: Path) -> None:
    """Not every program is told its home, and what says nothing contradicts nothing."""
    process = await scene.start("coder")
    assert await scene.backend.find(start_id("coder"), process, home=home) == process
    await scene.backend.kill(process, home=home)
    await scene.backend.wait(process)
    await scene.backend.clear(start_id("coder"), scene.spec("coder").lock_path, home=home)
    await scene.start("coder")


async def test_a_start_is_held_to_what_the_backend_can_enforce(scene: Scene) -> None:
    """Whatever it cannot is no failure, and not said to be enforced. All this holds of adopted processes too."""
    asked = {Limit.MEMORY_MAX: 1 << 30, Limit.CPU_QUOTA: 200, Limit.TASKS_MAX: 100}
    process = await scene.start_spec(replace(scene.spec("coder"), limits=asked))
    held = await scene.backend.limits(process)
    assert held is not None
    assert held <= asked.keys()
    await scene.restart_daemon()
    assert await scene.backend.find(start_id("coder"), process) == process
    assert await scene.backend.limits(process) == held


async def test_an_ended_process_is_held_to_nothing(scene: Scene) -> None:
    """That is not the same as a process that no limit holds."""
    process = await scene.start("coder")
    scene.strike(process, signal.SIGKILL)
    await scene.backend.wait(process)
    assert await scene.backend.limits(process) is None


async def test_an_ended_process_is_not_found(scene: Scene) -> None:
    """With its record or without."""
    process = await scene.start("coder")
    scene.strike(process, signal.SIGKILL)
    await scene.backend.wait(process)
    assert await scene.backend.find(start_id("coder"), process) is None
    assert await scene.backend.find(start_id("coder"), None) is None


async def test_a_second_start_under_the_same_lock_is_refused(scene: Scene) -> None:
    """While anything of a tree lives there is no second one."""
    process = await scene.start("coder")
    with pytest.raises(ProfileBusy):
        await scene.backend.start(replace(scene.spec("coder"), spawn_id=start_id("second")))
    assert await scene.backend.find(start_id("second"), None) is None
    assert await scene.backend.find(start_id("coder"), process) == process


async def test_starts_under_other_locks_are_independent(scene: Scene) -> None:
    """Each profile has its own process."""
    coder, writer = await scene.start("coder"), await scene.start("writer")
    assert coder.pid != writer.pid
    scene.strike(coder, signal.SIGKILL)
    await scene.backend.wait(coder)
    assert await scene.backend.find(start_id("writer"), writer) == writer


async def test_the_lock_is_free_after_the_end(scene: Scene) -> None:
    """A process that ended and left nothing behind can be started again."""
    process = await scene.start("coder")
    scene.strike(process, signal.SIGTERM)
    await scene.backend.wait(process)
    await scene.backend.clear(start_id("coder"), scene.spec("coder").lock_path)
    assert await scene.start("coder") != process


async def test_a_refused_start_leaves_the_lock_free(scene: Scene) -> None:
    """A missing program is said, and the profile can be started when it is there."""
    with pytest.raises(RuntimeMissing):
        await scene.start_missing_program("coder")
    await scene.start("coder")


@pytest.mark.parametrize("code", [0, 1, 75, 78])
async def test_waiting_tells_the_exit_code(scene: Scene, code: int) -> None:
    """As the process gave it."""
    process = await scene.start("coder", term_code=code)
    scene.strike(process, signal.SIGTERM)
    assert await scene.backend.wait(process) == ExitStatus(code=code)


async def test_waiting_tells_the_signal(scene: Scene) -> None:
    """A killed process has no exit code."""
    process = await scene.start("coder")
    scene.strike(process, signal.SIGKILL)
    assert await scene.backend.wait(process) == ExitStatus(signal=9)


async def test_several_may_wait_and_one_may_leave(scene: Scene) -> None:
    """A cancelled waiter disturbs nobody."""
    process = await scene.start("coder", term_code=3)
    waiters = [asyncio.create_task(scene.backend.wait(process)) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiters[0]
    scene.strike(process, signal.SIGTERM)
    assert await asyncio.gather(*waiters[1:]) == [ExitStatus(code=3)] * 2


async def test_who_waits_late_is_told_until_the_tree_is_cleared(scene: Scene) -> None:
    """An end is remembered until it has been dealt with; then nothing is known of it."""
    process = await scene.start("coder", term_code=3)
    scene.strike(process, signal.SIGTERM)
    await scene.backend.wait(process)
    assert await scene.backend.wait(process) == ExitStatus(code=3)
    await scene.backend.clear(start_id("coder"), scene.spec("coder").lock_path)
    assert await scene.backend.wait(process) == ExitStatus()


async def test_waiting_for_a_stranger_returns_at_once(scene: Scene) -> None:
    """Of a process that is not there any more nothing is known."""
    process = await scene.start("coder")
    assert await scene.backend.wait(replace(process, start_ticks=process.start_ticks - 1)) == ExitStatus()


async def test_an_adopted_process_is_waited_for(scene: Scene) -> None:
    """A new daemon finds the process and hears of its end."""
    process = await scene.start("coder")
    await scene.restart_daemon()
    assert await scene.backend.find(start_id("coder"), process) == process
    scene.strike(process, signal.SIGKILL)
    await scene.backend.wait(process)
    assert await scene.backend.find(start_id("coder"), process) is None


async def test_terminating_lets_a_process_end_its_own_way(scene: Scene) -> None:
    """SIGTERM, and the code is the process's own."""
    process = await scene.start("coder", term_code=4)
    await scene.backend.terminate(process)
    assert await scene.backend.wait(process) == ExitStatus(code=4)


async def test_a_stubborn_process_survives_terminating_but_not_killing(scene: Scene) -> None:
    """Ending it for good is another call."""
    process = await scene.start("coder", ignores_term=True)
    await scene.backend.terminate(process)
    assert await scene.backend.find(start_id("coder"), process) == process
    await scene.backend.kill(process)
    assert await scene.backend.wait(process) == ExitStatus(signal=9)


async def test_ending_what_has_ended_is_harmless(scene: Scene) -> None:
    """Neither call raises when the process is gone."""
    process = await scene.start("coder")
    scene.strike(process, signal.SIGKILL)
    await scene.backend.wait(process)
    await scene.backend.terminate(process)
    await scene.backend.kill(process)
    await scene.backend.clear(start_id("coder"), scene.spec("coder").lock_path)
    await scene.backend.clear(start_id("coder"), scene.spec("coder").lock_path)


async def test_what_a_tree_leaves_behind_holds_the_lock_until_it_is_cleared(scene: Scene) -> None:
    """A daemon of the gateway keeps the profile busy, and clearing ends it."""
    process = await scene.start_with_daemon("coder")
    scene.strike(process, signal.SIGKILL)
    await scene.backend.wait(process)
    with pytest.raises(ProfileBusy):
        await scene.backend.start(scene.spec("coder"))
    await scene.backend.clear(start_id("coder"), scene.spec("coder").lock_path)
    await scene.start("coder")


async def test_killing_ends_the_whole_tree(scene: Scene) -> None:
    """A daemon of the gateway too."""
    process = await scene.start_with_daemon("coder")
    await scene.backend.kill(process)
    await scene.backend.wait(process)
    await scene.backend.clear(start_id("coder"), scene.spec("coder").lock_path)
    await scene.start("coder")


async def test_a_lock_is_forgotten_once_nothing_holds_it(scene: Scene) -> None:
    """While the gateway lives its lock stays; afterwards it can be removed, twice, and used again."""
    lock_path = scene.spec("coder").lock_path
    process = await scene.start("coder")
    with pytest.raises(ProfileBusy):
        await scene.backend.forget(lock_path)
    await scene.backend.kill(process)
    await scene.backend.wait(process)
    await scene.backend.clear(start_id("coder"), lock_path)
    await scene.backend.forget(lock_path)
    assert not lock_path.exists()
    await scene.backend.forget(lock_path)
    await scene.start("coder")
