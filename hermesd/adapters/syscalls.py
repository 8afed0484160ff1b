"""System calls that Python does not offer, through the C library.

Owns: their numbers and layouts on Linux. Must not know what they are used for.
"""

import ctypes
import errno
import os
import struct
from pathlib import Path
from typing import NamedTuple

from hermesd.domain.errors import Incompatible

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_NO_AUTOMOUNT = 0x800
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
STATX_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT
STATX_TYPE, STATX_INO, STATX_BTIME = 0x001, 0x100, 0x800
STATX_WANTED = STATX_TYPE | STATX_INO | STATX_BTIME
STATX_SIZE = 256
STATX = struct.Struct("=I24xH2xQ40xqI44xII")
"""In `struct statx`: what was filled in, mode, inode, birth time (seconds, nanoseconds), device (major, minor)."""


class Entry(NamedTuple):
    """What a directory has under a name."""

    mode: int
    device: int
    inode: int
    birth_ns: int
    """Birth time, nanoseconds since the epoch; 0 where nobody keeps one."""


_libc = ctypes.CDLL(None, use_errno=True)


def rename_exclusive(source: Path, target: Path) -> None:
    """Renames in one step and never replaces anything, not even an empty directory.

    Raises:
        FileExistsError: the target exists.
        Incompatible: the C library or the file system cannot do this.
        OSError: the system refuses.
    """
    _rename(source, target, RENAME_NOREPLACE, "rename without replacing")


def rename_exchange(one: Path, other: Path) -> None:
    """Lets two entries change places in one step.

    Raises:
        FileNotFoundError: one of them is not there.
        Incompatible: the C library or the file system cannot do this.
        OSError: the system refuses.
    """
    _rename(one, other, RENAME_EXCHANGE, "let two files change places")


def _rename(source: Path, target: Path, flags: int, what: str) -> None:
    try:
        renameat2 = _libc.renameat2
    except AttributeError as error:
        raise Incompatible("cannot rename safely: the C library has no renameat2 (glibc 2.28 has it)") from error
    if renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags) == 0:
        return
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        raise Incompatible(f"cannot rename to {target}: the file system cannot {what}")
    raise OSError(code, os.strerror(code), str(source), None, str(target))


def sync_file_system(descriptor: int) -> None:
    """Makes everything durable that was written to the file system of a descriptor, whoever wrote it.

    Since Linux 5.8 this fails if anything could not be written since the descriptor was opened.

    Raises:
        OSError: something could not be written.
    """
    if _libc.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def sync_file_system_of(path: Path) -> None:
    """The same for the file system that a path lies on.

    Raises:
        OSError: as above, of what could not be written from now on.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_file_system(descriptor)
    finally:
        os.close(descriptor)


def identify(path: Path) -> Entry:
    """What a path names, links not followed, asked in one call: it is done for every home, again and again.

    Raises:
        OSError: the system refuses.
    """
    result = ctypes.create_string_buffer(STATX_SIZE)
    try:
        status = _libc.statx(AT_FDCWD, os.fsencode(path), STATX_FLAGS, STATX_WANTED, result)
    except AttributeError:  # an older C library: the same as a file system without birth times
        found = path.lstat()
        return Entry(found.st_mode, found.st_dev, found.st_ino, 0)
    if status != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(path))
    mask, mode, inode, seconds, nanoseconds, major, minor = STATX.unpack_from(result)
    birth_ns = seconds * 1_000_000_000 + nanoseconds if mask & STATX_BTIME else 0
    return Entry(mode, os.makedev(major, minor), inode, birth_ns)
