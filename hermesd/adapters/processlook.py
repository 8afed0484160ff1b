"""What can be seen of a process from outside: its threads, descriptors and children, as text.

Owns: which files of /proc are read, and how they are told. A process is held by its directory in /proc, which can
never come to mean another process. It is only read: nothing here stops it or sends it anything. Its environment
and its command line are left alone, for both may hold secrets. Must not know why anybody looks.
"""

import errno
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from hermesd.adapters import procfs
from hermesd.domain.process import ProcessIdentity

MOST_THREADS = 256
MOST_DESCRIPTORS = 65_536
MOST_PROCESSES = 256
MOST_BYTES = 8 << 20
"""What is read of one file at most; the table of all TCP connections of a machine may be large."""

NOT_PERMITTED = "not permitted"
_ESSENTIAL = frozenset(
    (
        "State TracerPid Uid FDSize VmPeak VmSize VmHWM VmRSS VmSwap Threads SigPnd ShdPnd SigBlk SigIgn SigCgt "
        "Seccomp Cpus_allowed_list voluntary_ctxt_switches nonvoluntary_ctxt_switches"
    ).split()
)
_TCP_STATES = (
    "",
    *("established", "syn sent", "syn received", "fin wait 1", "fin wait 2", "time wait", "closed"),
    *("close wait", "last ack", "listening", "closing", "new syn received"),
)
"""By number, as Linux counts them."""


@dataclass(frozen=True)
class Section:
    """A part of what was seen."""

    title: str
    lines: tuple[str, ...]


@contextmanager
def held(process: ProcessIdentity) -> Iterator[int | None]:
    """A descriptor of exactly this process's directory in /proc, zombie or not; `None` if it is gone."""
    fd = _open_directory(process)
    try:
        yield fd if fd is not None and seen(fd, process.pid) == process.start_ticks else None
    finally:
        if fd is not None:
            os.close(fd)


def seen(fd: int, pid: int) -> int | None:
    """Start time of the process behind a descriptor, in clock ticks since boot; `None` once it is gone."""
    content = _content(fd, "stat")
    return procfs.parse_stat(pid, content).start_ticks if isinstance(content, bytes) and content else None


def status(fd: int) -> Section:
    """How the process as a whole is."""
    said = _text(fd, "status")
    lines = [line for line in said if line.partition(":")[0] in _ESSENTIAL or line == NOT_PERMITTED]
    lines += [f"{name}: {' '.join(_text(fd, name))}" for name in ("wchan", "oom_score", "cgroup")]
    return Section("process", tuple(" ".join(line.split()) for line in lines))


def threads(fd: int) -> Section:
    """Each thread: what it waits for, in the kernel's words."""
    found = _names(fd, "task")
    lines = [line for name in found[:MOST_THREADS] for line in _thread(fd, name)]
    if len(found) > MOST_THREADS:
        lines.append(f"and {len(found) - MOST_THREADS} more threads")
    return Section(f"threads: {len(found)}", tuple(lines))


def descriptors(fd: int) -> Section:
    """How many descriptors of each kind are open, and how its connections are."""
    try:
        names = _listed(fd, "fd")[:MOST_DESCRIPTORS]
    except PermissionError:
        return Section("descriptors", (NOT_PERMITTED,))
    targets = [target for name in names if (target := _target(fd, name))]
    kinds = Counter(_kind(target) for target in targets)
    lines = [f"{kind}: {count}" for kind, count in sorted(kinds.items())]
    lines += _connections(fd, {target[8:-1] for target in targets if target.startswith("socket:[")})
    return Section(f"descriptors: {len(names)}", tuple(lines))


def family(process: ProcessIdentity) -> Section:
    """What the process started, and what those started."""
    children: defaultdict[int, list[procfs.Stat]] = defaultdict(list)
    for pid in procfs.pids():
        if found := procfs.stat(pid):
            children[found.parent_pid].append(found)
    lines: list[str] = []
    waiting = [(process.pid, 0)]
    while waiting and len(lines) < MOST_PROCESSES:
        pid, depth = waiting.pop()
        for child in sorted(children.pop(pid, ()), key=lambda one: one.start_ticks, reverse=True):
            waiting.append((child.pid, depth + 1))
            lines.append(f"{'  ' * depth}{child.pid} {_command(child.pid)}: {child.state}, parent {pid}")
    return Section("processes that it started", tuple(lines) or ("none",))


