"""What every tree of homes does."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain import layout
from hermesd.domain.errors import ArgumentInvalid, DiskFull, NotFound, ProfileExists, ProfileNotFound
from hermesd.domain.ports import Homes
from hermesd.domain.profile import DEFAULT, Home, ProfileName
from hermesd.domain.trash import TrashNote
from hermesd.domain.usage import DiskUsage
from tests.fakes.homes import MemoryHomes

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = ProfileName("coder")
FILES = layout.fresh_files(description="writes code", with_skills=True)


class Neighbour(Protocol):
    """hermes-agent's own command line, which works on the same tree."""

    homes: Homes

    def add(self, name: str) -> None:
        """Makes a home."""

    def drop(self, name: str) -> None:
        """Removes a home."""

    def replace(self, name: str) -> None:
        """Puts another directory in the place of a home."""

    def read(self, name: str) -> dict[str, str]:
        """Reads every file of a home, by relative path."""

    def write_sticky(self, text: str) -> None:
        """Writes the sticky default's file."""

    def read_sticky(self) -> str | None:
        """Reads it; `None` if there is none."""

    def leave_half(self) -> list[Path]:
        """A daemon dies while it makes one home and deletes another; where they lie."""


class MemoryNeighbour:
    """On the fake."""

    def __init__(self) -> None:
        self.fake = MemoryHomes()
        self.homes: Homes = self.fake

    def add(self, name: str) -> None:
        self.fake.add(name)

    def drop(self, name: str) -> None:
        self.fake.drop(name)

    def replace(self, name: str) -> None:
        self.fake.replace(name)

    def read(self, name: str) -> dict[str, str]:
        return self.fake.files_of(name)

    def write_sticky(self, text: str) -> None:
        self.fake.sticky_text = text

    def read_sticky(self) -> str | None:
        return self.fake.sticky_text

    def leave_half(self) -> list[Path]:
        self.fake.staging = [Path("/new/a-0123"), Path("/trash/.purging-b-0123")]
        return list(self.fake.staging)


