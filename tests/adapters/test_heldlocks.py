"""Who holds a lock, as far as can be seen."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.adapters import heldlocks, procfs
from hermesd.adapters.heldlocks import Evidence

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

NOBODY = 4_194_303
MINE = os.getpid()


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Path]:
    """A file that this process has locked."""
    path = tmp_path / "gateway.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


@pytest.fixture
def from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process may be looked into."""
    monkeypatch.setattr(heldlocks, "_may_look_into", lambda _: False)


def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path, mounts: str, locks: str) -> None:
    """A /proc with these tables, for whom this file is of mount 7 and the inode is what `INODE` stands for."""
    proc = tmp_path / "proc"
    (proc / "self" / "fdinfo").mkdir(parents=True)
    for number in range(64):
        (proc / "self" / "fdinfo" / str(number)).write_text("pos:\t0\nmnt_id:\t7\nino:\t1\n")
    (proc / "self" / "mountinfo").write_text(mounts)
    (proc / "locks").write_text(locks.replace("INODE", str(path.stat().st_ino)))
    monkeypatch.setattr(procfs, "PROC", proc)


def test_a_lock_is_seen_by_descriptor(lock: Path) -> None:
    """Where one may look into a process, that is certain."""
    assert heldlocks.evidence(MINE, lock) is Evidence.HELD
    assert heldlocks.evidence(os.getppid(), lock) is Evidence.NOT_HELD
    assert heldlocks.takers(lock) == [MINE]


@pytest.mark.usefixtures("from_outside")
def test_a_lock_is_seen_in_the_kernels_table(lock: Path) -> None:
    """Where one may not."""
    assert heldlocks.evidence(MINE, lock) is Evidence.HELD
    assert heldlocks.evidence(NOBODY, lock) is Evidence.NOT_HELD


@pytest.mark.usefixtures("from_outside")
def test_without_the_file_nothing_is_known(tmp_path: Path) -> None:
    """Neither for nor against it."""
    assert heldlocks.evidence(MINE, tmp_path / "none") is Evidence.UNKNOWN
    assert heldlocks.takers(tmp_path / "none") == []


@pytest.mark.usefixtures("from_outside")
def test_a_subvolume_has_the_device_of_its_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Path
) -> None:
    """Which is in the mount table, while the file says another one."""
    mounts = "7 1 0:42 /sub /home rw - btrfs /dev/sda1 rw\n"
    put(tmp_path, monkeypatch, lock, mounts, "1: FLOCK  ADVISORY  WRITE 77 00:2a:INODE 0 EOF\n")
    assert heldlocks.evidence(77, lock) is Evidence.HELD
    assert heldlocks.evidence(78, lock) is Evidence.NOT_HELD
    assert heldlocks.takers(lock) == [77]


@pytest.mark.usefixtures("from_outside")
@pytest.mark.parametrize("mounts", ["7 1 0:42 / / rw - overlay overlay rw\n", "8 1 0:42 / / rw - ext4 x rw\n", ""])
def test_where_the_numbers_may_differ_nothing_is_excluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Path, mounts: str
) -> None:
    """Stacked file systems, and mounts that are not in the table."""
    put(tmp_path, monkeypatch, lock, mounts, "1: FLOCK  ADVISORY  WRITE 77 00:2b:INODE 0 EOF\n")
    assert heldlocks.evidence(77, lock) is Evidence.UNKNOWN


@pytest.mark.usefixtures("from_outside")
def test_who_waits_for_a_lock_does_not_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Path
) -> None:
    """Nor does who holds one on a file of that number elsewhere."""
    mounts = "7 1 0:42 / / rw - ext4 /dev/sda1 rw\n"
    table = "1: FLOCK ADVISORY WRITE 77 00:2a:INODE 0 EOF\n1: -> FLOCK ADVISORY WRITE 78 00:2a:INODE 0 EOF\n"
    put(tmp_path, monkeypatch, lock, mounts, f"{table}2: FLOCK ADVISORY WRITE 79 00:07:INODE 0 EOF\nodd\n")
    assert heldlocks.takers(lock) == [77]
    (procfs.PROC / "locks").unlink()
    assert heldlocks.takers(lock) == []
