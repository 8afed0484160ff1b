"""What every bin directory of aliases does."""

from pathlib import Path
from typing import Protocol

import pytest

from hermesd.adapters.aliases import AliasesInBin
from hermesd.domain.errors import AliasTaken
from hermesd.domain.ports import Aliases
from hermesd.domain.profile import ProfileName
from tests.fakes.aliases import MemoryAliases

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = ProfileName("coder")
OTHER = ProfileName("other")


class Neighbour(Protocol):
    """Whoever else puts programs on PATH."""

    aliases: Aliases

    def put_upstream_alias(self, name: str, profile: str) -> None:
        """hermes-agent writes an alias."""

    def put_file(self, name: str) -> None:
        """A program that is no alias comes into the bin directory."""

    def install(self, name: str) -> None:
        """A program comes into another directory of PATH."""

    def age(self, name: str) -> None:
        """An alias of ours says what an earlier hermesd wrote."""


class MemoryNeighbour:
    """On the fake."""

    def __init__(self) -> None:
        self.fake = MemoryAliases()
        self.aliases: Aliases = self.fake

    def put_upstream_alias(self, name: str, profile: str) -> None:
        self.fake.add_upstream(name, profile)

    def put_file(self, name: str) -> None:
        self.fake.foreign.add(name)

    def install(self, name: str) -> None:
        self.fake.programs[name] = Path("/usr/bin") / name

    def age(self, name: str) -> None:
        self.fake.outdated.add(name)


class DiskNeighbour:
    """On disk."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "home" / "bin"
        self.elsewhere = directory / "elsewhere"
        self.elsewhere.mkdir()
        self.aliases: Aliases = AliasesInBin(self.bin, directory / "current", f"{self.bin}:{self.elsewhere}")

    def put_upstream_alias(self, name: str, profile: str) -> None:
        self._program(self.bin / name, f'#!/bin/sh\nexec /opt/hermes -p {profile} "$@"\n')

    def put_file(self, name: str) -> None:
        self._program(self.bin / name, "#!/bin/sh\necho hello\n")

    def install(self, name: str) -> None:
        self._program(self.elsewhere / name, "#!/bin/sh\n")

    def age(self, name: str) -> None:
        path = self.bin / name
        path.write_text(path.read_text() + "# earlier\n")

    def _program(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture(params=["memory", "disk"])
def neighbour(request: pytest.FixtureRequest, tmp_path: Path) -> Neighbour:
    """No alias yet, in memory and then on disk, where the bin directory is missing too."""
    return MemoryNeighbour() if request.param == "memory" else DiskNeighbour(tmp_path)


def test_created_alias_is_found(neighbour: Neighbour) -> None:
    """What was made is listed, as ours, by name."""
    second = neighbour.aliases.create("zeta", CODER)
    first = neighbour.aliases.create("coder", CODER)
    assert neighbour.aliases.scan() == [first, second]
    assert (first.name, first.profile, first.is_ours) == ("coder", CODER, True)


def test_nothing_is_found_at_first(neighbour: Neighbour) -> None:
    """No bin directory is no failure."""
    assert neighbour.aliases.scan() == []


def test_creating_twice_changes_nothing(neighbour: Neighbour) -> None:
    """The second time, the alias is there."""
    assert neighbour.aliases.create("coder", CODER) == neighbour.aliases.create("coder", CODER)
    assert len(neighbour.aliases.scan()) == 1


@pytest.mark.parametrize("name", ["", "Coder", "a b", "../x", "hermes", "gateway", "hermesctl", "-x"])
def test_impossible_name_is_refused(neighbour: Neighbour, name: str) -> None:
    """A name that is no command, or is one of Hermes itself, makes no file."""
    with pytest.raises(AliasTaken):
        neighbour.aliases.create(name, CODER)
    assert neighbour.aliases.scan() == []


def test_alias_of_another_profile_is_not_replaced(neighbour: Neighbour) -> None:
    """Ours too: it does what somebody asked for."""
    made = neighbour.aliases.create("bot", OTHER)
    with pytest.raises(AliasTaken, match="other"):
        neighbour.aliases.create("bot", CODER)
    assert neighbour.aliases.scan() == [made]


def test_upstream_alias_of_another_profile_is_not_replaced(neighbour: Neighbour) -> None:
    """hermes-agent's files are its own."""
    neighbour.put_upstream_alias("bot", "other")
    with pytest.raises(AliasTaken):
        neighbour.aliases.create("bot", CODER)


def test_upstream_alias_of_the_same_profile_serves(neighbour: Neighbour) -> None:
    """It is returned as it is, and stays hermes-agent's."""
    neighbour.put_upstream_alias("coder", "coder")
    found = neighbour.aliases.create("coder", CODER)
    assert (found.profile, found.is_ours) == (CODER, False)
    assert neighbour.aliases.scan() == [found]


