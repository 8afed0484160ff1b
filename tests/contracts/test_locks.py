"""What a lock on a file promises. There is no fake: a lock that is not the kernel's proves nothing."""

import errno
import fcntl
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from hermesd.adapters import locks
from hermesd.domain.errors import DiskFull, NotPermitted, ProfileBusy
from tests.processes import ending, is_held
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lock file will lie."""
    return tmp_path / "profile.lock"


@pytest.fixture
def heir(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that inherited the lock from a taker that has closed its own copy."""
    with locks.acquire(path) as lock:
        process = subprocess.Popen(["/bin/sleep", "60"], pass_fds=(lock.fd,))
    with ending(process):
        yield process


def test_a_lock_is_held_until_it_is_closed(path: Path) -> None:
    """And nobody else has it meanwhile, this process included."""
    with locks.acquire(path):
        assert is_held(path)
        assert not locks.is_free(path)
        with pytest.raises(ProfileBusy):
            locks.acquire(path)
    assert not is_held(path)
    locks.acquire(path).close()


def test_a_lock_file_is_private_and_is_not_inherited_by_chance(path: Path) -> None:
    """Mode 0600 from the first byte, and closed by every exec that does not name it."""
    with locks.acquire(path) as lock:
        assert path.stat().st_mode & 0o777 == 0o600
        assert not os.get_inheritable(lock.fd)


def test_a_refused_lock_leaves_no_descriptor_open(path: Path) -> None:
    """A daemon that tries for years does not run out of them."""
    with locks.acquire(path):
        before = sorted(Path("/proc/self/fd").iterdir())
        for _ in range(3):
            with pytest.raises(ProfileBusy):
                locks.acquire(path)
        assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_an_heir_keeps_the_lock(path: Path, heir: subprocess.Popen[bytes]) -> None:
    """The taker's own copy is closed, and the lock lives as long as the heir."""
    assert is_held(path)
    with pytest.raises(ProfileBusy):
        locks.acquire(path)
    heir.kill()
    heir.wait()
    assert not is_held(path)
    locks.acquire(path).close()


def test_the_lock_survives_the_death_of_its_taker(path: Path, tmp_path: Path) -> None:
    """Killed, it leaves the lock to its child, which the kernel's own list of locks no longer shows."""
    script = f"exec 9>{path}; flock -x 9; sleep 60 & echo $! > {tmp_path}/pid; kill -9 $$"
    taker = subprocess.run(["/bin/sh", "-c", script], stdout=subprocess.DEVNULL, check=False)
    heir_pid = int((tmp_path / "pid").read_text())
    try:
        assert taker.returncode == -9
        assert is_held(path)
        assert not locks.is_free(path)
    finally:
        os.kill(heir_pid, 9)
    wait_until(lambda: not is_held(path), "the heir to end")


def test_releasing_ends_the_lock_for_heirs_too(path: Path) -> None:
    """What a program about to be executed happened to inherit does not keep it."""
    lock = locks.acquire(path)
    with ending(subprocess.Popen(["/bin/sleep", "60"], pass_fds=(lock.fd,))):
        lock.release()
        assert locks.is_free(path)


def test_looking_never_tries_the_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is just starting finds the lock free however often it is looked at."""

    def flock(*_: object) -> NoReturn:
        raise AssertionError("the lock was tried")

    path.touch()
    monkeypatch.setattr(fcntl, "flock", flock)
    assert not is_held(path)


def test_locks_of_the_other_kind_are_seen(path: Path) -> None:
    """Other programs lock ranges of bytes."""
    with path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert is_held(path)


def test_a_missing_lock_file_is_free_and_stays_missing(path: Path) -> None:
    """Asking makes nothing."""
    assert not is_held(path)
    assert locks.is_free(path)
    assert not path.exists()


def test_a_file_replaced_meanwhile_is_not_what_gets_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever removes the file between opening and locking cannot make two holders."""
    original = fcntl.flock
    removed: list[Path] = []

    def flock(fd: int, operation: int) -> None:
        if not removed:
            path.unlink()
            removed.append(path)
        original(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locks.acquire(path) as lock:
        assert os.path.samestat(os.fstat(lock.fd), path.stat())
        with pytest.raises(ProfileBusy):
            locks.acquire(path)


def test_a_symbolic_link_is_refused(path: Path, tmp_path: Path) -> None:
    """It could lead to a file that somebody else guards with."""
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotPermitted, match="symbolic link"):
        locks.acquire(path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("number", "failure"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EACCES, NotPermitted)]
)
def test_what_the_system_refuses_is_explained(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, failure: type[Exception]
) -> None:
    """By the reason people can act on."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(failure, match=re.escape(str(path))):
        locks.acquire(path)
