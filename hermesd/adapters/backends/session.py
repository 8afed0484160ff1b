"""Process trees kept together by what every process of them inherits (port `Backend`).

Owns: gateways in sessions of their own, on systems without a service manager. A process is proven to be of a tree
by its recorded identity, by the spawn id in its environment, or by holding the tree's lock through an inherited
descriptor. Nothing else proves it: no process group, no command line, no pid file. Must not know what a gateway
is wanted for.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from hermesd.adapters import locks, pidfd, procfs
from hermesd.adapters.spawn import spawn
from hermesd.domain.errors import GatewayStuck, NotPermitted
from hermesd.domain.ports import Clock
from hermesd.domain.process import ExitStatus, ProcessIdentity, SpawnSpec

LEFTOVER_TERM_S = 2.0
"""How long what is left of a tree may take to end by itself after SIGTERM."""
LEFTOVER_KILL_S = 10.0
"""How long it may survive SIGKILL before it counts as stuck."""
LEFTOVER_POLL_S = 0.05
"""How often the tree is looked at meanwhile: the kernel tells nobody that a lock is free."""

Tree = dict[ProcessIdentity, Callable[[], bool]]
"""Processes, each with the proof that it is of the tree, to be asked again while it is held."""
Result = TypeVar("Result")


class SessionBackend:
    """Gateways as daemons of their own, which live on when hermesd ends.

    To be used in one event loop. Each process that was started or found is watched from that moment, since the
    kernel tells how an adopted one ended only to who held it while it lived.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watches: dict[ProcessIdentity, asyncio.Task[ExitStatus]] = {}
        """Ended processes stay until their tree is cleared, for who waits late."""

    async def start(self, spec: SpawnSpec) -> ProcessIdentity:
        """See the port and `spawn`. A cancelled start is finished first, so that `find` finds what it left."""
        return await _finish(self._start(spec))

    async def find(self, spawn_id: str, process: ProcessIdentity | None) -> ProcessIdentity | None:
        """See the port. A process recorded for another start proves nothing and is searched anew."""
        if process is None or process.spawn_id != spawn_id:
            process = await asyncio.to_thread(_oldest_leader, spawn_id)
        if process is None or not procfs.is_alive(process):
            return None
        return None if self._watch_of(process) is None else process

    async def wait(self, process: ProcessIdentity) -> ExitStatus:
        """See the port. Any number may wait; none is disturbed when another is cancelled."""
        watch = self._watch_of(process)
        return ExitStatus() if watch is None else await asyncio.shield(watch)

    async def terminate(self, process: ProcessIdentity) -> None:
        """See the port. Raises `NotPermitted` if the process now belongs to another uid."""
        pidfd.send(process, signal.SIGTERM)

    async def kill(self, process: ProcessIdentity) -> None:
        """See the port. What proves itself by the lock alone is left to `clear`, which knows the lock."""
        await asyncio.to_thread(_kill_tree, process)

    async def clear(self, spawn_id: str, lock_path: Path) -> None:
        """See the port: SIGTERM for what is left, SIGKILL for what is left of that."""
        for number, patience_s in ((signal.SIGTERM, LEFTOVER_TERM_S), (signal.SIGKILL, LEFTOVER_KILL_S)):
            if await self._drive_out(spawn_id, lock_path, number, patience_s):
                self._forget(spawn_id)
                return
        pids = [str(left.pid) for left in await asyncio.to_thread(_leftovers, spawn_id, lock_path)]
        who = f"process {', '.join(pids)}" if pids else "a process that hermesd may not look at"
        raise GatewayStuck(
            f"cannot end what is left of the gateway: {who} survived SIGKILL for {LEFTOVER_KILL_S:g} s",
            pids=" ".join(pids),
            path=str(lock_path),
        )

    async def close(self) -> None:
        """Stops watching. The processes live on; children of ours that end from now on stay zombies."""
        watches = list(self._watches.values())
        self._watches.clear()
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def _start(self, spec: SpawnSpec) -> ProcessIdentity:
        spawned = await asyncio.to_thread(spawn, spec)
        self._watch(spawned.process, spawned.pidfd)
        return spawned.process

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

    def _forget(self, spawn_id: str) -> None:
        for process, watch in list(self._watches.items()):
            if process.spawn_id == spawn_id and watch.done():
                del self._watches[process]

    async def _drive_out(self, spawn_id: str, lock_path: Path, number: signal.Signals, patience_s: float) -> bool:
        """Signals each process of the tree once; whether none was left in time."""
        deadline_s = self._clock.monotonic_s() + patience_s
        signalled: set[ProcessIdentity] = set()
        while True:
            left = await asyncio.to_thread(_leftovers, spawn_id, lock_path)
            if not left and await asyncio.to_thread(locks.is_free, lock_path):
                return True
            _signal({process: proof for process, proof in left.items() if process not in signalled}, number)
            signalled |= left.keys()
            if self._clock.monotonic_s() >= deadline_s:
                return False
            await self._clock.sleep_s(LEFTOVER_POLL_S)


async def _finish(work: Coroutine[None, None, Result]) -> Result:
    """Awaits work that must not be cut off: a cancellation is honoured when it is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at: the caller hears of its own cancellation instead
        raise


def _members(spawn_id: str) -> list[ProcessIdentity]:
    """Processes of a tree by their environment; never hermesd, which an agent may have started."""
    return [member for member in procfs.members(spawn_id) if member.pid != os.getpid()]


def _oldest_leader(spawn_id: str) -> ProcessIdentity | None:
    """The main process of a start: it leads a session and began before everything it started.

    If it has ended already, this may be a daemon of its tree instead, which then never becomes ready and is
    stopped for that.
    """
    for member in _members(spawn_id):
        found = procfs.stat(member.pid)
        if found is not None and found.session == member.pid:
            return member
    return None


def _kill_tree(main: ProcessIdentity) -> None:
    _signal(
        {process: partial(procfs.is_alive, process) for process in (main, *_members(main.spawn_id))},
        signal.SIGKILL,
    )


def _leftovers(spawn_id: str, lock_path: Path) -> Tree:
    """What is left of a tree. Who holds the lock is only searched for when it is held."""
    tree: Tree = {member: partial(procfs.is_alive, member) for member in _members(spawn_id)}
    if locks.is_free(lock_path):
        return tree
    for pid in procfs.holders(lock_path):
        holder = procfs.identity(pid, spawn_id)
        if holder is not None and holder not in tree and _has_inherited(pid, lock_path):
            tree[holder] = partial(_has_inherited, pid, lock_path)
    return tree


def _has_inherited(pid: int, lock_path: Path) -> bool:
    """Whether a process is of the tree because it holds its lock, which lies where only we and our children look.

    Not hermesd itself, and not another child of ours, which is a copy of us and our descriptors until its exec.
    """
    if pid == os.getpid() or not procfs.holds(pid, lock_path):
        return False
    found = procfs.stat(pid)
    is_child = found is not None and found.parent_pid == os.getpid()
    return not (is_child and procfs.command_line(pid) == procfs.command_line(os.getpid()))


def _signal(tree: Tree, number: signal.Signals) -> None:
    for process, proof in tree.items():
        with suppress(NotPermitted):  # the others still get theirs; `clear` reports who is left as stuck
            pidfd.send_if(process.pid, number, proof)
