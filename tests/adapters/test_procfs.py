"""What /proc is taken to say of a process."""

import contextlib
import fcntl
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hermesd.adapters import procfs
from hermesd.adapters.processes import KernelProcesses
from hermesd.domain.errors import Incompatible
from hermesd.domain.process import SPAWN_ID_VARIABLE
from tests.processes import GATEWAY, PYTHON, ending, start_id
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

NO_PID = 2**22 + 1
"""Above the largest pid Linux gives."""


@contextlib.contextmanager
def running(*argv: str, spawn_id: str = "", **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended and reaped afterwards."""
    environment = {"PATH": "/usr/bin:/bin", SPAWN_ID_VARIABLE: spawn_id}
    with ending(subprocess.Popen(argv, env=environment, **options)) as process:  # type: ignore[call-overload]
        yield process


def test_a_boot_has_a_name() -> None:
    """The kernel's, a UUID, and the same at every look."""
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", procfs.boot_id())
    assert procfs.boot_id() == procfs.boot_id()


def test_the_command_name_cannot_mislead(tmp_path: Path) -> None:
    """A name with parentheses, spaces and something that looks like fields is skipped whole."""
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        running(*PYTHON, str(GATEWAY), "--comm", "a b) Z 1 (c", stdout=output) as process,
    ):
        wait_until(lambda: "up" in log.read_text(), "the program to be up")
        found = procfs.stat(process.pid)
        assert (procfs.PROC / str(process.pid) / "comm").read_text() == "a b) Z 1 (c\n"
        assert found is not None
        assert found.is_alive
        assert found.parent_pid == os.getpid()
        assert found.session == os.getsid(0)
        assert abs(found.start_ticks / os.sysconf("SC_CLK_TCK") + psutil.boot_time() - _created_at(process)) < 1.1


def _created_at(process: subprocess.Popen[bytes]) -> float:
    return psutil.Process(process.pid).create_time()


def test_nobody_has_no_facts() -> None:
    """Every question about a process that is not there has an answer: none."""
    assert procfs.stat(NO_PID) is None
    assert procfs.start_ticks(NO_PID) is None
    assert procfs.owner(NO_PID) is None
    assert procfs.environ_of(NO_PID) is None
    assert procfs.command_line(NO_PID) is None
    assert procfs.identity(NO_PID, "x") is None
    assert not procfs.holds(NO_PID, Path("/tmp"))


def test_exactly_the_identified_process_is_alive() -> None:
    """Another start time or another boot is another process, and a zombie is none."""
    with running("/bin/sleep", "60") as process:
        identity = procfs.identity(process.pid, "x")
        assert identity is not None
        assert procfs.is_alive(identity)
        assert not procfs.is_alive(replace(identity, start_ticks=identity.start_ticks + 1))
        assert not procfs.is_alive(replace(identity, boot_id="another"))
        process.kill()
        wait_until(lambda: not procfs.is_alive(identity), "the process to end")
        assert procfs.identity(process.pid, "x") == identity, "a zombie still has its pid"
    assert procfs.identity(process.pid, "x") is None


def test_the_environment_is_the_one_it_was_started_with() -> None:
    """Values keep their equals signs, and what is no text survives."""
    environment = {b"A": b"1=2", b"EMPTY": b"", b"ODD": b"\xff"}
    with ending(subprocess.Popen(["/bin/sleep", "60"], env=environment)) as process:
        wait_until(lambda: procfs.environ_of(process.pid), "the program to be executed")
        assert procfs.environ_of(process.pid) == {"A": "1=2", "EMPTY": "", "ODD": os.fsdecode(b"\xff")}
        assert procfs.owner(process.pid) == os.geteuid()


def test_of_a_variable_that_is_there_twice_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the program itself."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "environ").write_bytes(b"A=first\0A=second\0no variable\0")
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    assert procfs.environ_of(7) == {"A": "first"}


def test_members_carry_the_whole_spawn_id() -> None:
    """Longer ids, other variables and zombies do not count; the oldest comes first."""
    spawn_id = start_id("one")
    with (
        running("/bin/sleep", "60", spawn_id=spawn_id) as first,
        running("/bin/sleep", "60", spawn_id=f"{spawn_id}-b"),
        running("/bin/sleep", "60", spawn_id=spawn_id) as second,
        running("/bin/true", spawn_id=spawn_id) as ended,
    ):
        wait_until(lambda: (s := procfs.stat(ended.pid)) and not s.is_alive, "the short one to end")
        wanted = {first.pid, second.pid}
        wait_until(lambda: {m.pid for m in procfs.members(spawn_id)} == wanted, "both to be executed")
        members = procfs.members(spawn_id)
        assert [m.start_ticks for m in members] == sorted(m.start_ticks for m in members)
        assert all(procfs.is_alive(m) and m.spawn_id == spawn_id for m in members)


def test_an_empty_spawn_id_has_no_members() -> None:
    """A variable that is empty marks nothing."""
    with running("/bin/sleep", "60", spawn_id=""):
        assert procfs.members("") == []