def test_foreign_file_is_not_replaced(neighbour: Neighbour) -> None:
    """A program in the bin directory that is no alias keeps its name."""
    neighbour.put_file("coder")
    with pytest.raises(AliasTaken):
        neighbour.aliases.create("coder", CODER)
    assert neighbour.aliases.scan() == []


def test_program_elsewhere_is_not_hidden(neighbour: Neighbour) -> None:
    """A program of that name anywhere on PATH is named in the refusal."""
    neighbour.install("coder")
    with pytest.raises(AliasTaken, match="/coder"):
        neighbour.aliases.create("coder", CODER)


def test_check_refuses_what_create_refuses_and_writes_nothing(neighbour: Neighbour) -> None:
    """A name can be looked at before it is taken."""
    neighbour.put_file("file")
    neighbour.put_upstream_alias("theirs", "other")
    neighbour.install("program")
    before = neighbour.aliases.scan()
    for name in ("file", "theirs", "program", "chat", "../evil"):
        refusals = []
        for attempt in (neighbour.aliases.check, neighbour.aliases.create):
            with pytest.raises(AliasTaken) as caught:
                attempt(name, CODER)
            refusals.append(caught.value.message)
        assert refusals[0] == refusals[1]
    neighbour.aliases.check("coder", CODER)
    assert neighbour.aliases.scan() == before
    neighbour.aliases.create("coder", CODER)
    neighbour.aliases.check("coder", CODER)


def test_own_alias_is_removed(neighbour: Neighbour) -> None:
    """Once; the second time there is nothing to do."""
    alias = neighbour.aliases.create("coder", CODER)
    for _ in range(2):
        neighbour.aliases.remove(alias)
        assert neighbour.aliases.scan() == []


def test_alias_that_changed_hands_is_not_removed(neighbour: Neighbour) -> None:
    """What took its place is left alone."""
    alias = neighbour.aliases.create("coder", CODER)
    neighbour.put_upstream_alias("coder", "coder")
    neighbour.aliases.remove(alias)
    assert [one.name for one in neighbour.aliases.scan()] == ["coder"]


def test_alias_that_serves_another_profile_now_is_not_removed(neighbour: Neighbour) -> None:
    """The name alone does not tell which alias is meant."""
    stale = neighbour.aliases.create("bot", CODER)
    neighbour.aliases.remove(stale)
    made = neighbour.aliases.create("bot", OTHER)
    neighbour.aliases.remove(stale)
    assert neighbour.aliases.scan() == [made]


def test_alias_is_given_to_another_profile(neighbour: Neighbour) -> None:
    """It keeps its name; doing it again changes nothing."""
    alias = neighbour.aliases.create("bot", CODER)
    moved = neighbour.aliases.repoint(alias, OTHER)
    assert (moved.name, moved.profile, moved.is_ours) == ("bot", OTHER, True)
    assert neighbour.aliases.repoint(alias, OTHER) == moved
    assert neighbour.aliases.scan() == [moved]


def test_alias_that_changed_hands_is_not_given_away(neighbour: Neighbour) -> None:
    """What took its place is left alone, and what is gone does not come back."""
    alias = neighbour.aliases.create("bot", CODER)
    neighbour.aliases.remove(alias)
    neighbour.aliases.repoint(alias, OTHER)
    assert neighbour.aliases.scan() == []
    neighbour.put_upstream_alias("bot", "coder")
    neighbour.aliases.repoint(alias, OTHER)
    assert [(one.profile, one.is_ours) for one in neighbour.aliases.scan()] == [(CODER, False)]


def test_an_alias_of_an_earlier_hermesd_is_known_and_brought_up_to_date(neighbour: Neighbour) -> None:
    """By giving it to the profile that it is of already; hermes-agent's own is never what we would write."""
    alias = neighbour.aliases.create("coder", CODER)
    neighbour.put_upstream_alias("theirs", "coder")
    assert [neighbour.aliases.is_current(one) for one in neighbour.aliases.scan()] == [True, False]
    neighbour.age("coder")
    assert not neighbour.aliases.is_current(alias)
    neighbour.aliases.repoint(alias, CODER)
    assert neighbour.aliases.is_current(alias)
    neighbour.aliases.remove(alias)
    assert not neighbour.aliases.is_current(alias)


def test_where_aliases_are_made_is_known(neighbour: Neighbour) -> None:
    """Before there is one, and whether commands there are found."""
    made = neighbour.aliases.directory / "coder"
    assert neighbour.aliases.is_on_path
    assert neighbour.aliases.create("coder", CODER).path == made


def test_a_directory_off_path_is_known(tmp_path: Path) -> None:
    """Whatever links lead there; an empty entry of PATH is none."""
    (tmp_path / "link").symlink_to(tmp_path / "bin")
    for path, is_on_path in (("/usr/bin::", False), ("", False), (f"/usr/bin:{tmp_path}/link", True)):
        assert AliasesInBin(tmp_path / "bin", tmp_path, path).is_on_path is is_on_path
