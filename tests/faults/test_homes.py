"""Changes to the tree of homes that are cut off, or meet a full disk, at any step."""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.ids import new_id
from hermesd.domain import layout
from hermesd.domain.errors import DiskFull
from hermesd.domain.profile import ProfileName
from hermesd.domain.trash import TrashNote
from tests.faults.injection import crash_at, fill_disk_at, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = ProfileName("coder")
OTHER = ProfileName("other")
FILES = layout.fresh_files(description="writes code", with_skills=False)

Snapshot = dict[str, tuple[str, bytes]]
Place = Callable[[], Path]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Makes one root after another, each with a home that must never change."""
    numbers = count()

    def make() -> Path:
        root = tmp_path / str(next(numbers))
        create(root, OTHER)
        (root / "config.yaml").write_text("model: x\n")
        (root / "profiles" / "stray.txt").write_text("somebody's")
        return root

    return make


def create(root: Path, name: ProfileName = CODER) -> None:
    """A fresh home."""
    HomesOnDisk(root).create(name, FILES, layout.DIRECTORIES)


def remove(root: Path, method: str) -> None:
    """A home is taken away."""
    homes = HomesOnDisk(root)
    home = homes.find(CODER)
    assert home is not None
    if method == "purge":
        homes.purge(home)
    else:
        homes.move_to_trash(home, TrashNote(new_id(), CODER, 1.0, "id-of-coder", "writes code", ("coder",)))


def split(root: Path) -> tuple[Snapshot, Snapshot, Snapshot]:
    """What lies in the home of `coder`, in staging, and elsewhere."""
    whole = snapshot(root)
    home = {path: what for path, what in whole.items() if f"{path}/".startswith("profiles/coder/")}
    staging = {path: what for path, what in whole.items() if f"{path}/".startswith("profiles/.hermesd/")}
    rest = {path: what for path, what in whole.items() if path not in home and path not in staging}
    return home, staging, rest


def staged(root: Path) -> list[str]:
    """What lies in staging, but for its own directories."""
    places = {"profiles/.hermesd", "profiles/.hermesd/new", "profiles/.hermesd/trash"}
    return sorted(split(root)[1].keys() - places)


def test_crash_while_creating_leaves_all_or_nothing(place: Place) -> None:
    """At any step: after recovery the home is wholly there or wholly not, and nothing else has changed."""
    whole_root = place()
    create(whole_root)
    whole, _, rest = split(whole_root)
    outcomes = []
    for step in count(1):
        root = place()
        has_crashed = crash_at(step, partial(create, root))
        HomesOnDisk(root).recover()
        home, _, others = split(root)
        assert home in ({}, whole)
        assert others == rest
        assert staged(root) == []
        outcomes.append(bool(home))
        if not has_crashed:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_create_works_after_a_crash_even_before_recovery(place: Place) -> None:
    """Litter of a cut-off creation is in nobody's way."""
    for step in count(1):
        root = place()
        has_crashed = crash_at(step, partial(create, root))
        if HomesOnDisk(root).find(CODER) is None:
            create(root)
        assert HomesOnDisk(root).find(CODER) is not None
        if not has_crashed:
            break


def test_full_disk_while_creating_leaves_all_or_nothing(place: Place) -> None:
    """At any step: it is said, and nothing half made is left, without any recovery."""
    whole_root = place()
    create(whole_root)
    whole, _, rest = split(whole_root)
    for step in count(1):
        root = place()
        if not fill_disk_at(step, partial(create, root), DiskFull):
            break
        home, _, others = split(root)
        assert home in ({}, whole)
        assert others == rest
        assert staged(root) == []
    assert step > len(FILES) + len(layout.DIRECTORIES)


def test_first_profile_on_a_machine_is_all_or_nothing(tmp_path: Path) -> None:
    """Also when root, `profiles/` and staging do not exist yet."""
    for step in count(1):
        root = tmp_path / str(step) / "root"
        has_crashed = crash_at(step, partial(create, root))
        HomesOnDisk(root).recover()
        names = [home.name for home in HomesOnDisk(root).scan() if not home.name.is_default]
        assert names in ([], [CODER])
        assert staged(root) == []
        if not has_crashed:
            break


@pytest.mark.parametrize("method", ["move_to_trash", "purge"])
def test_crash_while_removing_leaves_all_or_nothing(place: Place, method: str) -> None:
    """At any step: after recovery the home is wholly in its place, or wholly in the trash, or wholly gone."""
    for step in count(1):
        root = place()
        create(root)
        whole, _, rest = split(root)
        has_crashed = crash_at(step, partial(remove, root, method))
        HomesOnDisk(root).recover()
        home, _, others = split(root)
        assert home in ({}, whole)
        assert others == rest
        kept = not home and method == "move_to_trash"
        assert len(staged(root)) == (len(whole) + len(["its note"]) if kept else 0)
        if not has_crashed:
            break
    assert not home


def test_crash_during_recovery_is_recovered_from(place: Place) -> None:
    """Recovery can itself be cut off at any step and be begun again; what is kept in the trash stays."""
    for step in count(1):
        root = place()
        create(root)
        remove(root, "move_to_trash")
        create(root)
        crash_at(1, partial(remove, root, "purge"), only=frozenset({"unlink"}))
        crash_at(1, partial(create, root), only=frozenset({"rename_exclusive"}))
        litter = len(staged(root))
        kept = [path for path in staged(root) if path.startswith("profiles/.hermesd/trash/coder-")]
        has_crashed = crash_at(step, HomesOnDisk(root).recover)
        HomesOnDisk(root).recover()
        assert staged(root) == kept
        assert HomesOnDisk(root).find(CODER) is None
        if not has_crashed:
            break
    assert kept
    assert litter > len(kept) + len(FILES)


@pytest.mark.parametrize("name", ["coder", "default"])
def test_crash_while_writing_the_sticky_default_keeps_the_old_or_the_new(place: Place, name: str) -> None:
    """At any step: after recovery the sticky default is one of the two, and no litter is left."""
    chosen = ProfileName(name)
    for step in count(1):
        root = place()
        create(root)
        HomesOnDisk(root).write_sticky_default(OTHER)
        before = snapshot(root).keys()
        has_crashed = crash_at(step, partial(HomesOnDisk(root).write_sticky_default, chosen))
        HomesOnDisk(root).recover()
        assert HomesOnDisk(root).sticky_default() in (OTHER, chosen)
        assert snapshot(root).keys() | {"active_profile"} == before
        if not has_crashed:
            break
    assert HomesOnDisk(root).sticky_default() == chosen
