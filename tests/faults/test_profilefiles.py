"""A description or a SOUL.md that is being written when the disk is full, or the daemon is gone."""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.profilefiles import write_description, write_soul
from hermesd.domain.description import Description
from hermesd.domain.errors import DiskFull
from tests.faults.injection import crash_at, fill_disk_at, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

OLD = {"SOUL.md": "old\n", "profile.yaml": "# mine\ndescription: old\nother: 1\n"}
NEW = {"SOUL.md": "new\n", "profile.yaml": "# mine\ndescription: new\nother: 1\ndescription_auto: true\n"}
FRESH = {"SOUL.md": "new\n", "profile.yaml": "description: new\ndescription_auto: true\n"}

WRITES: dict[str, Callable[[Path], object]] = {
    "SOUL.md": lambda home: write_soul(home, "new\n", None),
    "profile.yaml": lambda home: write_description(home, Description("new", True), keeps_persons=False),
}


def furnished(place: Path, *, is_fresh: bool) -> Path:
    """A home with both files, or neither."""
    place.mkdir()
    for name, text in () if is_fresh else OLD.items():
        (place / name).write_text(text)
    return place


def held(home: Path, name: str) -> str | None:
    """What a file says; `None` if it is not there."""
    path = home / name
    return path.read_text() if path.exists() else None


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_write_cut_off_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, name: str, is_fresh: bool) -> None:
    """Wholly, and nothing else; the same again finishes it."""
    old, new = (None, FRESH[name]) if is_fresh else (OLD[name], NEW[name])
    others = OLD.keys() - {name}
    for step in count(1):
        home = furnished(tmp_path / str(step), is_fresh=is_fresh)
        before = {other: held(home, other) for other in others}
        has_crashed = crash_at(step, partial(WRITES[name], home))
        assert held(home, name) in (old, new)
        assert {other: held(home, other) for other in others} == before
        WRITES[name](home)
        assert held(home, name) == new
        if not has_crashed:
            break
    assert step > 5


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_full_disk_at_any_step_is_said_and_costs_nothing(tmp_path: Path, name: str, is_fresh: bool) -> None:
    """All is as it was, or the new text is whole where only its safety could not be had."""
    for step in count(1):
        home = furnished(tmp_path / str(step), is_fresh=is_fresh)
        before = snapshot(home)
        is_full = fill_disk_at(step, partial(WRITES[name], home), DiskFull)
        if not is_full:
            break
        old, new = (None, FRESH[name]) if is_fresh else (OLD[name], NEW[name])
        assert snapshot(home) == before or held(home, name) == new
        assert held(home, name) in (old, new)
        assert not [path for path in home.iterdir() if path.name.endswith(".tmp")]
    assert step > 3
