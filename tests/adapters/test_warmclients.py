"""Warm clients as children of the daemon."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from hermesd.adapters.warmclients import WarmClientProcesses
from hermesd.domain.errors import HermesError
from hermesd.domain.process import ExitStatus

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

TELLING = """
import os, sys
with open(sys.argv[1] + "/pid.new", "w") as file:
    print(os.getpid(), os.getsid(0), os.getcwd(), *sorted(os.environ), file=file)
os.rename(sys.argv[1] + "/pid.new", sys.argv[1] + "/pid")
sys.stdin.read()
sys.exit(7)
"""


def clients(directory: Path, code: str = TELLING) -> WarmClientProcesses:
    """Clients that this code stands for."""
    return WarmClientProcesses(directory, {"HOME": "/home/ana"}, (sys.executable, "-c", code))


async def told(directory: Path) -> list[str]:
    """What the process said of itself."""
    async with asyncio.timeout(20):
        while not (directory / "pid").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
    return (directory / "pid").read_text().split()


async def test_they_run_apart_from_the_daemon(tmp_path: Path) -> None:
    """In a session of their own, in no directory of anybody's, with a written-out environment."""
    running = asyncio.create_task(clients(tmp_path).run())
    pid, session, directory, *names = await told(tmp_path)
    assert (session, directory) == (pid, "/")
    assert (
        {"HOME", "GRPC_ENABLE_FORK_SUPPORT"}
        <= set(names)
        <= {"HOME", "GRPC_ENABLE_FORK_SUPPORT", "GRPC_VERBOSITY", "LC_CTYPE"}
    )
    os.kill(int(pid), signal.SIGKILL)
    assert await running == ExitStatus(signal=signal.SIGKILL)


async def test_how_they_ended_is_told(tmp_path: Path) -> None:
    """Their exit code, for the log."""
    assert await clients(tmp_path, "raise SystemExit(3)").run() == ExitStatus(code=3)


async def test_cancelling_ends_them(tmp_path: Path) -> None:
    """The pipe they wait for ends, as it does when the daemon dies."""
    running = asyncio.create_task(clients(tmp_path).run())
    pid = int((await told(tmp_path))[0])
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    ended = await asyncio.to_thread(os.waitpid, pid, 0)
    assert os.waitstatus_to_exitcode(ended[1]) == 7


async def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    """As a failure of ours, for the log."""
    missing = WarmClientProcesses(tmp_path, {}, (str(tmp_path / "gone"),))
    with pytest.raises((HermesError, OSError)):
        await missing.run()
