"""Process trees kept together by systemd (port `Backend`).

Owns: gateways in transient scopes of their own, `hermes-gateway-NAME.scope` in `hermes.slice`. The control group
of a scope proves one thing more than the session backend knows: who is of a tree although it dropped both
environment and lock. The scope only encloses. Starting, watching and ending are the daemon's, so what runs can be
ended when the manager is away. Must not know what a gateway is wanted for.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hermesd.adapters import locks, pidfd, procfs
from hermesd.adapters.backends import cgroups
from hermesd.adapters.backends.ceilings import ceilings_of
from hermesd.adapters.backends.process_trees import ProcessTrees, finish
from hermesd.adapters.backends.systemd_bus import Systemd, Unit, UnitExists
from hermesd.adapters.spawn import spawn_waiting
from hermesd.domain.errors import HermesError, ProfileBusy
from hermesd.domain.limits import Limit
from hermesd.domain.ports import Clock
from hermesd.domain.process import ExitStatus, ProcessIdentity, SpawnSpec

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
PREFIX = "hermes-gateway-"
SCOPE = ".scope"
START = ", start "
ASKED_AT_ONCE = 4
"""Threads that may wait for the manager; our own, so that one that hangs holds up nothing else of the daemon."""
REMOVAL_LIMIT_S = 10.0
"""How long systemd may take to forget a scope in which nothing runs."""
REMOVAL_POLL_S = 0.02


class SystemdBackend:
    """Gateways in scopes, which live on when hermesd ends. To be used in one event loop.

    `suffix` tells apart the scopes of several daemons of one user; it is empty for at most one of them.
    """

    def __init__(self, clock: Clock, systemd: Systemd, suffix: str = "") -> None:
        self._clock = clock
        self._systemd = systemd
        self._suffix = f"-{suffix}" if suffix else ""
        self._trees = ProcessTrees(clock)
        self._cgroups: dict[str, str] = {}
        """Control groups of the trees that were started or found here, by spawn id."""
        self._threads = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="systemd")

    async def start(self, spec: SpawnSpec) -> ProcessIdentity:
        """See the port and `spawn_waiting`. A cancelled start is finished first: `find` finds what it left.

        Raises `HermesError` besides if systemd cannot be reached, `NotPermitted` if it refuses, `ProfileBusy` if
        the scope is not hermesd's, `GatewayStuck` if what an earlier start left in it cannot be ended.
        """
        return await finish(self._start(spec))

    async def find(
        self, spawn_id: str, process: ProcessIdentity | None, *, home: Path | None = None
    ) -> ProcessIdentity | None:
        """See the port. It does not matter which backend started the process."""
        found = await self._trees.find(spawn_id, process, home=home)
        if found is not None:
            self._remember(found)
        return found

    async def limits(self, process: ProcessIdentity) -> frozenset[Limit] | None:
        """See the port. Asked of the kernel: a manager accepts limits that it has no controller for."""
        cgroup = self._cgroups.get(process.spawn_id, "")
        held = await asyncio.to_thread(ceilings_of, cgroup) if cgroup else frozenset()
        return held if procfs.is_alive(process) else None

    async def wait(self, process: ProcessIdentity) -> ExitStatus:
        """See the port."""
        return await self._trees.wait(process)

    async def terminate(self, process: ProcessIdentity) -> None:
        """See the port. Raises `NotPermitted` if the process now belongs to another uid."""
        await self._trees.terminate(process)

    async def kill(self, process: ProcessIdentity, *, home: Path | None = None) -> None:
        """See the port."""
        await self._trees.kill(process, home=home, cgroup=self._cgroups.get(process.spawn_id, ""))

    async def clear(self, spawn_id: str, lock_path: Path, *, home: Path | None = None) -> None:
        """See the port. Without a manager it does what the session backend does."""
        unit, cgroup = await self._enclosure(spawn_id)
        await self._trees.clear(spawn_id, lock_path, home=home, cgroup=cgroup)
        self._cgroups.pop(spawn_id, None)
        if unit is None:
            return
        try:
            await self._remove(unit, cgroup)
        except HermesError as error:
            log.warning("unit=%s is left behind: %s", unit.name, error.message)

    async def forget(self, lock_path: Path) -> None:
        """See the port."""
        await asyncio.to_thread(locks.remove, lock_path)

    async def close(self) -> None:
        """Stops watching; the processes live on."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._trees.close()

    async def leave_gateway(self) -> None:
        """Takes hermesd itself out of a gateway's scope, if an agent started it there; else nothing is done."""
        if is_gateway_scope(cgroups.unit_of(os.getpid())):
            name = f"hermesd-{os.getpid()}{SCOPE}"
            await self._ask(self._systemd.start_scope, name, os.getpid(), "hermesd, started by an agent")

    async def _start(self, spec: SpawnSpec) -> ProcessIdentity:
        spawned, gate = await asyncio.to_thread(spawn_waiting, spec)
        process = spawned.process
        with gate:
            self._trees.watch(spawned)
            try:
                await self._enclose(spec, process)
            except HermesError:
                pidfd.send(process, signal.SIGKILL)
                await self._trees.wait(process)
                self._trees.forget(spec.spawn_id)
                raise
            gate.open()
        return process

    async def _enclose(self, spec: SpawnSpec, process: ProcessIdentity) -> None:
        """Puts a waiting process, which holds the lock, into its scope."""
        name = f"{PREFIX}{spec.name}{self._suffix}{SCOPE}"
        scope = (name, process.pid, f"{_purpose(spec.name)}{spec.spawn_id}", spec.limits)
        try:
            await self._ask(self._systemd.start_scope, *scope)
        except UnitExists:
            await self._make_room(name, spec.name)
            await self._ask(self._systemd.start_scope, *scope)
        if cgroups.unit_of(process.pid) != name and procfs.is_alive(process):
            raise HermesError(f"cannot start unit {name}: process {process.pid} did not get into it", unit=name)
        self._remember(process)

    async def _make_room(self, name: str, profile: str) -> None:
        """Ends what is left in a scope of an earlier start. The lock is free, so its main process has ended."""
        unit = await self._unit(name)
        if unit is None:
            return
        if not unit.description.startswith(_purpose(profile)):
            raise ProfileBusy(f"cannot start unit {name}: somebody else has made one of that name", unit=name)
        cgroup = await self._ask(self._systemd.control_group, unit)
        await self._trees.empty(cgroup, unit.description.removeprefix(_purpose(profile)))
        await self._remove(unit, cgroup)

    async def _remove(self, unit: Unit, cgroup: str) -> None:
        """Waits until systemd has forgotten an empty scope, and tells it, since it may have missed the end.

        Raises `ProfileBusy` if the scope is not empty: stopping it would end what is not of the tree.
        """
        deadline_s = self._clock.monotonic_s() + REMOVAL_LIMIT_S
        is_told = False
        while await self._unit(unit.name) == unit:
            if strangers := await asyncio.to_thread(cgroups.members, cgroup):
                pids = " ".join(map(str, strangers))
                raise ProfileBusy(f"unit {unit.name} is used by others (pid {pids})", unit=unit.name, pids=pids)
            if not is_told:
                await self._ask(self._systemd.stop, unit)
                is_told = True
            if self._clock.monotonic_s() >= deadline_s:
                raise HermesError(f"unit {unit.name} does not go away", unit=unit.name)
            await self._clock.sleep_s(REMOVAL_POLL_S)

    async def _enclosure(self, spawn_id: str) -> tuple[Unit | None, str]:
        """The scope of a start and its control group. Without a manager, the group is what we saw ourselves."""
        seen = self._cgroups.get(spawn_id, "")
        try:
            for unit in await self._ask(self._systemd.units, seen.rpartition("/")[2] or f"{PREFIX}*{SCOPE}"):
                if unit.description.endswith(f"{START}{spawn_id}"):
                    return unit, seen or await self._ask(self._systemd.control_group, unit)
        except HermesError as error:
            log.warning("spawn=%s scope not looked for: %s", spawn_id, error.message)
            return None, seen
        return None, ""

    async def _ask(self, question: Callable[..., Answer], *arguments: object) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, question, *arguments)

    async def _unit(self, name: str) -> Unit | None:
        return next(iter(await self._ask(self._systemd.units, name)), None)

    def _remember(self, process: ProcessIdentity) -> None:
        cgroup = cgroups.of(process.pid) or ""
        if is_gateway_scope(cgroup.rpartition("/")[2]):
            self._cgroups[process.spawn_id] = cgroup


def is_gateway_scope(unit: str) -> bool:
    """Whether that is the name of a scope that a gateway runs in."""
    return unit.startswith(PREFIX) and unit.endswith(SCOPE)


def _purpose(profile: str) -> str:
    """How the description of a profile's scope begins; it goes on with the spawn id, which says whose it is."""
    return f"Hermes gateway of {profile}{START}"
