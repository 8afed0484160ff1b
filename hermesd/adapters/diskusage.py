"""What a directory tree takes on disk.

Owns: what counts: blocks as the file system gave them out, hard links once, links themselves and never what they
lead to, nothing that is mounted into the tree. Must not know what a tree is for.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from hermesd.adapters.filenames import readable
from hermesd.domain.usage import DiskUsage

BLOCK_BYTES = 512
"""What `st_blocks` counts, whatever the file system's own blocks."""

LOOK_EVERY = 256
"""Files between two questions whether it is enough."""


def measure(home: Path, *, without: frozenset[str] = frozenset(), is_enough: Callable[[], bool]) -> DiskUsage:
    """What a tree takes, by its entries; `without` are entries that do not count.

    The path itself may be a link. Never raises: what cannot be looked at, or goes meanwhile, counts as nothing,
    and so does what is left once it `is_enough`.
    """
    meter = _Meter(is_enough)
    own_bytes, entries = 0, {}
    try:
        own = home.stat()
        own_bytes, meter.device = own.st_blocks * BLOCK_BYTES, own.st_dev
        names = sorted(set(os.listdir(home)) - without)  # noqa: PTH208 - names are wanted, many of them
    except OSError as error:
        meter.missed(error)
        names = []
    for name in names:
        entries[readable(name)] = meter.tree(os.path.join(home, name))  # noqa: PTH118 - text is a fifth of the time
    return DiskUsage.of(own_bytes, entries, is_partial=meter.is_partial)


class _Meter:
    """Adds up trees of one file system."""

    def __init__(self, is_enough: Callable[[], bool]) -> None:
        self.device = -1
        self.is_partial = False
        self._is_enough = is_enough
        self._is_over = False
        self._looks = 0
        self._linked: set[int] = set()
        """Files met that have several names."""

    def tree(self, path: str) -> int:
        """Bytes of a file, a link or a whole tree."""
        try:
            found = os.lstat(path)
        except OSError as error:
            self.missed(error)
            return 0
        total = self._bytes(found)
        pending = [path] if stat.S_ISDIR(found.st_mode) and found.st_dev == self.device else []
        while pending and not self._is_time_over():
            total += self._directory(pending.pop(), pending)
        return total

    def missed(self, error: OSError) -> None:
        """Notes that something could not be looked at. What is gone takes nothing."""
        self.is_partial = self.is_partial or not isinstance(error, FileNotFoundError)

    def _directory(self, path: str, pending: list[str]) -> int:
        """Bytes of what lies directly in a directory; directories in it are added to those to be looked at."""
        total = 0
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            self.missed(error)
            return 0
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if self._is_time_over():
                        break
                    total += self._entry(entry, path, pending)
        except OSError as error:
            self.missed(error)
        finally:
            os.close(descriptor)
        return total

    def _entry(self, entry: "os.DirEntry[str]", path: str, pending: list[str]) -> int:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError as error:
            self.missed(error)
            return 0
        if stat.S_ISDIR(found.st_mode) and found.st_dev == self.device:
            pending.append(os.path.join(path, entry.name))  # noqa: PTH118 - as above
        return self._bytes(found)

    def _bytes(self, found: os.stat_result) -> int:
        if found.st_dev != self.device:
            return 0
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if found.st_ino in self._linked:
                return 0
            self._linked.add(found.st_ino)
        return found.st_blocks * BLOCK_BYTES

    def _is_time_over(self) -> bool:
        """Whether it is enough, asked now and then."""
        self._looks += 1
        if not self._is_over and self._looks % LOOK_EVERY == 1:
            self._is_over = self._is_enough()
            self.is_partial = self.is_partial or self._is_over
        return self._is_over
