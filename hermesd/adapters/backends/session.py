"""Process trees kept together by what every process of them inherits (port `Backend`).

Owns: gateways in sessions of their own, on systems without a service manager. Must not know what a gateway is
wanted for.
"""

import asyncio
from pathlib import Path

from hermesd.adapters import locks, procfs
from hermesd.adapters.backends.process_trees import ProcessTrees, finish
from hermesd.adapters.spawn import spawn
from hermesd.domain.limits import Limit
from hermesd.domain.ports import Clock
from hermesd.domain.process import ExitStatus, ProcessIdentity, SpawnSpec


class SessionBackend:
    """Gateways as daemons of their own, which live on when hermesd ends. To be used in one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._trees = ProcessTrees(clock)

    async def start(self, spec: SpawnSpec) -> ProcessIdentity:
        """See the port and `spawn`. A cancelled start is finished first, so that `find` finds what it left."""
        return await finish(self._start(spec))

    async def find(
        self, spawn_id: str, process: ProcessIdentity | None, *, home: Path | None = None
    ) -> ProcessIdentity | None:
        """See the port."""
        return await self._trees.find(spawn_id, process, home=home)

    async def limits(self, process: ProcessIdentity) -> frozenset[Limit] | None:
        """See the port. No kind: limits without a control group are of one process, and forking escapes them."""
        return frozenset() if procfs.is_alive(process) else None

    async def wait(self, process: ProcessIdentity) -> ExitStatus:
        """See the port."""
        return await self._trees.wait(process)

    async def terminate(self, process: ProcessIdentity) -> None:
        """See the port. Raises `NotPermitted` if the process now belongs to another uid."""
        await self._trees.terminate(process)

    async def kill(self, process: ProcessIdentity, *, home: Path | None = None) -> None:
        """See the port."""
        await self._trees.kill(process, home=home)

    async def clear(self, spawn_id: str, lock_path: Path, *, home: Path | None = None) -> None:
        """See the port."""
        await self._trees.clear(spawn_id, lock_path, home=home)

    async def forget(self, lock_path: Path) -> None:
        """See the port."""
        await asyncio.to_thread(locks.remove, lock_path)

    async def close(self) -> None:
        """Stops watching; the processes live on."""
        await self._trees.close()

    async def _start(self, spec: SpawnSpec) -> ProcessIdentity:
        spawned = await asyncio.to_thread(spawn, spec)
        self._trees.watch(spawned)
        return spawned.process
