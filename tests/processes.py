"""Real processes for tests: the scripted gateway, and a place where everything that is started ends.

Owns: where a start's files lie, when a gateway is up, who is ended at last. Must not know what a test wants of it.
"""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hermesd.adapters import procfs
from hermesd.adapters.backends.choice import ManagerSite
from hermesd.adapters.backends.session import SessionBackend
from hermesd.adapters.backends.systemd import SystemdBackend
from hermesd.adapters.backends.systemd_bus import Systemd
from hermesd.adapters.clock import SystemClock
from hermesd.domain.ports import Clock
from hermesd.domain.process import ProcessIdentity, SpawnSpec
from tests.waiting import until

GATEWAY = Path(__file__).parent / "fakes" / "gateway.py"
PYTHON = (sys.executable, "-I")
BACKEND = os.environ.get("HERMESD_TEST_BACKEND", "session")
"""Which backend real processes are started by; `systemd` needs a manager of our own, see `tests/e2e/systemd`."""
RUN = secrets.token_hex(6)
"""Processes are found by spawn id all over the machine, where other test runs may be under way."""


def real_backend(clock: Clock) -> SessionBackend | SystemdBackend:
    """The backend under test."""
    if BACKEND == "systemd":
        return SystemdBackend(clock, Systemd(ManagerSite(os.geteuid()).bus), suffix=RUN)
    return SessionBackend(clock)


def start_id(name: str = "coder") -> str:
    """The spawn id of the gateway of that name, which no other test run has."""
    return f"{RUN}-{name}"


def spec_of(directory: Path, *argv: str, name: str = "coder", spawn_id: str = "") -> SpawnSpec:
    """A start of any program, with its log and lock in `directory`."""
    return SpawnSpec(
        name=name,
        spawn_id=spawn_id or start_id(name),
        argv=argv,
        environment={"PATH": "/usr/bin:/bin"},
        working_directory=directory,
        log_path=directory / f"{name}.log",
        lock_path=directory / f"{name}.lock",
    )


def gateway_spec(directory: Path, *flags: str, name: str = "coder", spawn_id: str = "") -> SpawnSpec:
    """A start of the scripted gateway."""
    return spec_of(directory, *PYTHON, str(GATEWAY), *flags, name=name, spawn_id=spawn_id)


def with_home(spec: SpawnSpec, home: Path) -> SpawnSpec:
    """The same start with `HERMES_HOME`."""
    return replace(spec, environment={**spec.environment, "HERMES_HOME": str(home)})


def is_up(spec: SpawnSpec) -> bool:
    """Whether the last gateway writing to this log has said that it is up."""
    return spec.log_path.exists() and "up" in spec.log_path.read_text().splitlines()


async def until_up(spec: SpawnSpec) -> None:
    """Waits for it, for its signals work only from then on."""
    await until(lambda: is_up(spec), f"the gateway of {spec.log_path} to be up")


@contextlib.contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed and reaped afterwards, whatever the test found."""
    with process:
        try:
            yield process
        finally:
            process.kill()


class HurriedClock(SystemClock):
    """A clock whose seconds are short, so that patience can be tried without having it."""

    def __init__(self, haste: float = 20.0) -> None:
        self._haste = haste

    def monotonic_s(self) -> float:
        return super().monotonic_s() * self._haste

    async def sleep_s(self, seconds: float) -> None:
        await super().sleep_s(seconds / self._haste)


class Place:
    """A backend in a directory, which ends at last whatever it started."""

    def __init__(self, directory: Path, backend: SessionBackend | SystemdBackend | None = None) -> None:
        self.directory = directory
        self.backend = backend or real_backend(SystemClock())
        self._started: list[tuple[ProcessIdentity, SpawnSpec]] = []

    async def start(self, *flags: str, name: str = "coder", spawn_id: str = "") -> ProcessIdentity:
        """Starts a scripted gateway and waits until it is up."""
        return await self.start_spec(gateway_spec(self.directory, *flags, name=name, spawn_id=spawn_id))

    async def start_spec(self, spec: SpawnSpec, *, is_gateway: bool = True) -> ProcessIdentity:
        """Starts anything."""
        process = await self.backend.start(spec)
        self._started.append((process, spec))
        if is_gateway:
            await until_up(spec)
        return process

    def lock(self, name: str = "coder") -> Path:
        """The lock of that gateway."""
        return self.directory / f"{name}.lock"

    async def close(self) -> None:
        """Ends everything that was started here."""
        for process, spec in self._started:
            await self.backend.kill(process)
            await self.backend.wait(process)
            await self.backend.clear(spec.spawn_id, spec.lock_path)
        await self.backend.close()


def is_held(path: Path) -> bool:
    """Whether any process has a lock on this file, seen without trying it."""
    return any(procfs.holds(pid, path) for pid in procfs.pids())
