"""How a daemon says where it is, and how it stays the only one."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.daemonfile import DaemonLock, read_daemon_file, remove_daemon_file, write_daemon_file
from hermesd.domain.errors import ProfileBusy

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

PROJECT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from hermesd.adapters.daemonfile import DaemonLock
with DaemonLock(Path(sys.argv[1]), Path(sys.argv[2])):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the notice is; nothing is there yet."""
    return tmp_path / "daemon.json"


@pytest.fixture
def lock(tmp_path: Path, file: Path) -> DaemonLock:
    """A daemon's claim to the root."""
    return DaemonLock(tmp_path / "daemon.lock", file)


def write(file: Path) -> None:
    """This process says that it is the daemon."""
    write_daemon_file(file, socket=Path("/s/run/api.sock"), root=Path("/r"), version="1.2.3")


def test_file_tells_which_process_is_the_daemon(file: Path) -> None:
    """All that a client needs to find it and to make sure that it is the one that wrote this."""
    write(file)
    notice = read_daemon_file(file)
    assert notice is not None
    assert (notice.socket, notice.root, notice.version) == ("/s/run/api.sock", "/r", "1.2.3")
    assert (notice.pid, notice.start_ticks) == (os.getpid(), procfs.start_ticks(os.getpid()))
    assert notice.boot_id == procfs.boot_id()
    assert notice.started_at_s > 1_700_000_000


def test_file_is_private(file: Path) -> None:
    """Nobody else learns where the socket is."""
    write(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"pid": 3}', "\udcff"])
def test_unreadable_file_says_nothing(file: Path, text: str | None) -> None:
    """Absent, cut off or of another version: nobody is named."""
    if text is not None:
        file.write_text(text, errors="surrogateescape")
    assert read_daemon_file(file) is None


def test_file_is_removed_once(file: Path) -> None:
    """Gone already is fine."""
    write(file)
    for _ in range(2):
        remove_daemon_file(file)
        assert not file.exists()


def test_second_daemon_is_refused_and_told_of_the_first(lock: DaemonLock, file: Path) -> None:
    """The pid comes from the notice of the daemon that holds the lock."""
    with lock:
        write(file)
        with pytest.raises(
            ProfileBusy, match=f"another hermesd \\(pid {os.getpid()}\\) keeps this root"
        ) as caught:
            lock.__enter__()
        assert caught.value.metadata["pid"] == str(os.getpid())


def test_second_daemon_is_refused_before_the_first_has_said_who_it_is(lock: DaemonLock) -> None:
    """The lock comes first, the notice later."""
    with lock, pytest.raises(ProfileBusy, match="another hermesd keeps this root"):
        lock.__enter__()


def test_lock_can_be_had_again_after_its_holder(lock: DaemonLock) -> None:
    """A daemon that ended keeps nobody away."""
    for _ in range(2):
        with lock:
            pass


def test_lock_ends_with_a_killed_daemon(tmp_path: Path, lock: DaemonLock, file: Path) -> None:
    """The kernel frees it; no file has to be cleaned up by hand."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "daemon.lock"), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(ProfileBusy):
            lock.__enter__()
        holder.send_signal(signal.SIGKILL)
    with lock:
        pass