def _thread(fd: int, name: str) -> list[str]:
    """One thread; nothing if it has ended meanwhile."""
    content = _content(fd, f"task/{name}/stat")
    if not isinstance(content, bytes) or not content:
        return []
    found = procfs.parse_stat(int(name), content)
    cpu_s = found.cpu_ticks / os.sysconf("SC_CLK_TCK")
    command, waits = (" ".join(_text(fd, f"task/{name}/{what}")) for what in ("comm", "wchan"))
    return [
        f"{name} {command}: {found.state}, {cpu_s:.2f} s of processor time, waits in {waits or '?'}",
        *(f"    syscall {line}" for line in _text(fd, f"task/{name}/syscall")),
        *(f"    {line}" for line in _text(fd, f"task/{name}/stack")),
    ]


def _connections(fd: int, inodes: set[str]) -> list[str]:
    """States of the TCP connections among these sockets, with what nobody has read or got."""
    states: Counter[str] = Counter()
    unread = unsent = 0
    for table in ("net/tcp", "net/tcp6"):
        for line in _text(fd, table)[1:]:
            fields = line.split()
            if len(fields) < 10 or fields[9] not in inodes:
                continue
            number = int(fields[3], 16)
            states[_TCP_STATES[number] if number < len(_TCP_STATES) else fields[3]] += 1
            sending, _, received = fields[4].partition(":")
            unsent += int(sending, 16)
            unread += int(received, 16)
    lines = [f"tcp, {state}: {count}" for state, count in sorted(states.items())]
    return [*lines, f"tcp, bytes not read: {unread}, not sent: {unsent}"] if lines else []


def _kind(target: str) -> str:
    name, bracket, _ = target.partition(":[")
    if bracket and not target.startswith("/"):
        return target[len("anon_inode:[") : -1] if name == "anon_inode" else name
    if target.startswith("anon_inode:"):
        return target.removeprefix("anon_inode:")
    if target.endswith(" (deleted)"):
        return "deleted file"
    return "device" if target.startswith("/dev/") else "file"


def _target(fd: int, name: str) -> str:
    """What a descriptor leads to; empty if it is closed by now."""
    try:
        return os.readlink(f"fd/{name}", dir_fd=fd)
    except OSError:
        return ""


def _command(pid: int) -> str:
    """The name of a program as the kernel has it, at most 15 bytes; a person's arguments are not in it."""
    try:
        return (procfs.PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"


def _open_directory(process: ProcessIdentity) -> int | None:
    if process.boot_id != procfs.boot_id():
        return None
    try:
        return os.open(procfs.PROC / str(process.pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _names(fd: int, directory: str) -> Sequence[str]:
    """Numbers in a directory, in order; none if it may not be looked at."""
    try:
        return _listed(fd, directory)
    except PermissionError:
        return []


def _listed(fd: int, directory: str) -> list[str]:
    """Raises `PermissionError`."""
    try:
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    except (FileNotFoundError, ProcessLookupError):
        return []
    try:
        return sorted(os.listdir(opened), key=int)  # noqa: PTH208 - it is a descriptor
    except (FileNotFoundError, ProcessLookupError):
        return []
    finally:
        os.close(opened)


def _text(fd: int, name: str) -> list[str]:
    """Lines of a file, or one that says why there are none."""
    content = _content(fd, name)
    if isinstance(content, bytes):
        return content.decode(errors="replace").splitlines()
    if content in (errno.EACCES, errno.EPERM):
        return [NOT_PERMITTED]
    return [] if content in (errno.ENOENT, errno.ESRCH) else [os.strerror(content).lower()]


def _content(fd: int, name: str) -> bytes | int:
    """What a file says, or the number of the error."""
    try:
        opened = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=fd)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        return _whole(opened)
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(opened)


def _whole(opened: int) -> bytes:
    pieces: list[bytes] = []
    left = MOST_BYTES
    while left > 0 and (piece := os.read(opened, min(left, procfs.READ_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
