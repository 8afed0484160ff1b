"""What process trees use, as /proc shows it (port `Meter`).

Owns: which processes are of a tree and what is added up. Must not know what is made of it.

Linux only. A tree is read off one pass over all processes, however many trees there are: the kernel's own lists of
children (`/proc/PID/task/*/children`) are of one thread each, are no list of one moment, and are missing from
kernels that were built without them. The same pass finds who was left by its parent but stayed in the session.
"""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hermesd.adapters import procfs
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.samples import Reading

STAT_BYTES = 1024
"""More than a line of /proc/PID/stat ever has."""

ZOMBIE_STATES = frozenset({b"Z", b"X", b"x"})
FIELDS_BEFORE = 3
"""The first field after the command's name is number 3, as proc(5) counts them."""


@dataclass
class _Seen:
    """Every process of the machine at one moment."""

    stats: Mapping[int, bytes]
    """What stands behind the command's name in /proc/PID/stat, by pid."""
    children: Mapping[int, Sequence[int]]
    """By the pid of who is asked how they ended."""
    sessions: Mapping[int, Sequence[int]]
    """Who is in a session without being its leader, by the leader's pid."""
    stops: Collection[int]
    """Where a tree ends: at another tree, and at this process, which its own gateway may have started."""


@dataclass
class _Sum:
    """What a tree uses, as far as it has been added up."""

    ticks: int = 0
    pages: int = 0
    descriptors: int = 0
    threads: int = 0
    processes: int = 0


class KernelMeter:
    """Counts, by one pass over /proc a call."""

    def __init__(self) -> None:
        self._ticks_per_s = os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._has_counts = os.stat("/proc/self/fd").st_size > 0  # noqa: PTH116 - hot, as below; since Linux 6.2

    def measure(self, roots: Sequence[ProcessIdentity]) -> dict[ProcessIdentity, Reading]:
        """See the port."""
        if not roots:
            return {}
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        boot = procfs.boot_id()
        seen = _look({root.pid for root in roots} | {os.getpid()})
        found = {}
        for root in roots:
            started = _started(seen.stats.get(root.pid))
            if root.boot_id == boot and started == root.start_ticks:
                found[root] = self._add_up(root, seen, now_s)
        return found

    def _add_up(self, root: ProcessIdentity, seen: _Seen, now_s: float) -> Reading:
        tree = _Sum()
        for pid in _members(root.pid, seen):
            fields = seen.stats[pid].split()
            # utime, stime and those of children that were waited for: of one that ended they move to its parent
            tree.ticks += int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
            if fields[0] in ZOMBIE_STATES:
                continue
            tree.processes += 1
            tree.threads += int(fields[17])
            tree.pages += int(fields[21])
            tree.descriptors += self._descriptors(pid)
        return Reading(
            cpu_s=tree.ticks / self._ticks_per_s,
            rss_bytes=tree.pages * self._page_bytes,
            descriptors=tree.descriptors,
            threads=tree.threads,
            processes=tree.processes,
            age_s=max(now_s - root.start_ticks / self._ticks_per_s, 0.0),
        )

    def _descriptors(self, pid: int) -> int:
        """How many a process has open; 0 where that may not be seen, or it has ended."""
        path = f"/proc/{pid}/fd"
        try:
            return os.stat(path).st_size if self._has_counts else len(os.listdir(path))  # noqa: PTH116, PTH208
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return 0


def _look(stops: Collection[int]) -> _Seen:
    stats: dict[int, bytes] = {}
    children: dict[int, list[int]] = {}
    sessions: dict[int, list[int]] = {}
    for pid in procfs.pids():
        line = _read_stat(pid)
        if line is None:
            continue
        stats[pid] = line
        _, parent, _, session, _ = line.split(None, 4)
        children.setdefault(int(parent), []).append(pid)
        if (leader := int(session)) != pid:
            sessions.setdefault(leader, []).append(pid)
    return _Seen(stats, children, sessions, stops)


def _members(root: int, seen: _Seen) -> Iterator[int]:
    """A process, who is in its session, and everybody they started; each once."""
    waiting, found = [root, *seen.sessions.get(root, ())], set[int]()
    while waiting:
        pid = waiting.pop()
        if pid not in found and (pid == root or pid not in seen.stops):
            found.add(pid)
            waiting += seen.children.get(pid, ())
            yield pid


def _started(line: bytes | None) -> int | None:
    """When a process started, in ticks since boot, if it has not ended."""
    if line is None:
        return None
    fields = line.split()
    return None if fields[0] in ZOMBIE_STATES else int(fields[22 - FIELDS_BEFORE])


def _read_stat(pid: int) -> bytes | None:
    """What stands behind the command's name, which may itself hold spaces and parentheses."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        line = os.read(fd, STAT_BYTES)
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    _, _, fields = line.rpartition(b")")
    return fields or None
