"""Locks that live as long as the processes that hold their descriptor.

Owns: taking a lock on a file and telling whether one is held. A descriptor that a child inherits keeps the lock
when the taker closes its own copy or is killed. Must not know what is protected.
"""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from hermesd.adapters.oserrors import translating
from hermesd.domain.errors import NotPermitted, ProfileBusy


class FileLock:
    """A lock that is held, and the descriptor that holds it."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def close(self) -> None:
        """Gives up this copy of the descriptor. The lock stays held while any child has another."""
        os.close(self.fd)

    def release(self) -> None:
        """Ends the lock for everybody who inherited it, and closes this copy."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def acquire(path: Path) -> FileLock:
    """Takes the lock on a file, which is made if it is missing, without waiting.

    Raises `ProfileBusy` if anybody holds it, `NotPermitted`, `DiskFull`.
    """
    while True:
        lock = FileLock(path, _open(path))
        try:
            fcntl.flock(lock.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ProfileBusy(f"cannot lock {path}: it is held", path=str(path)) from error
        except BaseException:
            lock.close()
            raise
        if _is_still_at(path, lock.fd):
            return lock
        lock.close()  # removed between opening and locking: a lock on a file without a name guards nothing


def remove(path: Path) -> None:
    """Removes a lock file that nobody holds; whoever opens it at this moment finds out and opens a new one.

    Raises `ProfileBusy` if anybody holds it, `NotPermitted`, `DiskFull`.
    """
    if path.exists():
        with acquire(path), translating(path, "remove"):
            path.unlink(missing_ok=True)


def is_free(path: Path) -> bool:
    """Whether the lock can be had, whoever might hold it, seen or unseen.

    Takes it for a moment: only for a caller who knows that nobody else wants it now. It is released, not just
    closed, since a program being started at this moment may have a copy of the descriptor until its exec.
    """
    if not path.exists():
        return True
    try:
        acquire(path).release()
    except ProfileBusy:
        return False
    return True


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with translating(path):
        try:
            return os.open(path, flags, 0o600)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotPermitted(
                    f"cannot lock {path}: it is a symbolic link, which hermesd never makes", path=str(path)
                ) from error
            raise


def _is_still_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False
