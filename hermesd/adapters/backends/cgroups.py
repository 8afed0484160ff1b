"""Control groups as /proc shows them.

Owns: telling in which control group of a service manager a process is. Must not know what a group is for. None is
written to: they belong to the service manager.
"""

from hermesd.adapters import procfs

SYSTEMD_HIERARCHY = "name=systemd"
"""Where systemd keeps its groups beside those of version 1; alone, version 2 is the hierarchy without a name."""


def of(pid: int) -> str | None:
    """Path of the control group of a process; `None` if there is no such process, or no control groups.

    A zombie is in the topmost one.
    """
    try:
        content = (procfs.PROC / str(pid) / "cgroup").read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    paths = {hierarchy: path for _, hierarchy, path in (line.split(":", 2) for line in content.splitlines())}
    return paths.get(SYSTEMD_HIERARCHY, paths.get(""))


def unit_of(pid: int) -> str:
    """The name that the control group of a process has; empty for the topmost one, or if there is none."""
    return (of(pid) or "").rpartition("/")[2]


def is_in(pid: int, cgroup: str) -> bool:
    """Whether a process is in this control group or in one below it."""
    found = of(pid)
    return found is not None and (found == cgroup or found.startswith(f"{cgroup}/"))


def members(cgroup: str) -> list[int]:
    """Pids of the living processes in this control group and those below it; none if `cgroup` is empty."""
    return [] if not cgroup else [pid for pid in procfs.pids() if is_in(pid, cgroup)]