class DiskNeighbour:
    """On disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir()
        self.homes: Homes = HomesOnDisk(root)

    def add(self, name: str) -> None:
        (self.root / "profiles" / name).mkdir(parents=True)

    def drop(self, name: str) -> None:
        (self.root / "profiles" / name).rmdir()

    def replace(self, name: str) -> None:
        unpacked = self.root / "unpacked"
        unpacked.mkdir()
        self.drop(name)
        unpacked.rename(self.root / "profiles" / name)

    def read(self, name: str) -> dict[str, str]:
        home = self.root / "profiles" / name
        return {str(file.relative_to(home)): file.read_text() for file in home.rglob("*") if file.is_file()}

    def write_sticky(self, text: str) -> None:
        (self.root / "active_profile").write_text(text)

    def read_sticky(self) -> str | None:
        path = self.root / "active_profile"
        return path.read_text() if path.exists() else None

    def leave_half(self) -> list[Path]:
        staging = self.root / "profiles" / ".hermesd"
        left = [staging / "new" / "a-0123", staging / "trash" / ".purging-b-0123"]
        for path in left:
            (path / "skills").mkdir(parents=True)
        return left


@pytest.fixture(params=["memory", "disk"])
def neighbour(request: pytest.FixtureRequest, tmp_path: Path) -> Neighbour:
    """A tree with nothing but its root, in memory and then on disk."""
    return MemoryNeighbour() if request.param == "memory" else DiskNeighbour(tmp_path / "root")


@pytest.fixture
def homes(neighbour: Neighbour) -> Homes:
    """The port under test."""
    return neighbour.homes


def names(homes: Homes) -> list[str]:
    """Names of all homes, in the order of the scan."""
    return [str(home.name) for home in homes.scan()]


def create(homes: Homes, name: ProfileName = CODER) -> Home:
    """A fresh home."""
    return homes.create(name, FILES, layout.DIRECTORIES)


def test_place_for_a_home_is_where_it_is_made(homes: Homes) -> None:
    """Looking at it makes nothing; whatever has the name by then is told as by `create`."""
    place = homes.place_for(CODER)
    assert names(homes) == ["default"]
    assert create(homes).path == place
    for taken in (CODER, ProfileName(DEFAULT)):
        refusals = []
        for attempt in (homes.place_for, lambda name: create(homes, name)):
            with pytest.raises(ProfileExists) as caught:
                attempt(taken)
            refusals.append(caught.value.message)
        assert refusals[0] == refusals[1]


def test_what_fills_a_home_is_given_its_place_before_anybody_can_find_it(homes: Homes) -> None:
    """And if it fails, there is no home."""
    seen = []

    def fill(place: Path) -> None:
        seen.append((place, homes.find(CODER)))
        if len(seen) == 1:
            raise DiskFull("no space left")

    with pytest.raises(DiskFull):
        homes.create(CODER, FILES, layout.DIRECTORIES, fill=fill)
    assert homes.find(CODER) is None
    home = homes.create(CODER, FILES, layout.DIRECTORIES, fill=fill)
    assert [found for _, found in seen] == [None, None]
    assert home.path not in {place for place, _ in seen}


Remove = Callable[[Homes, Home], object]


def move_to_trash(homes: Homes, home: Home) -> None:
    """A home goes to the trash."""
    homes.move_to_trash(home, TrashNote("abcdefabcdef", home.name, 1.0))


def purge(homes: Homes, home: Home) -> None:
    """A home goes for good."""
    homes.purge(home)


def test_default_comes_first_then_names_in_order(neighbour: Neighbour) -> None:
    """The root is the home of `default`; homes that others make are simply there."""
    for name in ("zeta", "alpha", "0x"):
        neighbour.add(name)
    assert names(neighbour.homes) == ["default", "0x", "alpha", "zeta"]


def test_created_home_holds_what_was_asked_for(neighbour: Neighbour) -> None:
    """Every file says what it was given."""
    home = create(neighbour.homes)
    assert neighbour.read("coder") == FILES
    assert neighbour.homes.find(CODER) == home
    assert home in neighbour.homes.scan()


def test_name_is_given_once(neighbour: Neighbour) -> None:
    """A home that exists, whoever made it, is never replaced or added to."""
    neighbour.add("coder")
    before = neighbour.read("coder")
    with pytest.raises(ProfileExists):
        create(neighbour.homes)
    assert neighbour.read("coder") == before


def test_default_cannot_be_created(homes: Homes) -> None:
    """The default profile is there whenever the root is."""
    with pytest.raises(ProfileExists):
        create(homes, ProfileName(DEFAULT))


def test_unknown_home_is_not_found(homes: Homes) -> None:
    """Asking for what is not there is no failure."""
    assert homes.find(CODER) is None


def test_identity_stays_and_is_not_shared(neighbour: Neighbour) -> None:
    """A home keeps its identity; a home made later under the same name has another."""
    first = create(neighbour.homes)
    assert neighbour.homes.find(CODER) == first
    move_to_trash(neighbour.homes, first)
    assert create(neighbour.homes).identity != first.identity


def test_a_home_that_others_put_in_the_place_of_another_has_an_identity_of_its_own(neighbour: Neighbour) -> None:
    """As one that is restored from a backup: by name it is the same, by identity it is not."""
    neighbour.add("coder")
    first = neighbour.homes.find(CODER)
    neighbour.replace("coder")
    second = neighbour.homes.find(CODER)
    assert first is not None
    assert second is not None
    assert (first.name, first.path) == (second.name, second.path)
    assert first.identity != second.identity


@pytest.mark.parametrize("remove", [move_to_trash, purge])
def test_removed_home_is_gone(homes: Homes, remove: Remove) -> None:
    """Removal takes one home out and leaves the others."""
    home = create(homes)
    create(homes, ProfileName("other"))
    remove(homes, home)
    assert names(homes) == ["default", "other"]


@pytest.mark.parametrize("remove", [move_to_trash, purge])
def test_default_cannot_be_removed(homes: Homes, remove: Remove) -> None:
    """The root holds every profile."""
    default = homes.find(ProfileName(DEFAULT))
    assert default is not None
    with pytest.raises(ArgumentInvalid):
        remove(homes, default)
    assert names(homes) == ["default"]


@pytest.mark.parametrize("remove", [move_to_trash, purge])
def test_vanished_home_cannot_be_removed(neighbour: Neighbour, remove: Remove) -> None:
    """Somebody else was faster: that is said, not passed over."""
    neighbour.add("coder")
    home = neighbour.homes.find(CODER)
    neighbour.drop("coder")
    assert home is not None
    with pytest.raises(ProfileNotFound):
        remove(neighbour.homes, home)


@pytest.mark.parametrize("remove", [move_to_trash, purge])
def test_replaced_home_is_not_removed(neighbour: Neighbour, remove: Remove) -> None:
    """A home that took the name of the one meant stays."""
    first = create(neighbour.homes)
    move_to_trash(neighbour.homes, first)
    second = create(neighbour.homes)
    with pytest.raises(ProfileNotFound):
        remove(neighbour.homes, first)
    assert neighbour.homes.find(CODER) == second


def test_recovery_without_accident_changes_nothing(neighbour: Neighbour) -> None:
    """A start after a clean end finds everything as it was."""
    neighbour.homes.recover()
    home = create(neighbour.homes)
    neighbour.homes.recover()
    assert neighbour.homes.find(CODER) == home
    assert neighbour.read("coder") == FILES


def test_sticky_default_is_default_at_first(homes: Homes) -> None:
    """Without a file, `default` is meant."""
    assert homes.sticky_default() == ProfileName(DEFAULT)


def test_sticky_default_is_what_was_written(neighbour: Neighbour) -> None:
    """The file is hermes-agent's: the name and a line end; `default` removes it."""
    create(neighbour.homes)
    neighbour.homes.write_sticky_default(CODER)
    assert neighbour.homes.sticky_default() == CODER
    assert neighbour.read_sticky() == "coder\n"
    for _ in range(2):
        neighbour.homes.write_sticky_default(ProfileName(DEFAULT))
        assert neighbour.read_sticky() is None
    assert neighbour.homes.sticky_default() == ProfileName(DEFAULT)


