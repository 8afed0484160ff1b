"""Private directory trees: made durable piece by piece, and removed whatever is in them.

Owns: modes, flushing and stubborn entries. Must not know what a tree is for or where it lies.
"""

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from hermesd.adapters.atomic import sync_directory, write_new

PRIVATE = 0o700


def make_private(path: Path) -> None:
    """Makes one directory that must not exist yet, 0700 whatever the umask."""
    path.mkdir(PRIVATE)
    path.chmod(PRIVATE)


def ensure_private(path: Path) -> None:
    """Makes a directory and those above it where they are missing, 0700, and flushes each entry made."""
    if path.is_dir():
        return
    ensure_private(path.parent)
    try:
        make_private(path)
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

    Directories that their owner may not write are opened up first. What another process adds meanwhile makes
    this fail with `OSError`; a second call goes on where the first one ended.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        _open_up(path)
        shutil.rmtree(path)


def _open_up(tree: Path) -> None:
    """Gives the owner all rights to every directory of a tree."""
    tree.chmod(PRIVATE)
    for directory, names, _ in os.walk(tree):
        for name in names:
            child = Path(directory, name)
            if stat.S_ISDIR(child.lstat().st_mode):
                child.chmod(PRIVATE)
