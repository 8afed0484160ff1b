"""What surrounds profiles, and their state on disk, as a test says.

Owns: conditions by profile name, and what mending makes of them. Must not know a file system.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hermesd.domain.conditions import Disk, Exposed, HomeCondition, Unit
from hermesd.domain.profile import Home
from tests.fakes.faults import Faults


class MemoryHomeInspector:
    """Homes (port `HomeInspector`) in the condition that is set for each, or in none to be told of."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.conditions: dict[str, HomeCondition] = {}

    def look(self, home: Home) -> HomeCondition:
        return self.conditions.get(home.name.text, HomeCondition())

    def make_private(self, home: Home, paths: Sequence[Path]) -> None:
        self.faults.trip("make_private")
        found = self.look(home)
        if not found.is_link:
            left = tuple(one for one in found.exposed if one.path not in paths)
            self.conditions[home.name.text] = replace(found, exposed=left)

    def make_missing(self, home: Home) -> None:
        self.faults.trip("make_missing")
        found = self.look(home)
        if not found.is_link:
            self.conditions[home.name.text] = replace(found, missing=())


class MemoryMachineInspector:
    """The machine (port `MachineInspector`) as it is set."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.by_path: dict[Path, Disk] = {}
        """File systems that the daemon's own places are not on."""
        self.own: list[Disk] = []
        self.known_units: list[Unit] = []
        self.opened: list[Exposed] = []
        self.problem = ""

    def disk(self, path: Path) -> Disk | None:
        return self.by_path.get(path) or next(iter(self.own), None)

    def disks(self) -> list[Disk]:
        return list(self.own)

    def units(self) -> list[Unit]:
        return sorted(self.known_units, key=lambda one: one.path)

    def exposed(self) -> list[Exposed]:
        return list(self.opened)

    def make_private(self, path: Path) -> None:
        self.faults.trip("make_private")
        self.opened = [one for one in self.opened if one.path != path]

    def settings_problem(self) -> str:
        return self.problem