def test_writing_the_sticky_default_tells_the_one_before(neighbour: Neighbour) -> None:
    """Also one that names no home, so that people hear what they left."""
    create(neighbour.homes)
    assert neighbour.homes.write_sticky_default(CODER) == ProfileName(DEFAULT)
    assert neighbour.homes.write_sticky_default(CODER) == CODER
    neighbour.write_sticky("gone\n")
    assert neighbour.homes.write_sticky_default(ProfileName(DEFAULT)) == ProfileName("gone")
    neighbour.write_sticky("../x\n")
    assert neighbour.homes.write_sticky_default(CODER) == ProfileName(DEFAULT)


def test_there_is_no_way_back_at_first(homes: Homes) -> None:
    """NOT_FOUND until the sticky default has been changed once; choosing what is chosen is no change."""
    homes.write_sticky_default(ProfileName(DEFAULT))
    with pytest.raises(NotFound):
        homes.previous_default()


def test_the_way_back_is_the_choice_before(neighbour: Neighbour) -> None:
    """Like `cd -`: going back and forth, whether or not the one before still exists."""
    homes = neighbour.homes
    neighbour.add("coder")
    homes.write_sticky_default(CODER)
    homes.write_sticky_default(CODER)
    assert homes.previous_default() == ProfileName(DEFAULT)
    homes.write_sticky_default(ProfileName(DEFAULT))
    assert homes.previous_default() == CODER
    neighbour.drop("coder")
    assert homes.previous_default() == CODER


def test_the_way_back_from_a_choice_of_hermes_agent_is_ours(neighbour: Neighbour) -> None:
    """It writes the sticky default without telling us what it was."""
    create(neighbour.homes)
    neighbour.add("other")
    neighbour.homes.write_sticky_default(CODER)
    neighbour.write_sticky("other\n")
    assert neighbour.homes.previous_default() == CODER


@pytest.mark.parametrize("text", ["coder", "  coder\n\n", "Coder\n"])
def test_sticky_default_is_read_leniently(neighbour: Neighbour, text: str) -> None:
    """Space and upper case do not matter."""
    create(neighbour.homes)
    neighbour.write_sticky(text)
    assert neighbour.homes.sticky_default() == CODER


@pytest.mark.parametrize("text", ["", "\n", "gone\n", "../x", "coder\nother\n", "default\n"])
def test_sticky_default_that_names_no_home_counts_as_default(neighbour: Neighbour, text: str) -> None:
    """A file that is empty, malformed or dangling is no failure."""
    create(neighbour.homes)
    neighbour.write_sticky(text)
    assert neighbour.homes.sticky_default() == ProfileName(DEFAULT)


def test_moved_home_keeps_identity_and_contents(neighbour: Neighbour) -> None:
    """Under its new name it is the same home, and the old name is free."""
    home = neighbour.homes.create(CODER, FILES, layout.DIRECTORIES)
    moved = neighbour.homes.move(home, ProfileName("writer"))
    assert (moved.name.text, moved.path.name, moved.identity) == ("writer", "writer", home.identity)
    assert neighbour.homes.find(CODER) is None
    assert neighbour.homes.find(ProfileName("writer")) == moved
    assert neighbour.read("writer") == dict(FILES)
    neighbour.homes.create(CODER, FILES, layout.DIRECTORIES)


def test_home_is_not_moved_onto_another(neighbour: Neighbour) -> None:
    """Both stay as they were."""
    home = neighbour.homes.create(CODER, FILES, layout.DIRECTORIES)
    neighbour.add("writer")
    with pytest.raises(ProfileExists):
        neighbour.homes.move(home, ProfileName("writer"))
    assert [one.name.text for one in neighbour.homes.scan()] == [DEFAULT, "coder", "writer"]


