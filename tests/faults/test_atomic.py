"""A durable write that is cut off, or meets a full disk, at any step."""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.atomic import leftovers, write_atomic
from hermesd.domain.errors import DiskFull
from tests.faults.injection import crash_at, fill_disk_at, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

OLD = b"old" * 100
NEW = b"new" * 100

Place = Callable[[int], Path]


@pytest.fixture(params=["absent", "present"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Makes a directory of its own for each step, with or without an earlier file."""

    def make(step: int) -> Path:
        path = tmp_path / str(step) / "settings"
        path.parent.mkdir()
        (path.parent / "neighbour").write_bytes(b"untouched")
        if request.param == "present":
            path.write_bytes(OLD)
        return path

    return make


def test_crash_leaves_old_or_new_bytes(place: Place) -> None:
    """After a crash at any step the file has all its old bytes or all its new ones; only litter is added."""
    outcomes = set()
    for step in count(1):
        path = place(step)
        before = snapshot(path.parent)
        has_crashed = crash_at(step, partial(write_atomic, path, NEW))
        for litter in leftovers(path):
            litter.unlink()
        after = snapshot(path.parent)
        outcome = after.pop("settings", None)
        assert outcome in (before.pop("settings", None), ("-rw-------", NEW))
        assert after == before
        outcomes.add(outcome)
        if not has_crashed:
            break
    assert len(outcomes) == 2


def test_full_disk_is_said_and_leaves_no_litter(place: Place) -> None:
    """A disk that is full at any step raises `DiskFull` naming the file, which is as it was, or complete."""
    for step in count(1):
        path = place(step)
        before = snapshot(path.parent)
        if not fill_disk_at(step, partial(write_atomic, path, NEW), DiskFull):
            break
        after = snapshot(path.parent)
        assert after.pop("settings", None) in (before.pop("settings", None), ("-rw-------", NEW))
        assert after == before
    assert step > 3
