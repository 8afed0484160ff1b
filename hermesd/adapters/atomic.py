"""The one function that writes durable files.

Owns: how a file is replaced so that a reader, a crash or a full disk finds the old bytes or the new ones, never
a mixture. Must not know what the bytes mean.
"""

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hermesd.adapters.ids import new_id
from hermesd.adapters.oserrors import translating
from hermesd.adapters.syscalls import rename_exclusive

TEMPORARY_SUFFIX = ".tmp"


def write_atomic(path: Path, data: bytes, mode: int = 0o600, *, exclusive: bool = False) -> None:
    """Writes `data` to `path` in one step that survives a power cut once this returns.

    The file has `mode` from its first byte, whatever the umask. A symlink is followed: the file it leads to is
    replaced and the link stays. With `exclusive` nothing is ever replaced.

    Not promised: owner, ACLs and extended attributes of a replaced file are not kept; other hard links go on
    naming the old bytes; two writers at once do not merge, the later one wins; a crash may leave a temporary
    file beside the target (see `leftovers`).

    Raises:
        FileExistsError: with `exclusive`, something of that name exists.
        DiskFull, NotPermitted: as the system says. The old bytes are there then, except when it was flushing
            the directory that failed: the new ones are, but may not survive a power cut.
    """
    target = path if exclusive else Path(os.path.realpath(path))
    with translating(target), temporary_beside(target) as temporary:
        write_new(temporary, data, mode)
        if exclusive:
            rename_exclusive(temporary, target)
        else:
            temporary.replace(target)
        sync_directory(target.parent)


def write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Makes a file that must not exist yet and flushes it; the directory entry is left to the caller to flush."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        os.fchmod(descriptor, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Makes the entries of a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leftovers(path: Path) -> list[Path]:
    """Temporary files that writes of `path` left when they were cut off."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY_SUFFIX}"))


@contextmanager
def temporary_beside(target: Path) -> Iterator[Path]:
    """A name beside a file for what is to take its place; whatever has that name at the end is removed."""
    temporary = target.with_name(f".{target.name}.{new_id()}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)  # renamed away already, unless the write failed
