"""Aliases in memory.

Owns: which names are taken and by what. Must not know a file system.
"""

from dataclasses import replace
from pathlib import Path

from hermesd.domain.alias import Alias, check_name
from hermesd.domain.errors import AliasTaken
from hermesd.domain.profile import ProfileName
from tests.fakes.faults import Faults


class MemoryAliases:
    """Aliases (port `Aliases`) in a bin directory that need not exist."""

    def __init__(self, bin_directory: Path = Path("/nowhere/.local/bin")) -> None:
        self.faults = Faults()
        self.foreign: set[str] = set()
        """Names of files in the bin directory that are no alias."""
        self.programs: dict[str, Path] = {}
        """Programs elsewhere on PATH, by name."""
        self._bin = bin_directory
        self._aliases: dict[str, Alias] = {}

    def add_upstream(self, name: str, profile: str) -> None:
        """hermes-agent writes an alias of its own, over whatever is there."""
        self._aliases[name] = Alias(name, ProfileName(profile), self._bin / name, is_ours=False)

    def scan(self) -> list[Alias]:
        self.faults.trip("scan")
        return [self._aliases[name] for name in sorted(self._aliases)]

    def create(self, name: str, profile: ProfileName) -> Alias:
        self.faults.trip("create")
        check_name(name)
        path = self._bin / name
        if name in self.programs:
            raise AliasTaken(f"cannot make the alias '{name}': it would hide {self.programs[name]}")
        if name in self.foreign:
            raise AliasTaken(f"cannot make the alias '{name}': {path} is not an alias", path=str(path))
        found = self._aliases.setdefault(name, Alias(name, profile, path, is_ours=True))
        if found.profile != profile:
            raise AliasTaken(f"cannot make the alias '{name}': {path} is the alias of '{found.profile}'")
        return found

    def repoint(self, alias: Alias, profile: ProfileName) -> Alias:
        self.faults.trip("repoint")
        found = self._aliases.get(alias.name)
        if found is None or not found.is_ours or found.profile != alias.profile:
            return alias if found is None else found
        self._aliases[alias.name] = replace(found, profile=profile)
        return self._aliases[alias.name]

    def recover(self) -> None:
        self.faults.trip("recover")

    def remove(self, alias: Alias) -> None:
        self.faults.trip("remove")
        found = self._aliases.get(alias.name)
        if found is not None and found.is_ours and found.profile == alias.profile:
            del self._aliases[alias.name]
