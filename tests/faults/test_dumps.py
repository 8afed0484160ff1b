"""A dump that is being written when the disk is full, or the daemon is gone."""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.dumps import DumpsOnDisk
from hermesd.domain.dump import DUMPS_KEPT
from hermesd.domain.errors import DiskFull
from hermesd.domain.process import ExitCause
from tests.fakes.clock import ManualClock
from tests.faults.injection import crash_at, fill_disk_at, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = "abcdefghijkl"
TEXT = b"new" * 1000
FIRST_S = 1_700_000_000.0


def written(place: Path, number: int, text: bytes = b"old") -> None:
    """Writes one dump, as `keep` does once it has looked."""
    dumps = DumpsOnDisk(place, ManualClock(), "")
    dumps._write(place / BOT, FIRST_S + number, ExitCause.HUNG, text)


def furnished(place: Path, dumps: int) -> Callable[[], None]:
    """A place with so many dumps, and the writing of one more."""
    place.mkdir()
    for number in range(dumps):
        written(place, number)
    return partial(written, place, dumps, TEXT)


@pytest.mark.parametrize("dumps", [0, 1, DUMPS_KEPT])
def test_a_crash_at_any_step_leaves_no_half_file(tmp_path: Path, dumps: int) -> None:
    """Every dump that is found is whole, and the next one clears what was left."""
    for step in count(1):
        place = tmp_path / str(step)
        write = furnished(place, dumps)
        has_crashed = crash_at(step, write)
        found = DumpsOnDisk(place, ManualClock(), "").of(BOT)
        assert {one.path.read_bytes() for one in found} <= {b"old", TEXT}
        assert dumps <= len(found) <= dumps + 1
        written(place, dumps + 1)
        left = sorted(path.name for path in (place / BOT).iterdir())
        assert len(left) <= DUMPS_KEPT
        assert not [name for name in left if name.endswith(".tmp")]
        if not has_crashed:
            break
    assert step > 5


@pytest.mark.parametrize("dumps", [0, DUMPS_KEPT])
def test_a_full_disk_costs_no_other_dump(tmp_path: Path, dumps: int) -> None:
    """There is none more then, or it is whole and only its safety could not be had."""
    for step in count(1):
        place = tmp_path / str(step)
        write = furnished(place, dumps)
        before = snapshot(place)
        if not fill_disk_at(step, write, DiskFull):
            break
        after = snapshot(place)
        new = {name: said for name, said in after.items() if name not in before and name != BOT}
        assert {said for _, said in new.values()} <= {TEXT}
        assert before.items() <= after.items()
    assert step > 3


def test_a_removal_that_is_cut_off_is_finished_by_the_next(tmp_path: Path) -> None:
    """A profile that was deleted for good leaves nothing."""
    for step in count(1):
        place = tmp_path / str(step)
        furnished(place, 2)
        dumps = DumpsOnDisk(place, ManualClock(), "")
        has_crashed = crash_at(step, partial(dumps.remove, BOT))
        dumps.remove(BOT)
        assert list(place.iterdir()) == []
        if not has_crashed:
            break
