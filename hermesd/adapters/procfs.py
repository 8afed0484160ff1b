"""Processes as /proc shows them.

Owns: reading /proc, and what proves that a process is the one we mean. Must not know why anybody asks, and never
signals. Everything is a snapshot: whoever acts on it holds a pidfd first and asks again (`pidfd.py`).

Linux only. A process is known by boot id and start time, which macOS does not tell in this form.
"""

import errno
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from hermesd.domain.errors import Incompatible
from hermesd.domain.process import HOME_VARIABLE, SPAWN_ID_VARIABLE, ProcessIdentity

PROC = Path("/proc")
DEAD_STATES = frozenset("ZXx")
READ_BYTES = 1 << 16
MOST_PID = 1 << 22
"""No process has a greater one (the kernel's PID_MAX_LIMIT); what files say of pids may be any number."""

_CONSOLES, _FIRST_SERIAL, _PSEUDO_TERMINALS = 4, 64, range(136, 144)
"""Device numbers of terminals, as Linux has always given them out."""
_DELETED = " (deleted)"
"""What the kernel appends to the name of an open file that has none any more."""


@dataclass(frozen=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    state: str
    """One letter; Z is a zombie, X a process being removed."""
    parent_pid: int
    session: int
    """Pid of the session's leader."""
    tty: int
    """Device number of the controlling terminal; 0 if there is none."""
    start_ticks: int
    """Clock ticks between boot and start of the process."""
    cpu_ticks: int = 0
    """Clock ticks it has spent running, for itself and in the kernel."""

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self.state not in DEAD_STATES


def boot_id() -> str:
    """The kernel's random name of this boot. Raises `Incompatible` without /proc."""
    return _boot_id_in(PROC)


@cache
def _boot_id_in(proc: Path) -> str:
    """Read once: no process outlives its boot, and every process that is looked at is compared with it."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise Incompatible(
            "cannot tell processes apart: this system has no /proc/sys/kernel/random/boot_id",
            hint="hermesd runs on Linux with /proc mounted",
        ) from error


def booted_at_s() -> float:
    """When the machine started, to the second, seconds since the epoch; it follows the clock when that is set."""
    lines = (PROC / "stat").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("btime "))


def stat(pid: int) -> Stat | None:
    """What the kernel says of a process, zombies included; `None` if there is none."""
    content = _read(pid, "stat")
    return None if content is None else parse_stat(pid, content)


def parse_stat(pid: int, content: bytes) -> Stat:
    """What /proc/PID/stat says, or that of a thread."""
    # The command name stands in parentheses and may itself hold spaces and parentheses.
    fields = content[content.rindex(b")") + 1 :].split()
    return Stat(
        pid=pid,
        state=fields[0].decode("ascii"),
        parent_pid=int(fields[1]),
        session=int(fields[3]),
        tty=int(fields[4]),
        start_ticks=int(fields[19]),
        cpu_ticks=int(fields[11]) + int(fields[12]),
    )


def tty_path(device: int) -> str:
    """Path of a terminal by its device number, coded as in /proc/PID/stat; empty for kinds that are not known."""
    major, minor = (device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00)
    if major in _PSEUDO_TERMINALS:
        return f"/dev/pts/{(major - _PSEUDO_TERMINALS.start) * 256 + minor}"
    if major == _CONSOLES:
        return f"/dev/tty{minor}" if minor < _FIRST_SERIAL else f"/dev/ttyS{minor - _FIRST_SERIAL}"
    return ""


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; `None` if there is no such process."""
    found = stat(pid)
    return None if found is None else found.start_ticks


def owner(pid: int) -> int | None:
    """Effective uid of a process; `None` if there is none.

    A process that the kernel protects from being looked at (setuid programs) counts as root's.
    """
    try:
        return (PROC / str(pid)).stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None


def environ_of(pid: int) -> dict[str, str] | None:
    """The environment a process was started with; `None` if it is gone or may not be looked at.

    A zombie has an empty one, and a program may have overwritten its own. Of a name that stands there twice
    the first counts, as for the program itself.
    """
    content = _read(pid, "environ")
    if content is None:
        return None
    environment: dict[str, str] = {}
    for entry in content.split(b"\0"):
        name, separator, value = entry.partition(b"=")
        if separator:
            environment.setdefault(os.fsdecode(name), os.fsdecode(value))
    return environment


def command_line(pid: int) -> bytes | None:
    """The arguments of a process as the kernel has them; `None` if it is gone or may not be looked at.

    Never a proof of identity: anybody can have the same.
    """
    return _read(pid, "cmdline")


def command_name(pid: int) -> str:
    """Name of the program that a process runs, at most 15 bytes; empty if it is gone. No proof of anything."""
    return os.fsdecode(_read(pid, "comm") or b"").strip()


def inner_pid(pid: int) -> int | None:
    """Pid of a process in the innermost pid namespace it is in, as in a container; `None` if it is gone."""
    for line in (_read(pid, "status") or b"").splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return None


def identity(pid: int, spawn_id: str) -> ProcessIdentity | None:
    """Who has this pid now, alive or zombie; `None` if nobody has it."""
    ticks = start_ticks(pid)
    return None if ticks is None else ProcessIdentity(boot_id(), pid, ticks, spawn_id)


def is_alive(process: ProcessIdentity) -> bool:
    """Whether exactly this process still runs: same boot, same start time, no zombie."""
    if process.boot_id != boot_id():
        return False
    found = stat(process.pid)
    return found is not None and found.start_ticks == process.start_ticks and found.is_alive


def is_at_home(pid: int, home: Path | None) -> bool:
    """Whether nothing in a process's environment says that it works in another home than this one.

    True if it names none or may not be looked at, and for any process if `home` is `None`.
    """
    said = None if home is None else (environ_of(pid) or {}).get(HOME_VARIABLE)
    return said is None or home is None or _is_same_place(said, home)


def _is_same_place(said: str, home: Path) -> bool:
    """As it was written, or by another way through links; the first is true of a home that was moved away, too."""
    return said == str(home) or os.path.realpath(said) == os.path.realpath(home)


def members(
    spawn_id: str, home: Path | None = None, others: Collection[int] = frozenset()
) -> list[ProcessIdentity]:
    """Every living process of our uid whose environment names this start and no other home, the oldest first.

    An empty spawn id names no start. `others` are pids known to be of other starts, which need not be looked at.
    Most processes are none of the start, so each is first looked at as cheaply as can be: this stands between a
    crash and the next start.
    """
    if not spawn_id:
        return []
    boot = boot_id()
    mark = os.fsencode(f"{SPAWN_ID_VARIABLE}={spawn_id}")
    found = [
        (seen.start_ticks, pid)
        for pid in pids()
        if pid not in others
        and mark in (_read(pid, "environ") or b"")
        and owner(pid) == os.geteuid()
        and (environ_of(pid) or {}).get(SPAWN_ID_VARIABLE) == spawn_id
        and is_at_home(pid, home)
        and (seen := stat(pid)) is not None
        and seen.is_alive
    ]
    return [ProcessIdentity(boot, pid, ticks, spawn_id) for ticks, pid in sorted(found)]


def holders(lock_path: Path) -> list[int]:
    """Pids of the processes that hold a lock on this file through a descriptor of theirs, in order.

    /proc/locks cannot answer this: it names who took a lock, and leaves it out once that process is gone, even
    if others inherited it. What we may not look at is not found.
    """
    return [pid for pid in pids() if holds(pid, lock_path)]


def holders_of(lock_paths: Iterable[Path]) -> dict[Path, list[int]]:
    """The same for many files at once, whose names differ, in one look at the machine; held ones only."""
    files: dict[str, tuple[Path, os.stat_result]] = {}
    for path in lock_paths:
        with suppress(FileNotFoundError, PermissionError):
            files[path.name] = path, path.stat()
    found: dict[Path, list[int]] = {}
    for pid in pids() if files else ():
        for number in _descriptors(pid):
            name = _file_name(pid, number)
            if name in files and _is_locked(pid, number, *files[name][1:]):
                found.setdefault(files[name][0], []).append(pid)
    return {path: sorted(set(holding)) for path, holding in found.items()}


def holds(pid: int, lock_path: Path) -> bool:
    """Whether a process holds a lock on this file through a descriptor of its own or an inherited one."""
    try:
        lock_file = lock_path.stat()
    except (FileNotFoundError, PermissionError):
        return False
    # The name is compared first, because reading it never touches a file system that may hang.
    named = (number for number in _descriptors(pid) if _file_name(pid, number) == lock_path.name)
    return any(_is_locked(pid, number, lock_file) for number in named)


def holds_removed(pid: int, lock_path: Path) -> bool:
    """Whether a process holds a lock on what was this file until somebody removed it."""
    removed = f"{os.path.realpath(lock_path)}{_DELETED}"
    numbers = (number for number in _descriptors(pid) if _target(pid, number) == removed)
    return any(b"\nlock:" in (_read(pid, f"fdinfo/{number}") or b"") for number in numbers)


def _descriptors(pid: int) -> list[str]:
    """Numbers of the open descriptors of a process; none if it is gone or may not be looked at."""
    try:
        return os.listdir(f"{PROC}/{pid}/fd")  # noqa: PTH208 - hot
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def descriptors(pid: int) -> Iterator[str]:
    """What the open descriptors of a process lead to, as the kernel names it; nothing we may not look at."""
    return filter(None, (_target(pid, number) for number in _descriptors(pid)))


def _file_name(pid: int, number: str) -> str:
    """What the file behind a descriptor is called, also if it has been removed."""
    return os.path.basename(_target(pid, number)).removesuffix(_DELETED)  # noqa: PTH119 - hot


def _target(pid: int, number: str) -> str:
    """What a descriptor leads to, as the kernel names it; empty if it is closed meanwhile or may not be looked at.

    A path that is longer than a page has no name that the kernel could tell, and is nothing of ours.
    """
    try:
        return os.readlink(f"{PROC}/{pid}/fd/{number}")  # noqa: PTH115 - hot
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return ""


def _is_locked(pid: int, number: str, lock_file: os.stat_result) -> bool:
    """Whether one descriptor is of the lock file and locks it."""
    try:
        if not os.path.samestat((PROC / str(pid) / "fd" / number).stat(), lock_file):
            return False
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return b"\nlock:" in (_read(pid, f"fdinfo/{number}") or b"")


def pids() -> Iterator[int]:
    """Every process of the machine that /proc shows. Raises `Incompatible` without /proc."""
    try:
        names = os.listdir(PROC)  # noqa: PTH208 - names are wanted, thousands of them
    except FileNotFoundError as error:
        raise Incompatible("cannot list processes: this system has no /proc") from error
    return (int(name) for name in names if name.isdecimal())


def _read(pid: int, name: str) -> bytes | None:
    """A whole file of a process, read without the layers of a `Path`: it is done for every process there is."""
    if pid > MOST_PID:
        return None
    try:
        fd = os.open(f"{PROC}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        return b"".join(iter(partial(os.read, fd, READ_BYTES), b""))
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # the first of a descriptor just closed
        return None
    finally:
        os.close(fd)
