"""Who holds the lock on a file, also where descriptors of others may not be looked at.

Owns: what proves it. Descriptors prove it for processes that may be looked at. For others the kernel's table of
locks does, which names whoever took a lock as long as that process lives. A lock is only ever looked at, never
tried: even for a moment, that could refuse it to a process that is just starting. Must not know what is locked.
"""

import os
import re
from enum import Enum
from pathlib import Path

from hermesd.adapters import procfs

_MOUNT_ID = re.compile(r"^mnt_id:\s*(\d+)$", re.MULTILINE)
_STACKED = ("overlay", "fuse", "nfs", "9p", "cifs", "smb", "ceph")
"""File systems, by the beginning of their names, that may show other numbers than the ones that they lock by."""

Key = tuple[int, int, int]
"""Major and minor number of a device, and an inode: a file in the kernel's table of locks."""


class Evidence(Enum):
    """What is known of a process and a lock."""

    HELD = "held"
    NOT_HELD = "not held"
    UNKNOWN = "unknown"
    """Neither its descriptors nor the table of locks can tell."""


def evidence(pid: int, lock_path: Path) -> Evidence:
    """Whether a process holds the lock on a file, as far as can be seen."""
    if _may_look_into(pid):
        return Evidence.HELD if procfs.holds(pid, lock_path) else Evidence.NOT_HELD
    keys, is_certain = _keys_of(lock_path)
    if any(holder == pid and key in keys for holder, key in _locks(_table())):
        return Evidence.HELD
    return Evidence.NOT_HELD if is_certain else Evidence.UNKNOWN


def takers(lock_path: Path) -> list[int]:
    """Pids of the living processes that took a lock on this file, by the kernel's table, in order.

    A process in a container has the pid there that it has here. One that this process's pid namespace does not
    hold is left out.
    """
    try:
        inode = lock_path.stat().st_ino
    except OSError:
        return []
    table = _table()
    if f":{inode} " not in table:  # as for nearly every profile at rest, and all of them are asked for
        return []
    keys, _ = _keys_of(lock_path)
    return sorted({pid for pid, key in _locks(table) if key in keys})


def _may_look_into(pid: int) -> bool:
    try:
        os.listdir(procfs.PROC / str(pid) / "fd")  # noqa: PTH208 - only whether it may be
    except OSError:
        return False
    return True


def _keys_of(path: Path) -> tuple[set[Key], bool]:
    """How the table of locks may name a file, and whether it can name it in no other way.

    It has the device of the file system as a whole, which is in the mount table. On btrfs that is another one
    than a file says, which is its subvolume's.
    """
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return set(), False
    try:
        found = os.fstat(fd)
        told = (procfs.PROC / "self" / "fdinfo" / str(fd)).read_text()
    finally:
        os.close(fd)
    keys = {(os.major(found.st_dev), os.minor(found.st_dev), found.st_ino)}
    mount = _mount(_MOUNT_ID.search(told))
    if mount is None:
        return keys, False
    major, minor, kind = mount
    keys.add((major, minor, found.st_ino))
    return keys, not kind.startswith(_STACKED)


def _mount(mount_id: re.Match[str] | None) -> tuple[int, int, str] | None:
    """Device and kind of a mounted file system; `None` if the table does not have it."""
    if mount_id is None:
        return None
    for line in (procfs.PROC / "self" / "mountinfo").read_text(errors="surrogateescape").splitlines():
        fields = line.split(" ")
        if fields[0] == mount_id[1]:
            major, _, minor = fields[2].partition(":")
            return int(major), int(minor), line.partition(" - ")[2].split(" ")[0]
    return None


def _table() -> str:
    """The kernel's table of locks; empty where there is none."""
    try:
        return (procfs.PROC / "locks").read_text(encoding="ascii")
    except OSError:
        return ""


def _locks(table: str) -> list[tuple[int, Key]]:
    """Every lock that is held: who took it, and of which file. Those who wait for one are left out."""
    found = []
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 6 or fields[1] == "->":
            continue
        major, minor, inode = fields[5].split(":")
        found.append((int(fields[4]), (int(major, 16), int(minor, 16), int(inode))))
    return found
