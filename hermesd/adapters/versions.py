"""Versions of files of settings (port `Versions`): each a private file of its bytes, a directory for each profile.

Owns: their names and numbers, and how many there are. They hold secrets, so nobody else may read them. Must not
know what is in them.
"""

import re
from pathlib import Path

from hermesd.adapters.atomic import sync_directory, write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.adapters.trees import ensure_private, remove_tree
from hermesd.domain.configuration import VERSIONS_KEPT, ConfigFile
from hermesd.domain.errors import NotFound
from hermesd.domain.ports import Clock
from hermesd.domain.version import Origin, Version

_NAME = re.compile(rf"(\d{{8}})-(\d{{13}})-({'|'.join(Origin)})")
_MS = 1000


class VersionsOnDisk:
    """Versions below one directory."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def keep(self, profile_id: str, file: ConfigFile, data: bytes, origin: Origin) -> Version:
        """Writes a file of its own, then removes the oldest beyond the limit."""
        place = self._place(profile_id, file)
        with translating(place):
            known = _versions_in(place)
            if known and known[0][1].read_bytes() == data:
                return known[0][0]
            for directory in (place.parent, place):
                ensure_private(directory)
            at_ms = int(self._clock.now_s() * _MS)
            number = known[0][0].number + 1 if known else 1
            write_atomic(place / f"{number:08}-{at_ms:013}-{origin}", data, exclusive=True)
            for _, path in known[VERSIONS_KEPT - 1 :]:
                path.unlink(missing_ok=True)
        return Version(number, at_ms / _MS, origin, len(data))

    def of(self, profile_id: str, file: ConfigFile) -> list[Version]:
        """Newest first."""
        place = self._place(profile_id, file)
        with translating(place, "read"):
            return [version for version, _ in _versions_in(place)]

    def read(self, profile_id: str, file: ConfigFile, number: int) -> bytes:
        """The bytes of one."""
        place = self._place(profile_id, file)
        with translating(place, "read"):
            for version, path in _versions_in(place):
                if version.number == number:
                    return path.read_bytes()
        raise NotFound(f"there is no version {number} of {file}")

    def remove(self, profile_id: str) -> None:
        """Deletes the profile's directory."""
        directory = self._directory / profile_id
        with translating(directory, "remove"):
            if directory.exists():
                remove_tree(directory)
                sync_directory(self._directory)

    def _place(self, profile_id: str, file: ConfigFile) -> Path:
        return self._directory / profile_id / file.value.removeprefix(".")


def _versions_in(place: Path) -> list[tuple[Version, Path]]:
    """Newest first, by their names; other files are none."""
    found = []
    for path in place.iterdir() if place.is_dir() else ():
        if parts := _NAME.fullmatch(path.name):
            size = path.stat().st_size
            found.append((Version(int(parts[1]), int(parts[2]) / _MS, Origin(parts[3]), size), path))
    return sorted(found, key=lambda one: one[0].number, reverse=True)
