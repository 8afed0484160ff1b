"""Dumps of real processes, in whatever state they are."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hermesd.adapters import dumps as dumps_module
from hermesd.adapters import dumptext, processlook, procfs, pyspy
from hermesd.adapters.dumps import DumpsOnDisk
from hermesd.adapters.processlook import Section
from hermesd.domain.dump import DUMP_LIMIT_BYTES
from hermesd.domain.process import ExitCause, ProcessIdentity
from tests.adapters.unprivileged import reachable_directory, said_by_nobody
from tests.fakes.clock import ManualClock
from tests.processes import ending
from tests.waiting import until, wait_until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = "abcdefghijkl"
SECRET = "sk-a-secret-that-must-not-leak"
SLEEPER = "import sys; print(flush=True); input()"
LEADERLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,), name="survivor").start()
print(flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
TREE = (
    "import subprocess, sys; c = subprocess.Popen(['sleep', '60']); print(flush=True); input(); c.kill(); c.wait()"
)
STACKS = """#!/bin/sh
printf '[{"thread_name": "MainThread", "thread_id": 1, "os_thread_id": 7, "active": false, "owns_gil": true,'
printf '"frames": [{"name": "poll", "filename": "/a/b.py", "line": 3, "locals": null}]}]'
"""


@contextmanager
def running(program: str, *arguments: str) -> Iterator[ProcessIdentity]:
    """A Python program that has printed a line, with a secret in its environment and its arguments."""
    argv = [sys.executable, "-c", program, SECRET, *arguments]
    pipe = subprocess.PIPE
    with ending(subprocess.Popen(argv, stdin=pipe, stdout=pipe, env={**os.environ, "TOKEN": SECRET})) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        found = procfs.identity(child.pid, "spawn0000000")
        assert found is not None
        yield found


@pytest.fixture(autouse=True)
def _no_other_py_spy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is installed beside the interpreter of the tests is not meant."""
    monkeypatch.setattr(pyspy, "PROGRAM", "py-spy-of-the-tests")


async def dumped(directory: Path, process: ProcessIdentity, *lines: str, search_path: str = "") -> str:
    """The text of a dump."""
    dumps = DumpsOnDisk(directory, ManualClock(), search_path)
    path = await dumps.keep(BOT, process, ExitCause.HUNG, "silent for 120 s", lines)
    return path.read_text()


def state_of(process: ProcessIdentity) -> str:
    """The letter of a process's state; empty if it is gone."""
    found = procfs.stat(process.pid)
    return "" if found is None else found.state


def program(directory: Path, text: str) -> Path:
    """A directory whose py-spy is this script."""
    directory.mkdir(exist_ok=True)
    (directory / pyspy.PROGRAM).write_text(text)
    (directory / pyspy.PROGRAM).chmod(0o755)
    return directory


async def test_a_dump_says_what_there_is_to_see(tmp_path: Path) -> None:
    """When, why, which process, its threads, descriptors and children, then its last lines."""
    with running(TREE) as process:
        tree = [(parent := psutil.Process(process.pid)), *parent.children()]
        wait_until(lambda: {one.status() for one in tree} == {psutil.STATUS_SLEEPING}, "both to wait")
        text = await dumped(tmp_path, process, "first", "last words")
    assert text.startswith(
        f"dump of process {process.pid}\nat: 2023-11-14T22:13:20+00:00\nwhy: hung: silent for 120 s"
    )
    for part in (
        f"start ticks: {process.start_ticks}",
        f"none: {pyspy.PROGRAM} is not installed",
        f"{process.pid} python",
        "State: S (sleeping)",
        "pipe: ",
        " sleep: S, parent",
    ):
        assert part in text
    assert text.endswith("== last lines of its output: 2\nfirst\nlast words\n")
    assert SECRET not in text


async def test_only_the_daemons_user_can_read_it(tmp_path: Path) -> None:
    """What a process printed may be private."""
    with running(SLEEPER) as process:
        await dumped(tmp_path, process)
    (directory,) = tmp_path.iterdir()
    (file,) = directory.iterdir()
    assert [stat.S_IMODE(one.stat().st_mode) for one in (directory, file)] == [0o700, 0o600]


async def test_a_stopped_process_stays_stopped(tmp_path: Path) -> None:
    """It is neither continued nor ended."""
    with running(SLEEPER) as process:
        os.kill(process.pid, signal.SIGSTOP)
        await until(lambda: state_of(process) == "T", "the stop")
        text = await dumped(tmp_path, process)
        assert state_of(process) == "T"
    assert "State: T (stopped)" in text


