"""File systems as they are mounted.

Owns: reading the kernel's mount table. Must not know what lies on a file system.
"""

import os
import re
from pathlib import Path

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""Kinds on which locks or memory-mapped files of one machine are not seen, or not kept, reliably."""

MOUNT_TABLE = Path("/proc/self/mountinfo")
ESCAPED = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path, table: Path = MOUNT_TABLE) -> str:
    """Kind of the network file system that `path` lies on; empty if it is a local one."""
    kind = file_system(Path(os.path.realpath(path)), table.read_text(errors="surrogateescape"))
    return kind if kind in NETWORK_FILE_SYSTEMS else ""


def mounted_below(path: Path, table: Path = MOUNT_TABLE) -> list[Path]:
    """Where other file systems are mounted below a canonical path, bind mounts included."""
    points = [_point(line) for line in table.read_text(errors="surrogateescape").splitlines()]
    return sorted(point for point in points if point != path and point.is_relative_to(path))


def file_system(path: Path, table: str) -> str:
    """Kind of the file system that a canonical path lies on, by a mount table; empty if none covers it.

    Of several mounts at one place the last one is the visible one.
    """
    best, best_kind = -1, ""
    for line in table.splitlines():
        mount, _, source = line.partition(" - ")
        point = _point(mount)
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, best_kind = len(point.parts), source.split(" ")[0]
    return best_kind


def _point(line: str) -> Path:
    """Where a line of the mount table mounts something."""
    return Path(ESCAPED.sub(lambda found: chr(int(found.group(1), 8)), line.split(" ")[4]))
