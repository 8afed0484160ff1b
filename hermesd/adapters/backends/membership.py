"""Who is of a gateway's process tree.

Owns: the proofs. A process is of a tree by its recorded identity, by the spawn id in its environment if that names
no other home, by holding the tree's lock through an inherited descriptor, or by being in the control group that a
service manager made for this tree alone. Nothing else proves it: no process group, no command line, no pid file.
Must not know when anybody is to be ended. Everything is a snapshot, so each process comes with its proof, to be
asked again while it is held.
"""

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from hermesd.adapters import locks, pidfd, procfs
from hermesd.adapters.backends import cgroups
from hermesd.domain.errors import NotPermitted
from hermesd.domain.process import SPAWN_ID_VARIABLE, ProcessIdentity

Tree = dict[ProcessIdentity, Callable[[], bool]]
"""Processes, each with the proof that it is of the tree."""


def oldest_leader(spawn_id: str, home: Path | None) -> ProcessIdentity | None:
    """The main process of a start: it leads a session and began before everything it started.

    If it has ended already, this may be a daemon of its tree instead, which then never becomes ready and is
    stopped for that.
    """
    for member in _members(spawn_id, home):
        found = procfs.stat(member.pid)
        if found is not None and found.session == member.pid:
            return member
    return None


def tree_of(main: ProcessIdentity, home: Path | None, cgroup: str) -> Tree:
    """A main process and what it started; the lock is not asked for. `cgroup` is empty if the tree has none."""
    members = _members(main.spawn_id, home)
    found: Tree = {process: partial(procfs.is_alive, process) for process in (main, *members)}
    return found | inhabitants(cgroup, main.spawn_id)


def leftovers(
    spawn_id: str, home: Path | None, lock_path: Path, cgroup: str, others: Collection[int]
) -> tuple[Tree, bool]:
    """What is left of a tree, and whether its lock is free. Who holds it is only searched for when it is held.

    `others` are pids of main processes of other trees, which are spared the look.
    """
    tree: Tree = {member: partial(procfs.is_alive, member) for member in _members(spawn_id, home, others)}
    tree |= inhabitants(cgroup, spawn_id)
    if locks.is_free(lock_path):
        return tree, True
    for pid in procfs.holders(lock_path):
        holder = procfs.identity(pid, spawn_id)
        if holder is not None and holder not in tree and _has_inherited(pid, lock_path):
            tree[holder] = partial(_has_inherited, pid, lock_path)
    return tree, False


def inhabitants(cgroup: str, spawn_id: str) -> Tree:
    """The living processes in a tree's control group and those below it; none if `cgroup` is empty.

    Not hermesd, and nothing of another start: an agent may have started hermesd, whose own starts begin where it
    runs itself.
    """
    found = (procfs.identity(pid, spawn_id) for pid in cgroups.members(cgroup))
    candidates = {one: partial(_lives_in, one, cgroup) for one in found if one is not None}
    return {one: proof for one, proof in candidates.items() if proof()}


def signal_tree(tree: Tree, number: signal.Signals) -> None:
    """Sends a signal to each process whose proof still holds."""
    for process, proof in tree.items():
        with suppress(NotPermitted):  # the others still get theirs; who clears the tree reports who is left
            pidfd.send_if(process.pid, number, proof)


def _members(spawn_id: str, home: Path | None, others: Collection[int] = frozenset()) -> list[ProcessIdentity]:
    """Processes of a tree by their environment; never hermesd, which an agent may have started."""
    return [member for member in procfs.members(spawn_id, home, others) if member.pid != os.getpid()]


def _lives_in(process: ProcessIdentity, cgroup: str) -> bool:
    if process.pid == os.getpid() or not procfs.is_alive(process) or not cgroups.is_in(process.pid, cgroup):
        return False
    environment = procfs.environ_of(process.pid) or {}
    return environment.get(SPAWN_ID_VARIABLE, process.spawn_id) == process.spawn_id


def _has_inherited(pid: int, lock_path: Path) -> bool:
    """Whether a process is of the tree because it holds its lock, which lies where only we and our children look.

    Not hermesd itself, and not another child of ours, which is a copy of us and our descriptors until its exec.
    """
    if pid == os.getpid() or not procfs.holds(pid, lock_path):
        return False
    found = procfs.stat(pid)
    is_child = found is not None and found.parent_pid == os.getpid()
    return not (is_child and procfs.command_line(pid) == procfs.command_line(os.getpid()))
