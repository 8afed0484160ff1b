"""The trash of deleted profiles on disk.

Owns: how a home is brought back or removed for good so that a crash at any moment leaves it wholly in the trash,
wholly in its place or wholly gone. Must not know how long anything is kept. How a home comes into the trash, and
what a crash leaves there, is the business of `homes.py`.
"""

import os
import stat
from pathlib import Path

from hermesd.adapters import trashnotes
from hermesd.adapters.atomic import sync_directory
from hermesd.adapters.oserrors import translating
from hermesd.adapters.syscalls import rename_exclusive
from hermesd.adapters.trees import refuse_mounts, remove_tree
from hermesd.domain.errors import NotFound, ProfileExists
from hermesd.domain.layout import PURGING, STAGING
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.trash import Trashed

BLOCK_BYTES = 512
"""What `st_blocks` counts, whatever the file system's own blocks."""


class TrashOnDisk:
    """Trash (port `Trash`) below a canonical root."""

    def __init__(self, root: Path) -> None:
        self._profiles = root / "profiles"
        self._trash = self._profiles / STAGING / "trash"

    def scan(self) -> list[Trashed]:
        """Every entry, the last deleted first."""
        with translating(self._trash, "read"):
            found = list(trashnotes.entries(self._trash))
        return sorted(found, key=lambda entry: (-entry.note.deleted_at_s, entry.note.id))

    def size_bytes(self, entry: Trashed) -> int:
        """What its files take on disk. Those that cannot be looked at, or go meanwhile, count as nothing."""
        return _blocks(entry.path) * BLOCK_BYTES

    def restore(self, entry: Trashed, name: ProfileName) -> Home:
        """Publishes the home by one rename that replaces nothing."""
        target = self._profiles / name.text
        with translating(target, "bring back"):
            try:
                rename_exclusive(entry.path, target)
            except FileNotFoundError as error:
                raise _gone(entry) from error
            except FileExistsError as error:
                raise ProfileExists(f"cannot bring back '{name}': {target} exists", profile=str(name)) from error
            sync_directory(self._profiles)
            self._drop_note(entry)
            return Home(name, target, entry.identity)

    def remove(self, entry: Trashed) -> None:
        """Renames the home to a name that says it is being deleted, then deletes it."""
        doomed = entry.path.with_name(f"{PURGING}{entry.path.name}")
        refuse_mounts(entry.path)
        with translating(entry.path, "delete"):
            try:
                rename_exclusive(entry.path, doomed)
            except FileNotFoundError as error:
                raise _gone(entry) from error
            self._drop_note(entry)
            remove_tree(doomed)

    def _drop_note(self, entry: Trashed) -> None:
        trashnotes.note_path(entry.path).unlink(missing_ok=True)
        sync_directory(self._trash)


def _gone(entry: Trashed) -> NotFound:
    return NotFound(
        f"'{entry.note.name}' of {entry.note.id} is not in the trash any more",
        fixes=["hermesctl profile trash list"],
    )


def _blocks(path: Path) -> int:
    """Blocks of a tree, links not followed."""
    try:
        found = path.lstat()
        names = os.listdir(path) if stat.S_ISDIR(found.st_mode) else []  # noqa: PTH208 - names are wanted
    except OSError:
        return 0
    return found.st_blocks + sum(_blocks(path / name) for name in names)
