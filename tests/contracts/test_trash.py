"""What every trash does."""

from pathlib import Path
from typing import NamedTuple, cast

import pytest

from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.trash import TrashOnDisk
from hermesd.domain.errors import NotFound, ProfileExists
from hermesd.domain.ports import Homes, Trash
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.trash import Trashed, TrashNote
from tests.fakes.homes import MemoryHomes
from tests.fakes.trash import MemoryTrash

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER, OTHER = ProfileName("coder"), ProfileName("other")
FILES = {"SOUL.md": "kind", "skills/one/SKILL.md": "able"}


class Place(NamedTuple):
    """A tree of homes and its trash."""

    homes: Homes
    trash: Trash


def in_memory(_: Path) -> Place:
    """On the fakes."""
    homes = MemoryHomes()
    return Place(homes, MemoryTrash(homes))


def on_disk(root: Path) -> Place:
    """On disk."""
    return Place(HomesOnDisk(root), TrashOnDisk(root))


@pytest.fixture(params=[in_memory, on_disk])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Nothing has been deleted yet, in memory and then on disk."""
    return cast("Place", request.param(tmp_path / "root"))


def delete(place: Place, number: int = 1, name: ProfileName = CODER) -> tuple[Home, TrashNote]:
    """A profile is made and deleted, the `number`-th second of time."""
    home = place.homes.create(name, FILES, [])
    note = TrashNote(f"{number:012d}", name, float(number), "id-1", "writes\ncode", ("c", "coder"))
    place.homes.move_to_trash(home, note)
    return home, note


def only(place: Place) -> Trashed:
    """The one entry of the trash."""
    (entry,) = place.trash.scan()
    return entry


def test_nothing_is_in_the_trash_at_first(place: Place) -> None:
    """Also where there is no such directory."""
    assert place.trash.scan() == []


def test_what_was_deleted_is_found_with_its_note(place: Place) -> None:
    """Everything that was noted, and the identity that the home had."""
    home, note = delete(place)
    entry = only(place)
    assert entry.note == note
    assert entry.identity == home.identity
    assert place.trash.size_bytes(entry) > 0


def test_each_deletion_is_an_entry_the_last_one_first(place: Place) -> None:
    """Two of one name as well."""
    for number in (1, 3, 2):
        delete(place, number)
    assert [entry.note.deleted_at_s for entry in place.trash.scan()] == [3, 2, 1]


def test_a_restored_home_is_the_one_that_was_deleted(place: Place) -> None:
    """In its place, by identity, and no longer in the trash."""
    home, _ = delete(place)
    assert place.trash.restore(only(place), CODER) == home
    assert place.homes.find(CODER) == home
    assert place.trash.scan() == []


def test_a_home_can_be_restored_under_another_name(place: Place) -> None:
    """Its identity stays."""
    home, _ = delete(place)
    restored = place.trash.restore(only(place), OTHER)
    assert (restored.name, restored.identity) == (OTHER, home.identity)
    assert place.homes.find(CODER) is None


def test_a_restored_home_replaces_nothing(place: Place) -> None:
    """A profile that took the name stays, and so does the entry."""
    delete(place)
    taken = place.homes.create(CODER, {}, [])
    with pytest.raises(ProfileExists):
        place.trash.restore(only(place), CODER)
    assert place.homes.find(CODER) == taken
    assert len(place.trash.scan()) == 1


def test_a_removed_entry_is_gone_and_the_others_stay(place: Place) -> None:
    """For good; nothing in the tree is touched."""
    delete(place, 1)
    delete(place, 2)
    delete(place, 3, OTHER)
    kept = place.homes.create(CODER, FILES, [])
    place.trash.remove(place.trash.scan()[1])
    assert [entry.note.deleted_at_s for entry in place.trash.scan()] == [3, 1]
    assert place.homes.find(CODER) == kept


def test_what_is_not_there_any_more_is_neither_restored_nor_removed(place: Place) -> None:
    """Somebody else was faster: that is said."""
    delete(place)
    entry = only(place)
    place.trash.remove(entry)
    with pytest.raises(NotFound):
        place.trash.restore(entry, CODER)
    with pytest.raises(NotFound):
        place.trash.remove(entry)


def test_recovery_leaves_the_trash_as_it_is(place: Place) -> None:
    """A start after a clean end finds every entry and its note."""
    _, note = delete(place)
    place.homes.recover()
    assert only(place).note == note
