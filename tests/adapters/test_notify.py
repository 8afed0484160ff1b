"""The notify socket: who is heard, and what a sender can do to it."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hermesd.adapters import notify, procfs
from hermesd.adapters.notify import HEARD_AT_ONCE, KEPT, LONGEST_PATH, NotifySocket
from hermesd.domain.notice import Notice
from tests.adapters.unprivileged import reachable_directory, said_by_nobody

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

LIMIT_S = 10.0

SPEAKER = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    sender.sendto(sys.argv[2].encode(), sys.argv[1])
sys.stdin.read()
"""
"""Speaks, then lives until its input ends."""


@contextmanager
def listening(path: Path) -> Iterator[NotifySocket]:
    """A socket there."""
    made = NotifySocket(path)
    made.open()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def speaking(path: Path, text: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has something to say."""
    with subprocess.Popen([sys.executable, "-c", SPEAKER, str(path), text], stdin=subprocess.PIPE) as child:
        yield child
        assert child.stdin is not None
        child.stdin.close()


def say(path: Path, text: str) -> None:
    """This process says something."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), str(path))


async def first(listener: NotifySocket) -> Notice:
    """The first of what is heard next."""
    return (await asyncio.wait_for(listener.heard(), LIMIT_S))[0]


async def is_silent(listener: NotifySocket) -> bool:
    """Whether nothing is heard of what was sent before now; this process speaks to find the end of it."""
    say(Path(listener.address), "STATUS=the end")
    return [one.status for one in await asyncio.wait_for(listener.heard(), LIMIT_S)] == ["the end"]


async def test_a_child_speaks_for_itself(tmp_path: Path) -> None:
    """Whoever inherited the address is not taken for its parent, whatever it says."""
    path = tmp_path / "notify.sock"
    with listening(path) as listener, speaking(path, f"MAINPID={os.getpid()}\nREADY=1") as child:
        notice = await first(listener)
        assert (notice.pid, notice.start_ticks) == (child.pid, procfs.start_ticks(child.pid))


async def test_who_has_ended_is_not_heard(tmp_path: Path) -> None:
    """Its pid may be another's soon."""
    path = tmp_path / "notify.sock"
    with listening(path) as listener:
        with speaking(path, "READY=1") as child:
            child.communicate()  # nobody reads meanwhile
        assert await is_silent(listener)


async def test_another_user_is_not_heard() -> None:
    """Even one who can reach the socket."""
    with reachable_directory() as directory, listening(directory / "notify.sock") as listener:
        Path(listener.address).chmod(0o666)
        program = """
import socket
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    print(sender.sendto(b"READY=1", str(given)))
"""
        assert said_by_nobody(program, Path(listener.address)) == "7\n"
        assert await is_silent(listener)


async def test_descriptors_that_come_along_are_not_kept(tmp_path: Path) -> None:
    """Nobody can use up the daemon's descriptors; what was said beside them is heard."""
    path = tmp_path / "notify.sock"
    with listening(path) as listener, (tmp_path / "file").open("w") as passed:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(path))
            socket.send_fds(sender, [b"READY=1\nFDSTORE=1"], [passed.fileno()] * 50)
        assert (await first(listener)).is_ready
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_descriptors_that_came_in_are_closed(tmp_path: Path) -> None:
    """Should the kernel find room for them after all."""
    with (tmp_path / "file").open("w") as file:
        copy = os.dup(file.fileno())
        notify._close_passed([(socket.SOL_SOCKET, socket.SCM_RIGHTS, copy.to_bytes(4, sys.byteorder) + b"x")])
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(copy)


async def test_who_never_stops_does_not_keep_others_waiting(tmp_path: Path) -> None:
    """A bounded number is read at a time, and what nobody fetches is not kept without bound."""
    path = tmp_path / "notify.sock"
    with listening(path) as listener:
        for _ in range(KEPT + HEARD_AT_ONCE):
            say(path, "WATCHDOG=1")
            listener._read()
        assert len(await listener.heard()) == KEPT


async def test_the_file_is_private_and_goes_with_the_daemon(tmp_path: Path) -> None:
    """Also one that a killed daemon left behind is replaced."""
    path = tmp_path / "notify.sock"
    path.write_text("left behind")
    with listening(path) as listener:
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o600
        assert listener.address == str(path)
    assert not path.exists()


async def test_a_path_that_no_agent_could_reach_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Agents know nothing of the ways around the limit; the log says why nothing is heard."""
    path = tmp_path / ("d" * LONGEST_PATH) / "notify.sock"
    with listening(path) as listener:
        assert listener.address == ""
        listener.renew()
    assert "too long" in caplog.text


async def test_a_socket_that_cannot_be_bound_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Gateways are kept all the same."""
    with listening(tmp_path / "missing" / "notify.sock") as listener:
        assert listener.address == ""
        waiting = asyncio.ensure_future(listener.heard())
        done, _ = await asyncio.wait({waiting}, timeout=0)
        assert not done
        waiting.cancel()
    assert "not bound" in caplog.text


async def test_a_socket_that_could_not_be_bound_is_tried_again(tmp_path: Path) -> None:
    """Taken away while a disk was full, say: gateways of an earlier daemon still speak by the path."""
    path = tmp_path / "run" / "notify.sock"
    path.parent.mkdir()
    with listening(path) as listener:
        path.unlink()
        path.parent.rmdir()
        listener.renew()
        path.parent.mkdir()
        listener.renew()
        say(path, "READY=1")
        assert (await first(listener)).is_ready


async def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    """One that is there stays as it is; another's is left alone at the end."""
    path = tmp_path / "notify.sock"
    with listening(path) as listener:
        inode = path.stat().st_ino
        listener.renew()
        assert path.stat().st_ino == inode
        path.unlink()
        listener.renew()
        say(path, "READY=1")
        assert (await first(listener)).is_ready
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"
