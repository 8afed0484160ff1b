"""The process trees of gateways, watched and ended.

Owns: one watch over each main process, and ending a tree whole, whatever it was started by. Backends differ in how
a tree begins and in what proves who is of it; all else they leave to this. Must not know what a gateway is wanted
for.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from hermesd.adapters import pidfd, procfs
from hermesd.adapters.backends import membership
from hermesd.adapters.backends.membership import Tree
from hermesd.adapters.spawn import Spawned
from hermesd.domain.errors import GatewayStuck
from hermesd.domain.ports import Clock
from hermesd.domain.process import ExitStatus, ProcessIdentity

LEFTOVER_TERM_S = 2.0
"""How long what is left of a tree may take to end by itself after SIGTERM."""
LEFTOVER_KILL_S = 10.0
"""How long it may survive SIGKILL before it counts as stuck."""
LEFTOVER_POLL_S = 0.05
"""How often the tree is looked at meanwhile: the kernel tells nobody that a lock is free."""
EXECUTION_S = 0.05
"""How long a process may take to become another program."""

Result = TypeVar("Result")


class ProcessTrees:
    """Trees by their main processes.

    To be used in one event loop. Each process that was started or found is watched from that moment, since the
    kernel tells how an adopted one ended only to who held it while it lived.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watches: dict[ProcessIdentity, asyncio.Task[ExitStatus]] = {}
        """Ended processes stay until their tree is cleared, for who waits late."""

    def watch(self, spawned: Spawned) -> None:
        """Watches a process that was just started, and reaps it at its end."""
        self._watch(spawned.process, spawned.pidfd)

    async def find(
        self, spawn_id: str, process: ProcessIdentity | None, *, home: Path | None = None
    ) -> ProcessIdentity | None:
        """See the port. A process recorded for another start proves nothing and is searched anew."""
        if process is None or process.spawn_id != spawn_id:
            process = await self._search(spawn_id, home)
        if process is None or not procfs.is_alive(process) or not procfs.is_at_home(process.pid, home):
            return None
        return None if self._watch_of(process) is None else process

    async def wait(self, process: ProcessIdentity) -> ExitStatus:
        """See the port. Any number may wait; none is disturbed when another is cancelled."""
        watch = self._watch_of(process)
        return ExitStatus() if watch is None else await asyncio.shield(watch)

    async def terminate(self, process: ProcessIdentity) -> None:
        """See the port. Raises `NotPermitted` if the process now belongs to another uid."""
        await asyncio.to_thread(pidfd.send, process, signal.SIGTERM)

    async def kill(self, process: ProcessIdentity, *, home: Path | None = None, cgroup: str = "") -> None:
        """See the port. What proves itself by the lock alone is left to `clear`, which knows the lock."""
        tree = await asyncio.to_thread(membership.tree_of, process, home, cgroup)
        await asyncio.to_thread(membership.signal_tree, tree, signal.SIGKILL)

    async def clear(self, spawn_id: str, lock_path: Path, *, home: Path | None = None, cgroup: str = "") -> None:
        """See the port: SIGTERM for what is left, SIGKILL for what is left of that."""
        await self._end(
            lambda: membership.leftovers(spawn_id, home, lock_path, cgroup, self._others(spawn_id)),
            str(lock_path),
        )
        self.forget(spawn_id)

    def forget(self, spawn_id: str) -> None:
        """Forgets how the processes of a start ended."""
        for process, watch in list(self._watches.items()):
            if process.spawn_id == spawn_id and watch.done():
                del self._watches[process]

    async def empty(self, cgroup: str, spawn_id: str) -> None:
        """Ends whatever an earlier start left in a control group. Raises `GatewayStuck` as `clear` does."""
        await self._end(lambda: (membership.inhabitants(cgroup, spawn_id), True), cgroup)

    async def close(self) -> None:
        """Stops watching. The processes live on; children of ours that end from now on stay zombies."""
        watches = list(self._watches.values())
        self._watches.clear()
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    def _others(self, spawn_id: str) -> set[int]:
        """Pids that belong to the living main processes of other starts."""
        watches = list(self._watches.items())
        return {process.pid for process, watch in watches if process.spawn_id != spawn_id and not watch.done()}

    async def _search(self, spawn_id: str, home: Path | None) -> ProcessIdentity | None:
        """Looks twice: of a process that becomes another program, /proc shows no environment for a moment."""
        found = await asyncio.to_thread(membership.oldest_leader, spawn_id, home)
        if found is None:
            await self._clock.sleep_s(EXECUTION_S)
            found = await asyncio.to_thread(membership.oldest_leader, spawn_id, home)
        return found

    def _watch(self, process: ProcessIdentity, fd: int) -> asyncio.Task[ExitStatus]:
        watch = asyncio.create_task(pidfd.exit_status(fd), name=f"watch {process.pid}")
        watch.add_done_callback(lambda _: os.close(fd))  # also if it was cancelled before it began
        self._watches[process] = watch
        return watch

    def _watch_of(self, process: ProcessIdentity) -> asyncio.Task[ExitStatus] | None:
        """The watch over a process, begun now if it lives; `None` if it ended unwatched."""
        if process in self._watches:
            return self._watches[process]
        fd = pidfd.open_living(process)
        return None if fd is None else self._watch(process, fd)

    async def _end(self, look: Callable[[], tuple[Tree, bool]], where: str) -> None:
        """Ends what `look` finds, until it finds nothing and says that nobody can be there unseen."""
        for number, patience_s in ((signal.SIGTERM, LEFTOVER_TERM_S), (signal.SIGKILL, LEFTOVER_KILL_S)):
            if await self._drive_out(look, number, patience_s):
                return
        tree, _ = await asyncio.to_thread(look)
        pids = [str(left.pid) for left in tree]
        who = f"process {', '.join(pids)}" if pids else "a process that hermesd may not look at"
        raise GatewayStuck(
            f"cannot end what is left of the gateway: {who} survived SIGKILL for {LEFTOVER_KILL_S:g} s",
            pids=" ".join(pids),
            path=where,
        )

    async def _drive_out(
        self, look: Callable[[], tuple[Tree, bool]], number: signal.Signals, patience_s: float
    ) -> bool:
        """Signals each process of the tree once; whether none was left in time."""
        deadline_s = self._clock.monotonic_s() + patience_s
        signalled: set[ProcessIdentity] = set()
        while True:
            left, is_all_seen = await asyncio.to_thread(look)
            if not left and is_all_seen:
                return True
            membership.signal_tree({who: proof for who, proof in left.items() if who not in signalled}, number)
            signalled |= left.keys()
            if self._clock.monotonic_s() >= deadline_s:
                return False
            await self._clock.sleep_s(LEFTOVER_POLL_S)


async def finish(work: Coroutine[None, None, Result]) -> Result:
    """Awaits work that must not be cut off: a cancellation is honoured when it is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at: the caller hears of its own cancellation instead
        raise
