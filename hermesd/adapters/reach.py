"""Who else can get at a file.

Owns: reading modes along a path. Must not know what a file is worth. Access lists are seen as the group's rights,
which bound them.
"""

import grp
import os
import pwd
import stat
from pathlib import Path


class Reach:
    """Which other users can enter a directory, past every directory above it."""

    def __init__(self, directory: Path) -> None:
        """`directory` is canonical. Raises `OSError` if it cannot be looked at."""
        self._own_groups: dict[int, bool] = {}
        chain = [one.stat() for one in (directory, *directory.parents)]
        groups = {found.st_gid for found in chain if not self._is_ones_own(found.st_gid)}
        self._entering = {gid for gid in groups if all(_has(found, gid, 0o1) for found in chain)}
        self._everybody_enters = all(found.st_mode & 0o001 for found in chain)

    @property
    def is_open(self) -> bool:
        """Whether anybody else can enter."""
        return self._everybody_enters or bool(self._entering)

    def may_use(self, found: os.stat_result) -> bool:
        """Whether anybody who can enter may read or change a file, or look into a directory."""
        rights = 0o7 if stat.S_ISDIR(found.st_mode) else 0o6
        if self._everybody_enters and found.st_mode & rights:
            return True
        groups = set(self._entering)
        if self._everybody_enters and not self._is_ones_own(found.st_gid):
            groups.add(found.st_gid)
        return any(_has(found, gid, rights) for gid in groups)

    def _is_ones_own(self, gid: int) -> bool:
        """Whether nobody else is in a group, as in those that many systems make for each user."""
        if gid not in self._own_groups:
            self._own_groups[gid] = _is_ones_own(gid)
        return self._own_groups[gid]


def _has(found: os.stat_result, gid: int, rights: int) -> bool:
    """Whether a member of a group has one of these rights: of the group if the entry is its."""
    shift = 3 if found.st_gid == gid else 0
    return bool(stat.S_IMODE(found.st_mode) >> shift & rights)


def _is_ones_own(gid: int) -> bool:
    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(os.geteuid())
    except KeyError:  # one of them has no name, so nobody can tell
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
