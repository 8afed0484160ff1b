"""Ceilings of control groups, as the kernel has them.

Owns: which file tells which ceiling, in either version of control groups, and what it says when there is none.
Must not know who asked for a ceiling. None is written: the service manager sets them.
"""

from pathlib import Path

from hermesd.domain.limits import Limit

MOUNTED = Path("/sys/fs/cgroup")
SECOND = {Limit.MEMORY_MAX: "memory.max", Limit.CPU_QUOTA: "cpu.max", Limit.TASKS_MAX: "pids.max"}
"""In the one hierarchy of version 2."""
FIRST = {
    Limit.MEMORY_MAX: ("memory", "memory.limit_in_bytes"),
    Limit.CPU_QUOTA: ("cpu", "cpu.cfs_quota_us"),
    Limit.TASKS_MAX: ("pids", "pids.max"),
}
"""Hierarchy and file in version 1."""
NONE = frozenset({"max", "-1"})
UNLIMITED_BYTES = 1 << 62
"""Version 1 has no word for no limit of memory, but a number that is larger than any machine's."""


def ceilings_of(cgroup: str) -> frozenset[Limit]:
    """Which ceilings this control group has; none if there is no such group."""
    return frozenset(limit for limit in Limit if _is_set(_file_of(limit, cgroup.lstrip("/"))))


def _file_of(limit: Limit, cgroup: str) -> Path:
    if (MOUNTED / "cgroup.controllers").exists():
        return MOUNTED / cgroup / SECOND[limit]
    hierarchy, name = FIRST[limit]
    return MOUNTED / hierarchy / cgroup / name


def _is_set(file: Path) -> bool:
    try:
        value = file.read_text(encoding="ascii").split()[0]
    except OSError:  # without this controller there is no such file, and without the group no such device
        return False
    return value not in NONE and int(value) < UNLIMITED_BYTES
