"""The trash on disk: what lies there, and what others did to it."""

from pathlib import Path

import pytest

from hermesd.adapters import trashnotes
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.trash import TrashOnDisk
from hermesd.domain.profile import ProfileName
from hermesd.domain.trash import TrashNote
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = ProfileName("coder")
NOTE = TrashNote("abcdefabcdef", CODER, 1.0, "id-1", "writes code", ("coder",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one deleted profile."""
    root = tmp_path / "root"
    homes = HomesOnDisk(root)
    home = homes.create(CODER, {"SOUL.md": "kind", "a/b": "c" * 10_000}, ["empty"])
    (home.path / "link").symlink_to("nowhere")
    homes.move_to_trash(home, NOTE)
    return root


def trash(root: Path) -> Path:
    """Where deleted profiles lie."""
    return root / "profiles" / ".hermesd" / "trash"


def test_the_note_lies_beside_the_home_and_is_private(root: Path) -> None:
    """The home itself is as it was; nobody else can read what it was for."""
    home, note = sorted(trash(root).iterdir())
    assert (home.name, note.name) == ("coder-abcdefabcdef", "coder-abcdefabcdef.json")
    assert (trash(root).stat().st_mode & 0o777, note.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"id": "x", "name": "../x"}', "\ud800"])
def test_a_home_without_a_note_can_still_be_restored(root: Path, text: str | None) -> None:
    """Its name and id are in the name of the entry, and the kernel knows when it was moved."""
    note = trash(root) / "coder-abcdefabcdef.json"
    if text is None:
        note.unlink()
    else:
        note.write_bytes(text.encode(errors="surrogatepass"))
    (entry,) = TrashOnDisk(root).scan()
    assert (entry.note.id, entry.note.name, entry.note.profile_id) == ("abcdefabcdef", CODER, "")
    assert entry.note.deleted_at_s > 1_600_000_000
    TrashOnDisk(root).restore(entry, CODER)
    assert list(trash(root).iterdir()) == []


def test_restoring_changes_no_byte_and_no_mode(root: Path) -> None:
    """The whole tree is as it lay in the trash."""
    (entry,) = TrashOnDisk(root).scan()
    before = snapshot(entry.path)
    assert snapshot(TrashOnDisk(root).restore(entry, CODER).path) == before


def test_the_size_is_what_the_files_take(root: Path) -> None:
    """Links are not followed, and what was removed meanwhile is nothing."""
    (entry,) = TrashOnDisk(root).scan()
    assert 10_000 < TrashOnDisk(root).size_bytes(entry) < 1_000_000
    TrashOnDisk(root).remove(entry)
    assert TrashOnDisk(root).size_bytes(entry) == 0


def test_strange_names_are_no_entries(root: Path) -> None:
    """Whatever somebody put there stays there."""
    for name in ("README", "Upper-case1", ".purging-coder-abc"):
        (trash(root) / name).mkdir()
    assert [entry.note for entry in TrashOnDisk(root).scan()] == [NOTE]


def test_only_notes_of_nothing_are_litter(root: Path) -> None:
    """And writes that were cut off."""
    for name in ("gone-0123.json", ".x.json.0123.tmp"):
        (trash(root) / name).write_text("{}")
    assert [path.name for path in trashnotes.litter(trash(root))] == [".x.json.0123.tmp", "gone-0123.json"]
