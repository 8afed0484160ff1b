"""Where a process of somebody else's comes from, and by what line it is ended there.

Owns: whose it is, since when, what keeps it, and the command for that. A unit of a service manager counts only if
it was made for this process: ending it must end nobody else. What is kept would be started again, so it is ended
through what keeps it; any other process gets the signal that programs take as a wish to end. Only looks: the line
is for a person. Must not know what kind of program it is.
"""

import os
import pwd
import re
import shlex
from dataclasses import dataclass

from hermesd.adapters import procfs
from hermesd.adapters.backends import cgroups

_SHELLS = frozenset({"ash", "bash", "dash", "sh", "zsh"})
"""What a unit may run to run the process: nothing else of importance ends with it."""

_CONTAINER = re.compile(r"/(docker|libpod)[-/]([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?(?:/|$)")
_CONTAINER_PROGRAMS = {"docker": "docker", "libpod": "podman"}
_USER_MANAGER = re.compile(r"/user@(\d+)\.service/")
_SLOTS = "/run/service"
"""Where the container of hermes-agent keeps what s6 supervises."""
_S6_CONTROL = "/command/s6-svc"


@dataclass(frozen=True)
class Origin:
    """Where a process comes from."""

    owner: str
    """Name of its account, or the account's number; empty if nobody may know."""
    started_at_s: float | None
    """Seconds since the epoch."""
    unit: str
    """The service unit that keeps it; empty if none does."""
    tty: str
    """Path of its terminal; empty for none."""
    resolution: str
    """The line that ends it."""


def origin_of(pid: int) -> Origin:
    """Where a living process comes from, as far as can be seen."""
    found, uid = procfs.stat(pid), procfs.owner(pid)
    unit, line = _kept(pid, uid)
    return Origin(
        owner="" if uid is None else _account(uid),
        started_at_s=None if found is None else _started_at_s(found),
        unit=unit,
        tty="" if found is None else procfs.tty_path(found.tty),
        resolution=shlex.join(line or _as_owner(uid, ["kill", "-TERM", str(pid)], is_for_root_too=True)),
    )


def _kept(pid: int, uid: int | None) -> tuple[str, list[str]]:
    """What keeps a process, if it has a name, and what ends it there; nothing if nothing keeps it."""
    cgroup = cgroups.of(pid) or ""
    container = _CONTAINER.search(cgroup)
    if container is not None and container[0] not in (cgroups.of(os.getpid()) or ""):
        program = _CONTAINER_PROGRAMS[container[1]]
        line = [program, "stop", container[2]]
        return f"{program} container {container[2]}", line if program == "docker" else _as_owner(uid, line)
    if slot := _slot_of(pid):
        program = _S6_CONTROL if os.access(_S6_CONTROL, os.X_OK) else "s6-svc"
        return f"s6 slot {slot}", [program, "-d", slot]
    unit = cgroup.rpartition("/")[2]
    if not unit.endswith(".service") or not _is_made_for(pid, cgroup):
        return "", []
    if manager := _USER_MANAGER.search(cgroup):
        return unit, _of_user_manager(int(manager[1]), ["systemctl", "--user", "stop", unit])
    return unit, [*([] if os.geteuid() == 0 else ["sudo"]), "systemctl", "stop", unit]


def _is_made_for(pid: int, cgroup: str) -> bool:
    """Whether a process is what its unit runs, perhaps through a shell.

    By hand, things are also started in units of others: of a terminal, of cron, or of the login itself where no
    session has a scope. There the unit has another main process, which began another session.
    """
    stats = {one: found for one in cgroups.members(cgroup) if (found := procfs.stat(one)) is not None}
    mains = [found for found in stats.values() if found.parent_pid not in stats]
    if len(mains) != 1 or pid not in stats:
        return False
    (main,) = mains
    if main.pid == pid:
        return True
    return stats[pid].session == main.pid and procfs.command_name(main.pid) in _SHELLS


def _slot_of(pid: int) -> str:
    """Directory of the s6 service that a process is of; empty if it is of none."""
    found = procfs.stat(pid)
    if found is None or procfs.command_name(found.parent_pid) != "s6-supervise":
        return ""
    try:
        return str((procfs.PROC / str(found.parent_pid) / "cwd").readlink())
    except OSError:  # root's: then its name tells, which is its only argument
        words = (procfs.command_line(found.parent_pid) or b"").split(b"\0")
        slot = f"{_SLOTS}/{os.fsdecode(words[1])}" if len(words) > 1 else ""
        return slot if slot and os.path.isdir(slot) else ""  # noqa: PTH112 - it never raises


def _of_user_manager(uid: int, line: list[str]) -> list[str]:
    if uid == os.geteuid():
        return line
    return _as_owner(uid, ["env", f"XDG_RUNTIME_DIR=/run/user/{uid}", *line])


def _as_owner(uid: int | None, line: list[str], *, is_for_root_too: bool = False) -> list[str]:
    """A command as its owner has to run it; `is_for_root_too` if root may as well run it as it is."""
    mine = os.geteuid()
    if uid in (None, mine) or (mine == 0 and is_for_root_too):
        return line
    assert uid is not None
    if mine == 0:
        return ["runuser", "-u", _account(uid), "--", *line]
    name = _account(uid)
    return ["sudo", "-u", f"#{uid}" if name == str(uid) else name, *line]


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _started_at_s(found: procfs.Stat) -> float:
    return procfs.booted_at_s() + found.start_ticks / os.sysconf("SC_CLK_TCK")
