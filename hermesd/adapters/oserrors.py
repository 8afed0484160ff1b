"""What the operating system refuses, in the domain's terms.

Owns: which error numbers people can mend, and how each is said. Must not know what was being done to the file.
"""

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hermesd.domain.errors import DiskFull, NotPermitted

FULL = {
    errno.ENOSPC: "the file system is full",
    errno.EDQUOT: "the disk quota is used up",
}
REFUSED = {
    errno.EACCES: "permission denied",
    errno.EPERM: "the operating system does not allow it",
    errno.EROFS: "the file system is read-only",
}


@contextmanager
def translating(path: Path, action: str = "write") -> Iterator[None]:
    """Turns the system's refusals within the block into failures that name `path`.

    `action` is the verb of the message. Any other `OSError` passes unchanged.

    Raises:
        DiskFull: there is no space, or no quota, left.
        NotPermitted: access is refused.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(path, FULL[error.errno], action) from error
        if error.errno in REFUSED:
            raise not_permitted(path, REFUSED[error.errno], action) from error
        raise


def disk_full(path: Path, why: str = FULL[errno.ENOSPC], action: str = "write") -> DiskFull:
    """The failure to raise when nothing more fits where `path` lies."""
    fix = f"df -h {shlex.quote(str(_nearest(path)))}"
    return DiskFull(f"cannot {action} {path}: {why}", fixes=[fix], path=str(path))


def not_permitted(path: Path, why: str = REFUSED[errno.EACCES], action: str = "write") -> NotPermitted:
    """The failure to raise when access to `path` is refused."""
    fix = f"ls -ld {shlex.quote(str(_nearest(path)))}"
    return NotPermitted(f"cannot {action} {path}: {why}", fixes=[fix], path=str(path))


def _nearest(path: Path) -> Path:
    """The path itself or the nearest directory above it that exists, so that a fix can be run as it stands."""
    return next((one for one in (path, *path.parents) if os.path.lexists(one)), path)
