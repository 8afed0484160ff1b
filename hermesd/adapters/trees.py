"""Private directory trees: made durable piece by piece, and removed whatever is in them.

Owns: modes, flushing and stubborn entries. Must not know what a tree is for or where it lies.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hermesd.adapters.atomic import sync_directory, write_new
from hermesd.adapters.mounts import mounted_below
from hermesd.adapters.oserrors import not_permitted

PRIVATE = 0o700

ATTEMPTS = 5
"""How often a tree is removed that somebody still writes in."""


def make_private(path: Path) -> None:
    """Makes one directory that must not exist yet, 0700 whatever the umask."""
    path.mkdir(PRIVATE)
    path.chmod(PRIVATE)


def ensure_private(path: Path) -> None:
    """Makes a directory and those above it where they are missing, 0700, and flushes each entry made."""
    _ensure(path, make_private)


def ensure_shared(path: Path) -> None:
    """The same for directories that are shared with other programs: as wide as any of those would make them."""
    _ensure(path, Path.mkdir)


def _ensure(path: Path, make: Callable[[Path], None]) -> None:
    if path.is_dir():
        return
    _ensure(path.parent, make)
    try:
        make(path)
    except FileExistsError:
        if not path.is_dir():
            raise
    sync_directory(path.parent)


def build_private(path: Path, files: Mapping[str, str], directories: Sequence[str]) -> None:
    """Makes a tree that must not exist yet: directories 0700, files 0600, all of it flushed.

    Names are relative to `path`; directories that a name needs are made.
    """
    make_private(path)
    for name in directories:
        ensure_private(path / name)
    for name, text in files.items():
        ensure_private((path / name).parent)
        write_new(path / name, text.encode())
    for directory, _, _ in os.walk(path, topdown=False):
        sync_directory(Path(directory))


def remove_tree(path: Path) -> None:
    """Removes a tree, a file or a link, never following a link. Gone already is fine.

    Directories that their owner may not write are opened up first. What is mounted in the tree is not the tree's,
    and nothing is removed then. A program that goes on writing in there makes this fail; a second call goes on
    where the first one ended.

    Raises:
        NotPermitted: something is mounted in it, or a program goes on writing in it.
        OSError: the system refuses.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    refuse_mounts(path)
    for left in reversed(range(ATTEMPTS)):
        try:
            shutil.rmtree(path)
        except PermissionError:
            if not left:
                raise
            _open_up(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            if not left:
                raise not_permitted(path, "a program goes on writing in it", "delete") from error
        else:
            return


def refuse_mounts(path: Path) -> None:
    """Refuses to delete a tree that others are mounted in: their files are somebody else's.

    Raises:
        NotPermitted: there is such a one.
    """
    if mounted := mounted_below(Path(os.path.realpath(path.parent)) / path.name):
        raise not_permitted(path, f"{mounted[0]} is mounted in it: unmount it first", "delete")


def _open_up(tree: Path) -> None:
    """Gives the owner all rights to every directory of a tree."""
    tree.chmod(PRIVATE)
    for directory, names, _ in os.walk(tree):
        for name in names:
            child = Path(directory, name)
            if stat.S_ISDIR(child.lstat().st_mode):
                child.chmod(PRIVATE)