@pytest.mark.parametrize("accident", ["drop", "replace"])
def test_home_that_is_no_more_the_same_is_not_moved(neighbour: Neighbour, accident: str) -> None:
    """Whoever has its name now keeps it."""
    neighbour.add("coder")
    home = neighbour.homes.find(CODER)
    assert home is not None
    getattr(neighbour, accident)("coder")
    with pytest.raises(ProfileNotFound):
        neighbour.homes.move(home, ProfileName("writer"))
    assert neighbour.homes.find(ProfileName("writer")) is None


def test_default_cannot_be_moved(homes: Homes) -> None:
    """It holds every other home; nor can another one take its place."""
    homes.create(CODER, FILES, layout.DIRECTORIES)
    default, coder = homes.scan()
    with pytest.raises(ArgumentInvalid):
        homes.move(default, ProfileName("writer"))
    with pytest.raises(ArgumentInvalid):
        homes.move(coder, ProfileName(DEFAULT))


def test_sticky_default_follows_a_rename(neighbour: Neighbour) -> None:
    """And so does the way back; doing it again, or for a profile that is neither, changes nothing."""
    writer, editor = ProfileName("writer"), ProfileName("editor")
    for name in ("coder", "writer"):
        neighbour.add(name)
    neighbour.homes.write_sticky_default(CODER)
    neighbour.homes.rename_sticky_default(CODER, editor)
    assert neighbour.read_sticky() == "editor\n"
    neighbour.homes.write_sticky_default(writer)
    for _ in range(2):
        neighbour.homes.rename_sticky_default(editor, CODER)
        assert neighbour.homes.previous_default() == CODER
        assert neighbour.read_sticky() == "writer\n"


def test_no_sticky_default_stays_none(neighbour: Neighbour) -> None:
    """A rename chooses nothing."""
    neighbour.homes.rename_sticky_default(CODER, ProfileName("writer"))
    assert neighbour.read_sticky() is None


def nothing_is_enough() -> bool:
    """Look at everything."""
    return False


def test_a_tree_of_homes_alone_has_nothing_to_ignore(neighbour: Neighbour) -> None:
    """What is in staging or in the trash is hermesd's own."""
    neighbour.add("coder")
    assert neighbour.homes.ignored() == []
    move_to_trash(neighbour.homes, create(neighbour.homes, ProfileName("writer")))
    assert neighbour.homes.ignored() == []


def test_a_home_is_measured_by_its_entries(homes: Homes) -> None:
    """The largest first; what is gone takes nothing."""
    home = create(homes)
    usage = homes.measure(home, nothing_is_enough)
    assert FILES.keys() <= {part.name for part in usage.parts}
    sizes = [part.size_bytes for part in usage.parts]
    assert sizes == sorted(sizes, reverse=True)
    assert usage.size_bytes >= sum(sizes) > 0
    assert not usage.is_partial
    purge(homes, home)
    assert homes.measure(home, nothing_is_enough) == DiskUsage()


def test_a_measurement_ends_when_it_is_enough(homes: Homes) -> None:
    """What was found by then is the answer, and says that it is a least one."""
    usage = homes.measure(create(homes), lambda: True)
    assert usage.is_partial


def test_other_profiles_are_no_part_of_the_default_one(homes: Homes) -> None:
    """Though they lie in its home."""
    create(homes)
    default = homes.find(ProfileName(DEFAULT))
    assert default is not None
    assert "profiles" not in {part.name for part in homes.measure(default, nothing_is_enough).parts}


def test_a_home_that_is_a_directory_leads_nowhere(homes: Homes) -> None:
    """Nor does one that is gone."""
    home = create(homes)
    assert homes.link_target(home) == ""
    purge(homes, home)
    assert homes.link_target(home) == ""


@pytest.mark.parametrize("text", ["coder\n", "ghost\n", "", "No Name\n"])
def test_what_the_sticky_default_says_is_told_as_it_is(neighbour: Neighbour, text: str) -> None:
    """Whether or not it is a name, or anybody's."""
    assert neighbour.homes.written_default() is None
    neighbour.write_sticky(text)
    assert neighbour.homes.written_default() == text


def test_what_a_crash_left_is_litter_and_nothing_else(neighbour: Neighbour) -> None:
    """One after the other can be removed, twice as well; homes and what is in the trash are none."""
    kept, gone = neighbour.homes.create(CODER, FILES, ()), neighbour.homes.create(ProfileName("gone"), FILES, ())
    trashed = neighbour.homes.move_to_trash(gone, TrashNote("0123456789ab", gone.name, 1.0))
    assert neighbour.homes.litter() == []
    first, second = neighbour.leave_half()
    assert neighbour.homes.litter() == [first, second]
    for path in (first, first, kept.path, trashed):
        neighbour.homes.remove_litter(path)
    assert neighbour.homes.litter() == [second]
    assert neighbour.homes.find(CODER) == kept
