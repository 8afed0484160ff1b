"""The trash in memory.

Owns: nothing but the door to what `tests/fakes/homes.py` keeps. Must not know a file system.
"""

from hermesd.domain.errors import NotFound
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.trash import Trashed
from tests.fakes.faults import Faults
from tests.fakes.homes import MemoryHomes


class MemoryTrash:
    """Trash (port `Trash`) of the homes in memory."""

    def __init__(self, homes: MemoryHomes) -> None:
        self.faults = Faults()
        self.homes = homes

    def scan(self) -> list[Trashed]:
        self.faults.trip("scan")
        found = [Trashed(note, path, stored.identity) for path, (note, stored) in self.homes.trash.items()]
        return sorted(found, key=lambda entry: (-entry.note.deleted_at_s, entry.note.id))

    def size_bytes(self, entry: Trashed) -> int:
        self.faults.trip("size_bytes")
        _, stored = self.homes.trash[entry.path]
        return sum(len(text) for text in stored.files.values())

    def restore(self, entry: Trashed, name: ProfileName) -> Home:
        self.faults.trip("restore")
        self._refuse_absent(entry)
        return self.homes.bring_back(entry.path, name)

    def remove(self, entry: Trashed) -> None:
        self.faults.trip("remove")
        self._refuse_absent(entry)
        del self.homes.trash[entry.path]

    def _refuse_absent(self, entry: Trashed) -> None:
        if entry.path not in self.homes.trash:
            raise NotFound(f"'{entry.note.name}' is not in the trash any more")
