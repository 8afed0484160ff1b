"""What a pidfd tells, of children and of adopted processes, and whom a signal reaches."""

import asyncio
import contextlib
import errno
import fcntl
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

import pytest

from hermesd.adapters import pidfd, procfs
from hermesd.domain.errors import NotPermitted
from hermesd.domain.process import ExitStatus, ProcessIdentity
from tests.processes import ending

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

RELEASE = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
tells_of_others = pytest.mark.skipif(
    RELEASE < (6, 15), reason="before Linux 6.15 the kernel does not tell how another's child ended"
)

FOSTER = """
import os, sys
reading, writing = os.pipe()
child = os.fork()
if not child:
    os.close(writing)
    os.read(reading, 1)  # until the test says so
    if sys.argv[1] == "code": os._exit(int(sys.argv[2]))
    os.kill(os.getpid(), int(sys.argv[2]))
print(child, flush=True)
todo = {"end": lambda: os.close(writing), "reap": lambda: os.waitpid(child, 0)}
for request in sys.stdin:
    todo.pop(request.strip(), lambda: None)()  # telling it twice is the same as once
"""
"""A parent of somebody else's child, which ends and is reaped when told."""


class Foster:
    """A process with another parent than us, that ends when told."""

    def __init__(self, parent: subprocess.Popen[str]) -> None:
        self._parent = parent
        assert parent.stdout is not None
        identity = procfs.identity(int(parent.stdout.readline()), "x")
        assert identity is not None
        self.process: ProcessIdentity = identity

    def tell(self, request: str) -> None:
        """`end` ends the child, `reap` lets its parent take note."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{request}\n")
        self._parent.stdin.flush()


@contextlib.contextmanager
def fostered(kind: str, number: int) -> Iterator[Foster]:
    """Another's child that will end by a code or a signal."""
    with subprocess.Popen(
        [sys.executable, "-I", "-c", FOSTER, kind, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        foster = Foster(parent)
        yield foster
        foster.tell("end")
        foster.tell("reap")


@contextlib.contextmanager
def held(process: ProcessIdentity) -> Iterator[int]:
    """The pidfd of a living process."""
    fd = pidfd.open_living(process)
    assert fd is not None
    try:
        yield fd
    finally:
        os.close(fd)


def child(*argv: str) -> tuple[subprocess.Popen[bytes], ProcessIdentity]:
    """A child of ours, to be reaped by what is tested."""
    process = subprocess.Popen(argv)
    identity = procfs.identity(process.pid, "x")
    assert identity is not None
    return process, identity


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", ExitStatus(code=0)), ("exit 75", ExitStatus(code=75)), ("kill -15 $$", ExitStatus(signal=15))],
)
async def test_the_end_of_a_child_is_told_and_it_is_reaped(script: str, status: ExitStatus) -> None:
    """Whether it ended before or after it was waited for, no zombie remains."""
    process, identity = child("/bin/sh", "-c", script)
    fd = os.pidfd_open(process.pid)
    assert await pidfd.exit_status(fd) == status
    os.close(fd)
    process.returncode = 0
    assert procfs.start_ticks(process.pid) != identity.start_ticks


@tells_of_others
@pytest.mark.parametrize(
    ("kind", "number", "status"),
    [("code", 0, ExitStatus(code=0)), ("code", 75, ExitStatus(code=75)), ("signal", 9, ExitStatus(signal=9))],
)
async def test_the_end_of_anothers_child_is_told(kind: str, number: int, status: ExitStatus) -> None:
    """If it was held while it lived, once its parent has reaped it."""
    with fostered(kind, number) as foster, held(foster.process) as fd:
        waiting = asyncio.create_task(pidfd.exit_status(fd))
        await asyncio.sleep(0)
        foster.tell("end")
        foster.tell("reap")
        assert await waiting == status


async def test_the_end_of_a_child_that_nobody_reaps_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its supervisor does not wait for a negligent parent."""
    monkeypatch.setattr(pidfd, "REAP_PATIENCE_S", 0.05)
    with fostered("code", 3) as foster, held(foster.process) as fd:
        foster.tell("end")
        assert await pidfd.exit_status(fd) == ExitStatus()
        assert not procfs.is_alive(foster.process)


async def test_an_older_kernel_leaves_the_end_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody waits for it to change its mind."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    with fostered("code", 3) as foster, held(foster.process) as fd:
        monkeypatch.setattr(fcntl, "ioctl", refuse)
        foster.tell("end")
        assert await pidfd.exit_status(fd) == ExitStatus()


async def test_a_child_that_a_debugger_holds_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is readable before it can be reaped."""
    answers = [None, os.waitid]
    monkeypatch.setattr(pidfd, "REAP_RETRY_S", 0.001)
    original = os.waitid

    def waitid(kind: int, number: int, options: int) -> object:
        return original(kind, number, options) if answers.pop(0) else None

    process, _ = child("/bin/sh", "-c", "exit 5")
    fd = os.pidfd_open(process.pid)
    monkeypatch.setattr(os, "waitid", waitid)
    assert await pidfd.exit_status(fd) == ExitStatus(code=5)
    os.close(fd)
    process.returncode = 0


async def test_a_signal_reaches_the_process_meant() -> None:
    """And what it does there is the process's business."""
    process, identity = child("/bin/sleep", "60")
    pidfd.send(identity, signal.SIGTERM)
    assert process.wait() == -15


@pytest.mark.parametrize("field", ["start_ticks", "boot_id"])
def test_a_recycled_pid_is_never_signalled(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """The process that has the pid now is not the one that was recorded."""
    process, identity = child("/bin/sleep", "60")
    other = replace(identity, start_ticks=1) if field == "start_ticks" else replace(identity, boot_id="other")
    with ending(process):
        with monkeypatch.context() as patch:
            patch.setattr(signal, "pidfd_send_signal", forbidden)
            pidfd.send(other, signal.SIGKILL)
            assert pidfd.open_living(other) is None
        assert procfs.is_alive(identity)


def forbidden(*_: object) -> NoReturn:
    """Must not be called."""
    raise AssertionError("a stranger was signalled")


def test_a_zombie_is_not_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has ended; only its parent has not heard of it."""
    process, identity = child("/bin/true")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(signal, "pidfd_send_signal", forbidden)
    pidfd.send(identity, signal.SIGKILL)
    assert process.wait() == 0
    pidfd.send(identity, signal.SIGKILL)


def test_an_end_between_proof_and_signal_is_harmless() -> None:
    """The signal goes to the process held, which is gone, and not to whoever gets its pid."""
    process, _ = child("/bin/sleep", "60")

    def is_meant() -> bool:
        process.kill()
        process.wait()
        return True

    pidfd.send_if(process.pid, signal.SIGTERM, is_meant)


def test_no_descriptor_is_left_when_the_proof_fails() -> None:
    """Not even if asking for it does."""
    process, _ = child("/bin/sleep", "60")
    before = len(list((procfs.PROC / "self/fd").iterdir()))

    def is_meant() -> bool:
        raise OSError(errno.EIO, "no proof")

    with ending(process):
        with pytest.raises(OSError, match="no proof"):
            pidfd.send_if(process.pid, signal.SIGTERM, is_meant)
        pidfd.send_if(process.pid, signal.SIGTERM, lambda: False)
        assert len(list((procfs.PROC / "self/fd").iterdir())) == before


def test_a_process_of_another_user_is_not_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said which process refused which signal."""

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    process, identity = child("/bin/sleep", "60")
    with ending(process), monkeypatch.context() as patch:
        patch.setattr(signal, "pidfd_send_signal", refuse)
        with pytest.raises(NotPermitted, match=f"cannot send SIGTERM to .*{process.pid}"):
            pidfd.send(identity, signal.SIGTERM)
