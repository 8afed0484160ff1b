"""The bytes of one file into another: shared where the file system can, copied in the kernel where it cannot.

Owns: reflinks, holes, files that change meanwhile, and how often a request to stop is looked for. Must not know
where the files lie. The new file is durable once its file system is synced, not before.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator

FICLONE = 0x40049409
"""The request that makes a file share another's blocks, at one moment (Linux 4.5: btrfs, xfs, bcachefs)."""

CHUNK_BYTES = 8 * 1024 * 1024
"""How much is copied before a request to stop is looked for."""

_CANNOT_SHARE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})
_CANNOT_COPY_INSIDE = _CANNOT_SHARE | {errno.EIO}
"""After `EIO` reading and writing are told apart by doing each."""
_BLOCK_BYTES = 512
"""What `st_blocks` counts in, whatever the file system."""


class SourceUnreadable(Exception):
    """The file that is copied cannot be read; the one that is written is in order."""


class FileCopier:
    """Copies from descriptor to descriptor, and remembers what the file systems cannot do."""

    def __init__(self, checkpoint: Callable[[], None]) -> None:
        """`checkpoint` raises to stop."""
        self._checkpoint = checkpoint
        self._can_share = True
        self._can_copy_inside = True

    def copy(self, source: int, target: int, found: os.stat_result) -> None:
        """Makes `target`, an empty file, hold what `source` held; not more than it had when it was looked at.

        Raises:
            SourceUnreadable: reading failed.
            OSError: writing failed.
        """
        self._checkpoint()
        if not found.st_size or self._has_shared(source, target):
            return
        for start, end in _extents(source, found):
            self._copy_range(source, target, start, end)
        if found.st_blocks * _BLOCK_BYTES < found.st_size:
            os.ftruncate(target, found.st_size)  # it may end with a hole

    def _has_shared(self, source: int, target: int) -> bool:
        if not self._can_share:
            return False
        try:
            fcntl.ioctl(target, FICLONE, source)
        except OSError as error:
            if error.errno not in _CANNOT_SHARE:
                raise
            self._can_share = False
            return False
        return True

    def _copy_range(self, source: int, target: int, start: int, end: int) -> None:
        while start < end:
            count = self._copied(source, target, start, min(CHUNK_BYTES, end - start))
            if not count:
                return  # it has been made shorter meanwhile
            start += count
            if start < end:
                self._checkpoint()

    def _copied(self, source: int, target: int, start: int, count: int) -> int:
        """How much was copied in one step; nothing at the end of the file."""
        if self._can_copy_inside:
            try:
                done = os.copy_file_range(source, target, count, start, start)
            except OSError as error:
                if error.errno not in _CANNOT_COPY_INSIDE:
                    raise
                self._can_copy_inside = False
            else:
                if done:
                    return done
        try:
            data = os.pread(source, count, start)  # also where a file system says that nothing is there
        except OSError as error:
            raise SourceUnreadable from error
        rest, at = memoryview(data), start
        while rest:
            written = os.pwrite(target, rest, at)
            rest, at = rest[written:], at + written
        return len(data)


def _extents(source: int, found: os.stat_result) -> Iterator[tuple[int, int]]:
    """Where data lies: everywhere, unless the file has holes."""
    if found.st_blocks * _BLOCK_BYTES >= found.st_size:
        yield 0, found.st_size
        return
    end = 0
    while end < found.st_size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
            hole = os.lseek(source, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # which says that the rest is a hole, or gone
                yield end, found.st_size
            return
        end = min(hole, found.st_size)
        yield start, end
