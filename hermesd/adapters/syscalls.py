"""System calls that Python does not offer, through the C library.

Owns: their numbers and layouts on Linux. Must not know what they are used for.
"""

import ctypes
import errno
import os
import struct
from pathlib import Path

from hermesd.domain.errors import Incompatible

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
RENAME_NOREPLACE = 1
STATX_BTIME = 0x800
STATX_SIZE = 256
STATX_MASK = struct.Struct("=I")
STATX_BIRTH = struct.Struct("=qI")
STATX_BIRTH_OFFSET = 80
"""`struct statx` begins with the mask of what was filled in; the birth time (seconds, nanoseconds) lies here."""

_libc = ctypes.CDLL(None, use_errno=True)


def rename_exclusive(source: Path, target: Path) -> None:
    """Renames in one step and never replaces anything, not even an empty directory.

    Raises:
        FileExistsError: the target exists.
        Incompatible: the C library or the file system cannot do this.
        OSError: the system refuses.
    """
    try:
        renameat2 = _libc.renameat2
    except AttributeError as error:
        raise Incompatible("cannot rename safely: the C library has no renameat2 (glibc 2.28 has it)") from error
    if renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), RENAME_NOREPLACE) == 0:
        return
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        raise Incompatible(f"cannot rename to {target}: the file system cannot rename without replacing")
    raise OSError(code, os.strerror(code), str(source), None, str(target))


def birth_ns(descriptor: int) -> int:
    """Birth time of an open file, nanoseconds since the epoch; 0 where nobody keeps one."""
    result = ctypes.create_string_buffer(STATX_SIZE)
    try:
        status = _libc.statx(descriptor, b"", AT_EMPTY_PATH, STATX_BTIME, result)
    except AttributeError:  # an older C library: the same as a file system without birth times
        return 0
    if status != 0 or not STATX_MASK.unpack_from(result)[0] & STATX_BTIME:
        return 0
    seconds, nanoseconds = STATX_BIRTH.unpack_from(result, STATX_BIRTH_OFFSET)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