def test_a_holder_has_locked_the_file_through_its_descriptor(tmp_path: Path) -> None:
    """Having the file open is not holding it, nor is a lock on another file of the same name."""
    (tmp_path / "other").mkdir()
    path, namesake = tmp_path / "lock", tmp_path / "other" / "lock"
    with path.open("w") as lock, namesake.open("w") as other, path.open("w") as merely_open:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            running("/bin/sleep", "60", pass_fds=(lock.fileno(),)) as heir,
            running("/bin/sleep", "60", pass_fds=(merely_open.fileno(), other.fileno())) as bystander,
        ):
            assert procfs.holders(path) == sorted([os.getpid(), heir.pid])
            assert procfs.holds(bystander.pid, namesake)
            assert not procfs.holds(bystander.pid, path)


def test_a_file_that_is_not_there_is_held_by_nobody(tmp_path: Path) -> None:
    """And asking does not make it."""
    assert procfs.holders(tmp_path / "lock") == []
    assert not (tmp_path / "lock").exists()


def test_many_files_are_looked_at_together(tmp_path: Path) -> None:
    """Those that are held, with every holder; what is not there or not locked is left out."""
    paths = [tmp_path / name for name in ("held", "open", "gone")]
    with paths[0].open("w") as held, paths[1].open("w"):
        fcntl.flock(held, fcntl.LOCK_EX)
        with ending(subprocess.Popen(["/bin/sleep", "60"], pass_fds=(held.fileno(),))) as heir:
            assert procfs.holders_of(paths) == {paths[0]: sorted([os.getpid(), heir.pid])}
    assert procfs.holders_of(paths) == procfs.holders_of([]) == {}


@contextlib.contextmanager
def open_far_down(directory: Path) -> Iterator[None]:
    """Within the block this process has a file open whose path is longer than the kernel tells."""
    names = ["x" * 250] * 20
    fds = [os.open(directory, os.O_RDONLY)]
    try:
        for name in names:
            os.mkdir(name, dir_fd=fds[-1])
            fds.append(os.open(name, os.O_RDONLY, dir_fd=fds[-1]))
        yield
    finally:
        for fd in reversed(fds[:-1]):
            os.rmdir(names[0], dir_fd=fd)
        for fd in fds:
            os.close(fd)


def test_a_file_of_a_stranger_that_has_no_name_hides_no_holder(tmp_path: Path) -> None:
    """Any program of the machine may have one open; locks are found all the same, removed ones as well."""
    path = tmp_path / "lock"
    with open_far_down(tmp_path), path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert procfs.holders(path) == [os.getpid()]
        assert procfs.holders_of([path]) == {path: [os.getpid()]}
        assert str(path) in procfs.descriptors(os.getpid())
        path.unlink()
        assert procfs.holds_removed(os.getpid(), path)
        assert not procfs.holds_removed(os.getpid(), tmp_path / "other")


def test_a_descriptor_that_is_closed_meanwhile_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be gone between opening what /proc says of it and reading that."""

    def gone(*_: object) -> bytes:
        raise FileNotFoundError

    path = tmp_path / "lock"
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert procfs.holds(os.getpid(), path)
        monkeypatch.setattr(os, "read", gone)
        assert not procfs.holds(os.getpid(), path)


def test_a_system_without_proc_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process could be told from another there."""
    monkeypatch.setattr(procfs, "PROC", tmp_path / "proc")
    with pytest.raises(Incompatible, match="boot_id"):
        procfs.boot_id()
    with pytest.raises(Incompatible, match="no /proc"):
        procfs.members("x")


def test_a_process_is_known_by_its_terminal() -> None:
    """By the path that it was opened under; a process without one has none."""
    controlling, terminal = os.openpty()
    try:
        with running("setsid", "--ctty", "sleep", "60", stdin=terminal) as process:
            wait_until(
                lambda: KernelProcesses().tty(process.pid) == os.ttyname(terminal), "the terminal to be taken"
            )
    finally:
        os.close(terminal)
        os.close(controlling)
    with running("sleep", "60", start_new_session=True) as process:
        assert KernelProcesses().tty(process.pid) == ""
    assert KernelProcesses().tty(NO_PID) == ""


@pytest.mark.parametrize(
    ("device", "path"),
    [
        (0, ""),
        (0x0401, "/dev/tty1"),
        (0x0440, "/dev/ttyS0"),
        (0x8803, "/dev/pts/3"),
        (0x108901, "/dev/pts/513"),
        (0x0501, ""),
    ],
)
def test_terminals_have_the_numbers_that_linux_gives_them(device: int, path: str) -> None:
    """Minor numbers beyond a byte stand above the major one."""
    assert procfs.tty_path(device) == path


def test_the_age_of_a_process_is_known() -> None:
    """To the tick, from the clock that goes on while the machine sleeps; not of one of an earlier boot."""
    processes = KernelProcesses()
    me = processes.identify(os.getpid())
    assert me is not None
    created_s = psutil.Process().create_time()
    earliest_s = time.time() - created_s
    age_s = processes.age_s(me)
    latest_s = time.time() - created_s
    assert age_s is not None
    assert earliest_s - 1.1 < age_s < latest_s + 1.1  # the moment of boot is known to the second
    assert processes.age_s(replace(me, boot_id="another")) is None
