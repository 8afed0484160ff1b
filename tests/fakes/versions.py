"""Versions in memory. Passes the suite of `tests/contracts/test_versions.py`."""

from collections import defaultdict

from hermesd.domain.configuration import VERSIONS_KEPT, ConfigFile
from hermesd.domain.errors import HermesError, NotFound
from hermesd.domain.version import Origin, Version


class MemoryVersions:
    """Numbers stand for moments: version 3 was kept at 3.0."""

    def __init__(self) -> None:
        self._kept: defaultdict[tuple[str, ConfigFile], list[tuple[Version, bytes]]] = defaultdict(list)
        self.refusal: HermesError | None = None
        """What `keep` raises."""

    def keep(self, profile_id: str, file: ConfigFile, data: bytes, origin: Origin) -> Version:
        """Newest first."""
        if self.refusal is not None:
            raise self.refusal
        kept = self._kept[profile_id, file]
        if kept and kept[0][1] == data:
            return kept[0][0]
        number = kept[0][0].number + 1 if kept else 1
        version = Version(number, float(number), origin, len(data))
        kept.insert(0, (version, data))
        del kept[VERSIONS_KEPT:]
        return version

    def of(self, profile_id: str, file: ConfigFile) -> list[Version]:
        """Those that were kept."""
        return [version for version, _ in self._kept[profile_id, file]]

    def read(self, profile_id: str, file: ConfigFile, number: int) -> bytes:
        """One of them."""
        for version, data in self._kept[profile_id, file]:
            if version.number == number:
                return data
        raise NotFound(f"there is no version {number} of {file}")

    def remove(self, profile_id: str) -> None:
        """All of one profile."""
        for key in [key for key in self._kept if key[0] == profile_id]:
            del self._kept[key]