async def test_a_process_without_its_first_thread_is_looked_at(tmp_path: Path) -> None:
    """It counts as a zombie while others of its threads go on."""
    with running(LEADERLESS) as process:
        await until(lambda: state_of(process) == "Z", "the end of its first thread")
        text = await dumped(tmp_path, process)
    assert "State: Z (zombie)" in text
    assert "== threads: 2" in text


async def test_a_process_that_has_ended_is_said_to_have(tmp_path: Path) -> None:
    """Whoever has its pid by now is not looked at."""
    with running(SLEEPER) as process:
        pass
    recycled = ProcessIdentity(procfs.boot_id(), os.getpid(), 1, "spawn0000000")
    earlier = ProcessIdentity("another boot", os.getpid(), procfs.start_ticks(os.getpid()) or 0, "")
    for gone in (process, recycled, earlier):
        text = await dumped(tmp_path, gone, "last words")
        assert "it had ended before it could be looked at" in text
        assert "== threads" not in text
        assert "last words" in text


async def test_a_process_that_ends_meanwhile_is_said_to_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen before counts; what may have come after does not."""
    with running(SLEEPER) as process:

        def end(pid: int, _: str) -> list[str]:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED)
            return ["stacks of nobody"]

        monkeypatch.setattr(pyspy, "python_stacks", end)
        text = await dumped(tmp_path, process)
    assert "it ended while it was looked at" in text
    assert "== threads" in text
    assert "stacks of nobody" not in text


async def test_stacks_are_told_by_py_spy(tmp_path: Path) -> None:
    """From the search path, without what it would say of command line and variables."""
    with running(SLEEPER) as process:
        text = await dumped(tmp_path / "kept", process, search_path=str(program(tmp_path / "bin", STACKS)))
    assert "== python stacks\n7 MainThread, idle, holds the GIL\n    poll (/a/b.py:3)\n" in text


def test_the_py_spy_beside_the_interpreter_comes_first(tmp_path: Path) -> None:
    """It is of the same environment; a first argument that is not the program that runs says nothing."""
    directory, other = program(tmp_path / "venv", STACKS), program(tmp_path / "other", STACKS)
    (directory / "python").symlink_to(sys.executable)
    argv = [str(directory / "python"), "-S", "-c", "print(flush=True); input()"]
    for executable, expected in ((None, directory), ("/bin/cat", other)):
        child = subprocess.Popen(
            argv if executable is None else [str(other / "py-spy")],
            executable=executable,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with ending(child):
            if executable is None:
                assert child.stdout is not None
                child.stdout.readline()
            assert pyspy.find(child.pid, str(other)) == expected / pyspy.PROGRAM
    assert pyspy.find(4_194_303, "") is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/sh\necho 'Error: Permission Denied' >&2; echo trace >&2; exit 1\n", "failed: Permission Denied"),
        ("#!/bin/sh\nexit 3\n", "failed: it ended with 3"),
        ("#!/bin/sh\necho '[1]'\n", "is not understood"),
        ("#!/nowhere/sh\n", "cannot be run: No such file or directory"),
    ],
)
def test_why_there_are_no_stacks_is_told_in_one_line(tmp_path: Path, script: str, why: str) -> None:
    """Everything else is told all the same."""
    (line,) = pyspy.python_stacks(os.getpid(), str(program(tmp_path / "bin", script)))
    assert why in line


def test_a_py_spy_that_hangs_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is left."""
    monkeypatch.setattr(pyspy, "LIMIT_S", 2.0)
    script = f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path}/pid\nwait\n"
    (line,) = pyspy.python_stacks(os.getpid(), str(program(tmp_path / "bin", script)))
    assert "did not answer" in line
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: (found := procfs.stat(child)) is None or not found.is_alive, "the end of its child")


async def test_looking_that_hangs_costs_what_was_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where a process waits for a broken disk."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_: int, __: str) -> list[str]:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return []

    monkeypatch.setattr(pyspy, "python_stacks", hang)
    dumps = DumpsOnDisk(tmp_path, ManualClock(), "", look_limit_s=0.2)
    with running(SLEEPER) as process:
        path = await dumps.keep(BOT, process, ExitCause.HUNG, "", ["last words"])
        release.set()
    text = path.read_text()
    assert "== note\nlooking took longer than 0.2 s" in text
    assert "== threads: 1" in text
    assert "== descriptors" not in text
    assert text.endswith("last words\n")


