"""Work on the trash that is cut off, or meets a full disk, at any step."""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.trash import TrashOnDisk
from hermesd.domain.profile import ProfileName
from hermesd.domain.trash import Trashed, TrashNote
from tests.faults.injection import crash_at, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER, OTHER = ProfileName("coder"), ProfileName("other")
NOTES = {
    name: TrashNote(f"{name}-id0001", name, 1.0, f"id-of-{name}", "", (name.text,)) for name in (CODER, OTHER)
}
TRASH = "profiles/.hermesd/trash"

Place = Callable[[], Path]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Makes one root after another, each with two profiles."""
    numbers = count()

    def make() -> Path:
        root = tmp_path / str(next(numbers))
        for name in NOTES:
            HomesOnDisk(root).create(name, {"SOUL.md": "kind", "skills/a/SKILL.md": "able"}, ["logs"])
        return root

    return make


def put(root: Path, name: ProfileName = CODER) -> None:
    """A profile is deleted."""
    home = HomesOnDisk(root).find(name)
    assert home is not None
    HomesOnDisk(root).move_to_trash(home, NOTES[name])


def restore(root: Path) -> None:
    """A profile is brought back."""
    TrashOnDisk(root).restore(entry(root), CODER)


def remove(root: Path) -> None:
    """A profile is removed for good."""
    TrashOnDisk(root).remove(entry(root))


def entry(root: Path, name: ProfileName = CODER) -> Trashed:
    """The entry of a profile."""
    return next(one for one in TrashOnDisk(root).scan() if one.note.name == name)


def below(root: Path, directory: str) -> dict[str, tuple[str, bytes]]:
    """Everything in a directory; nothing if there is none."""
    return snapshot(root / directory)


def outcome(root: Path) -> str:
    """Where the profile is after a recovery: it must be in one place, with its note if that is the trash."""
    HomesOnDisk(root).recover()
    has_home = HomesOnDisk(root).find(CODER) is not None
    notes = [one.note for one in TrashOnDisk(root).scan() if one.note.name == CODER]
    assert notes in ([], [NOTES[CODER]])
    assert not (has_home and notes)
    litter = {path for path in below(root, TRASH) if not path.startswith(("coder-", "other-"))}
    assert litter == set()
    assert ((root / TRASH / "coder-coder-id0001.json").exists()) == bool(notes)
    return "home" if has_home else "trash" if notes else "gone"


@pytest.mark.parametrize(
    ("deed", "is_deleted", "outcomes"),
    [
        (put, False, ["home", "trash"]),
        (restore, True, ["trash", "home"]),
        (remove, True, ["trash", "gone"]),
    ],
)
def test_a_crash_leaves_a_profile_wholly_in_one_place(
    place: Place, deed: Callable[[Path], None], is_deleted: bool, outcomes: list[str]
) -> None:
    """At any step of any way into the trash or out of it; other profiles and entries do not change."""
    found = []
    for step in count(1):
        root = place()
        put(root, OTHER)
        if is_deleted:
            put(root)
        whole = below(root, f"{TRASH}/coder-coder-id0001" if is_deleted else "profiles/coder")
        other = below(root, f"{TRASH}/other-other-id0001")
        has_crashed = crash_at(step, partial(deed, root))
        where = outcome(root)
        assert below(root, f"{TRASH}/other-other-id0001") == other
        assert entry(root, OTHER).note == NOTES[OTHER]
        if where != "gone":
            assert below(root, "profiles/coder" if where == "home" else f"{TRASH}/coder-coder-id0001") == whole
        found.append(where)
        if not has_crashed:
            break
    assert list(dict.fromkeys(found)) == outcomes


@pytest.mark.parametrize("deed", [restore, remove])
def test_what_was_cut_off_can_be_cut_off_again(place: Place, deed: Callable[[Path], None]) -> None:
    """The recovery too can die at any step; the next one ends with the same."""
    for first in count(1):
        has_crashed = False
        for second in count(1):
            root = place()
            put(root)
            has_crashed = crash_at(first, partial(deed, root))
            if not crash_at(second, HomesOnDisk(root).recover):
                break
            outcome(root)
        if not has_crashed:
            break
