"""What everybody does who looks at homes and at the machine."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from hermesd.adapters.homeinspector import HomeInspectorOnDisk
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.machineinspector import MachineInspectorOnDisk
from hermesd.domain import layout
from hermesd.domain.conditions import Exposed, HomeCondition, Matter, Unit
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.ports import HomeInspector, MachineInspector
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from tests.adapters.unprivileged import reachable_directory
from tests.fakes.inspectors import MemoryHomeInspector, MemoryMachineInspector

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = ProfileName("coder")


class Neighbour(Protocol):
    """Whoever else works on the machine, where everybody can reach homes."""

    homes: HomeInspector
    machine: MachineInspector
    home: Home

    def open_up(self, name: str) -> Path:
        """Lets everybody read an entry of the home, or with "" the home itself."""

    def take_away(self, name: str) -> None:
        """Removes a directory of the home."""

    def open_state(self) -> Path:
        """Lets everybody read what the daemon keeps."""

    def break_settings(self) -> None:
        """Writes settings that nobody understands."""

    def add_unit(self) -> Path:
        """hermes-agent makes a service for the home, and enables it."""


class MemoryNeighbour:
    """On the fakes."""

    def __init__(self) -> None:
        self.fake, self.fake_machine = MemoryHomeInspector(), MemoryMachineInspector()
        self.homes: HomeInspector = self.fake
        self.machine: MachineInspector = self.fake_machine
        self.home = Home(CODER, Path("/nowhere/coder"), HomeIdentity(1, 2, 3))

    def open_up(self, name: str) -> Path:
        path = self.home.path / name if name else self.home.path
        one = Exposed(path, 0o644 if name else 0o755, Matter.SECRET if name else None, is_reachable=not name)
        found = self._found
        self.fake.conditions["coder"] = replace(found, exposed=(*found.exposed, one))
        return path

    def take_away(self, name: str) -> None:
        self.fake.conditions["coder"] = replace(self._found, missing=(*self._found.missing, name))

    def open_state(self) -> Path:
        self.fake_machine.opened = [Exposed(Path("/state"), 0o755, Matter.PRIVATE, is_reachable=True)]
        return Path("/state")

    def break_settings(self) -> None:
        self.fake_machine.problem = "cannot use settings.toml"

    def add_unit(self) -> Path:
        path = Path("/units/hermes-gateway-coder.service")
        self.fake_machine.known_units = [Unit(path, self.home.path, is_enabled=True, is_of_system=False)]
        return path

    @property
    def _found(self) -> HomeCondition:
        return self.fake.conditions.get("coder", HomeCondition())


class DiskNeighbour:
    """On disk."""

    def __init__(self, place: Path) -> None:
        self.place = place
        homes = HomesOnDisk(place / "root")
        texts = layout.fresh_files(description="", with_skills=True)
        self.home = homes.create(CODER, texts, layout.DIRECTORIES)
        for one in (place / "root", place / "root" / "profiles"):
            one.chmod(0o755)
        self.state, self.unit_directory = place / "state", place / "units"
        self.state.mkdir(0o700)
        self.problem = ""
        self.homes: HomeInspector = HomeInspectorOnDisk()
        self.machine: MachineInspector = MachineInspectorOnDisk(
            place / "root",
            kept=(self.state,),
            private=(self.state,),
            units={self.unit_directory: False},
            read_settings=self._read_settings,
        )

    def open_up(self, name: str) -> Path:
        path = self.home.path / name if name else self.home.path
        path.chmod(0o644 if name else 0o755)
        return path

    def take_away(self, name: str) -> None:
        (self.home.path / name).rmdir()

    def open_state(self) -> Path:
        self.state.chmod(0o755)
        return self.state

    def break_settings(self) -> None:
        self.problem = "cannot use settings.toml"

    def add_unit(self) -> Path:
        path = self.unit_directory / "hermes-gateway-coder.service"
        wants = self.unit_directory / "default.target.wants"
        wants.mkdir(parents=True)
        (wants / path.name).symlink_to(path)
        path.write_text(
            "[Service]\nExecStart=/venv/bin/python -m hermes_cli.main --profile coder gateway run\n"
            f'Environment="HERMES_HOME={self.home.path}"\n'
        )
        return path

    def _read_settings(self) -> None:
        if self.problem:
            raise ConfigInvalid(self.problem)


@pytest.fixture(params=["memory", "disk"])
def neighbour(request: pytest.FixtureRequest) -> Iterator[Neighbour]:
    """A machine with one fresh profile, in memory and then on disk."""
    with reachable_directory() as place:
        yield MemoryNeighbour() if request.param == "memory" else DiskNeighbour(place)


def test_a_fresh_home_is_fine(neighbour: Neighbour) -> None:
    """And so is what surrounds it."""
    assert neighbour.homes.look(neighbour.home) == HomeCondition()
    assert (neighbour.machine.units(), neighbour.machine.exposed()) == ([], [])
    assert neighbour.machine.settings_problem() == ""


def test_what_is_open_is_told_and_closed(neighbour: Neighbour) -> None:
    """Only what was named, and twice as well."""
    env, home = neighbour.open_up(".env"), neighbour.open_up("")
    found = neighbour.homes.look(neighbour.home).exposed
    assert {one.path for one in found} == {env, home}
    for _ in range(2):
        neighbour.homes.make_private(neighbour.home, [home])
        assert [one.path for one in neighbour.homes.look(neighbour.home).exposed] == [env]
    neighbour.homes.make_private(neighbour.home, [env, home])
    assert neighbour.homes.look(neighbour.home) == HomeCondition()


def test_what_is_missing_is_told_and_made(neighbour: Neighbour) -> None:
    """Nothing is told afterwards."""
    neighbour.take_away("plans")
    neighbour.take_away("skins")
    assert set(neighbour.homes.look(neighbour.home).missing) == {"plans", "skins"}
    for _ in range(2):
        neighbour.homes.make_missing(neighbour.home)
        assert neighbour.homes.look(neighbour.home) == HomeCondition()


def test_what_the_daemon_keeps_is_closed(neighbour: Neighbour) -> None:
    """Only that."""
    path = neighbour.open_state()
    assert [one.path for one in neighbour.machine.exposed()] == [path]
    neighbour.machine.make_private(neighbour.home.path)
    assert [one.path for one in neighbour.machine.exposed()] == [path]
    neighbour.machine.make_private(path)
    assert neighbour.machine.exposed() == []


def test_a_service_of_hermes_agent_is_found(neighbour: Neighbour) -> None:
    """With the home that it is for."""
    path = neighbour.add_unit()
    assert neighbour.machine.units() == [Unit(path, neighbour.home.path, is_enabled=True, is_of_system=False)]


def test_settings_that_cannot_be_used_are_told(neighbour: Neighbour) -> None:
    """In the words of whoever reads them."""
    neighbour.break_settings()
    assert neighbour.machine.settings_problem() == "cannot use settings.toml"
