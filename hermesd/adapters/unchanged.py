"""Replacing a file only if it still is what was read, though others write it too and take no lock.

Owns: that nobody's text is lost without a word. The new file changes places with the old one in one step, and what
came out is compared with what was read. Must not know what the bytes mean.
"""

import os
from pathlib import Path

from hermesd.adapters.atomic import sync_directory, temporary_beside, write_atomic, write_new
from hermesd.adapters.oserrors import translating
from hermesd.adapters.syscalls import rename_exchange
from hermesd.domain.errors import ChangedMeanwhile, Incompatible


def write_unchanged(path: Path, before: bytes | None, data: bytes, mode: int) -> None:
    """Replaces a file that holds `before`, or makes one where `None` was; durable when this returns.

    As in `write_atomic`, a symlink is followed, and a reader, a crash or a full disk finds the old bytes or the
    new ones. Not promised: what a program goes on writing into a file that it has opened before.

    Raises:
        ChangedMeanwhile: the file holds something else, and goes on to.
        DiskFull, NotPermitted: as for `write_atomic`.
        FileNotFoundError: the directory is gone.
    """
    target = Path(os.path.realpath(path))
    if before is None:
        _make(target, data, mode)
        return
    with translating(target), temporary_beside(target) as temporary:
        write_new(temporary, data, mode)
        try:
            _exchange(temporary, target, before)
        finally:
            sync_directory(target.parent)


def _make(target: Path, data: bytes, mode: int) -> None:
    try:
        write_atomic(target, data, mode, exclusive=True)
    except FileExistsError as error:
        raise changed(target) from error


def _exchange(temporary: Path, target: Path, before: bytes) -> None:
    """Puts a new file in the place of the old one, and back if that was not what is to be replaced."""
    try:
        rename_exchange(temporary, target)
    except FileNotFoundError as error:
        raise changed(target) from error
    except Incompatible:  # such file systems are rare, and leave a moment between the look and the deed
        if target.read_bytes() != before:
            raise changed(target) from None
        temporary.replace(target)
        return
    if temporary.read_bytes() != before:
        _put_back(temporary, target)
        raise changed(target)


def _put_back(temporary: Path, target: Path) -> None:
    """Gives what came out its place again, also where somebody has removed ours from it by now."""
    try:
        rename_exchange(temporary, target)
    except FileNotFoundError:
        temporary.replace(target)


def changed(path: Path) -> ChangedMeanwhile:
    """The failure for a file that somebody else changed."""
    return ChangedMeanwhile(f"cannot write {path}: somebody changed it meanwhile", path=str(path))
