"""The trash as it lies on disk: which entry is which deleted profile.

Owns: names of entries, and the notes beside them. Must not know who puts a home there or takes it out.

    NAME-ID         a home as it was
    NAME-ID.json    what is remembered of it; no home has such a name, for names have no dot

The note is written before the home comes and removed after it went. One without a home is therefore litter, and a
home without a note is one whose note was lost: its name, and when it was moved, can still be told.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from hermesd.adapters import jsontext
from hermesd.adapters.atomic import TEMPORARY_SUFFIX, write_atomic
from hermesd.adapters.syscalls import identify
from hermesd.domain.errors import HermesError
from hermesd.domain.profile import NAME_PATTERN, HomeIdentity, ProfileName
from hermesd.domain.trash import Trashed, TrashNote

SUFFIX = ".json"


def entry_path(trash: Path, note: TrashNote) -> Path:
    """Where the home that a note speaks of lies in the trash."""
    return trash / f"{note.name}-{note.id}"


def write_note(entry: Path, note: TrashNote) -> None:
    """Writes the note of an entry. Raises `DiskFull`, `NotPermitted`."""
    document = {
        "id": note.id,
        "name": note.name.text,
        "deleted_at": note.deleted_at_s,
        "profile_id": note.profile_id,
        "description": note.description,
        "aliases": list(note.aliases),
    }
    write_atomic(note_path(entry), json.dumps(document).encode())


def note_path(entry: Path) -> Path:
    """Where the note of an entry lies."""
    return entry.with_name(f"{entry.name}{SUFFIX}")


def entries(trash: Path) -> Iterator[Trashed]:
    """Every home in the trash, in no order; nothing if there is no trash."""
    for name in _names(trash):
        known_as, dash, trash_id = name.rpartition("-")
        if dash and "." not in trash_id and NAME_PATTERN.fullmatch(known_as):
            path = trash / name
            try:
                found = identify(path)
                note = _read(note_path(path)) or TrashNote(trash_id, ProfileName(known_as), path.lstat().st_ctime)
            except FileNotFoundError:  # it has just been brought back or removed
                continue
            yield Trashed(note, path, HomeIdentity(found.device, found.inode, found.birth_ns))


def litter(trash: Path) -> list[Path]:
    """Notes whose home is not in the trash, and notes that were cut off while they were written."""
    names = _names(trash)
    homes = set(names)
    return [
        trash / name
        for name in names
        if (name.endswith(SUFFIX) and name.removesuffix(SUFFIX) not in homes)
        or (name.startswith(".") and name.endswith(TEMPORARY_SUFFIX))
    ]


def _read(path: Path) -> TrashNote | None:
    """A note; `None` if it is gone or is not one: the home is worth more than what is known of it."""
    try:
        document = jsontext.parse(path.read_bytes())
        return TrashNote(
            str(document["id"]),
            ProfileName.parse(document["name"]),
            float(document["deleted_at"]),
            str(document["profile_id"]),
            str(document["description"]),
            tuple(str(alias) for alias in document["aliases"]),
        )
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, HermesError):
        return None


def _names(trash: Path) -> list[str]:
    try:
        return sorted(os.listdir(trash))  # noqa: PTH208 - names are wanted
    except (FileNotFoundError, NotADirectoryError):
        return []