def test_what_nobody_else_may_see_is_noted() -> None:
    """A process of another user tells its state, and little more."""
    look = (
        "from hermesd.adapters import procfs, processlook\n"
        "process = procfs.identity(int(given.name), '')\n"
        "with processlook.held(process) as fd:\n"
        "    for section in (processlook.status(fd), processlook.threads(fd), processlook.descriptors(fd)):\n"
        "        print(section.title, *section.lines, sep='\\n')\n"
    )
    with reachable_directory() as directory:
        said = said_by_nobody(look, directory / str(os.getpid()))
    assert "State: " in said
    assert said.endswith(f"descriptors\n{processlook.NOT_PERMITTED}\n")
    assert f"syscall {processlook.NOT_PERMITTED}" in said


def test_connections_are_counted_by_their_state() -> None:
    """With what nobody has read, which tells a loop that stands still."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
        with sender, receiver, processlook.held(procfs.identity(os.getpid(), "") or pytest.fail("gone")) as fd:
            sender.sendall(b"hello")
            assert fd is not None
            lines = processlook.descriptors(fd).lines
    assert "tcp, listening: 1" in lines
    assert any(line.startswith("tcp, bytes not read: 5") for line in lines)


def test_a_dump_never_grows_beyond_its_limit() -> None:
    """What was seen comes first; of the log the newest lines are kept, a quarter at least."""
    sections = [Section("threads", tuple(f"thread {number} {'x' * 1000}" for number in range(3000)))]
    lines = [f"line {number} {'é' * 5000}" for number in range(200)]
    text = dumptext.render(["head"], sections, lines)
    assert DUMP_LIMIT_BYTES * 0.95 < len(text) <= DUMP_LIMIT_BYTES
    shown = text.decode()
    assert shown.startswith("head\n\n== threads\nthread 0")
    assert "more lines left out)" in shown
    assert "older lines left out)" in shown
    assert shown.rstrip().splitlines()[-1].startswith("line 199 ")
    log = shown.partition("== last lines")[2]
    assert len(log.encode()) > DUMP_LIMIT_BYTES / 5


def test_stacks_are_not_cut_for_the_log() -> None:
    """A flood in the log takes no room from them."""
    sections = [Section("threads", tuple(f"thread {number}" for number in range(10_000)))]
    text = dumptext.render(["head"], sections, ["x" * 60_000] * 300).decode()
    assert "thread 9999\n" in text


def test_nothing_in_a_dump_is_obeyed_by_a_terminal() -> None:
    """Names of threads and lines of a log may be anything."""
    text = dumptext.render(["a\x1b[2Jb"], [Section("t\n", ("c\rd",))], ["\x07e\tf", "\udcff"]).decode()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\x07" not in text
    assert "e\tf" in text


async def test_other_files_are_no_dumps(tmp_path: Path) -> None:
    """What a daemon left that died while writing goes with the next dump; what a person put there stays."""
    (tmp_path / BOT).mkdir()
    (tmp_path / BOT / ".x.txt.abc.tmp").touch()
    (tmp_path / BOT / "notes.txt").touch()
    with running(SLEEPER) as process:
        await dumped(tmp_path, process)
    dumps = DumpsOnDisk(tmp_path, ManualClock(), "")
    assert len(dumps.of(BOT)) == 1
    assert (tmp_path / BOT / "notes.txt").exists()
    assert not (tmp_path / BOT / ".x.txt.abc.tmp").exists()


async def test_a_thread_that_outlives_its_loop_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon has ended while a process could still not be looked at."""
    release, is_over = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        release.wait(20)

    monkeypatch.setattr(dumps_module, "_look_into", hang)
    before = set(threading.enumerate())

    def live_and_die() -> None:
        dumps = DumpsOnDisk(tmp_path, ManualClock(), "", look_limit_s=0.05)
        asyncio.run(dumps.keep(BOT, ProcessIdentity("", 1, 1, ""), ExitCause.HUNG, "", []))
        is_over.set()

    await asyncio.to_thread(live_and_die)
    assert is_over.is_set()
    release.set()
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("dump of"):
            await asyncio.to_thread(thread.join, 20)
