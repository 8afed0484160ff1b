"""Gateways whose daemon died: found again, watched and ended like any other."""

import asyncio
import contextlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hermesd.adapters import pidfd, procfs
from hermesd.adapters.backends import membership
from hermesd.adapters.backends.session import SessionBackend
from hermesd.adapters.clock import SystemClock
from hermesd.domain.process import ExitStatus, ProcessIdentity
from tests.processes import Place, gateway_spec, is_held, start_id, until_up

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

PROJECT = Path(__file__).resolve().parents[2]
RELEASE = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
DAEMON = """
import asyncio, ctypes, json, os, sys
from dataclasses import asdict
from pathlib import Path
from hermesd.adapters.backends.session import SessionBackend
from hermesd.adapters.clock import SystemClock
from tests.processes import gateway_spec
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # who reaps orphans: this process, not the machine's first
daemon = os.fork()
if not daemon:
    spec = gateway_spec(Path(sys.argv[1]), *sys.argv[3:], spawn_id=sys.argv[2])
    process = asyncio.run(SessionBackend(SystemClock()).start(spec))
    print(json.dumps(asdict(process)), flush=True)
    os.kill(os.getpid(), 9)
ended = 0
while ended < 2:
    os.wait()
    ended += 1
"""


def daemon_in(directory: Path, *flags: str) -> subprocess.Popen[str]:
    """A process that starts a daemon and reaps it and its orphans; it tells the gateway's identity."""
    command = [sys.executable, "-c", DAEMON, str(directory), start_id(), *flags]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


@contextlib.asynccontextmanager
async def adopted(directory: Path, *flags: str) -> AsyncIterator[ProcessIdentity]:
    """A gateway whose daemon was killed right after it had started it."""
    with daemon_in(directory, *flags) as reaper:
        assert reaper.stdout is not None
        process = ProcessIdentity(**json.loads(await asyncio.to_thread(reaper.stdout.readline)))
        await until_up(gateway_spec(directory))
        try:
            yield process
        finally:
            pidfd.send(process, signal.SIGKILL)
            await asyncio.to_thread(reaper.wait)


async def test_a_gateway_survives_its_daemon_with_its_lock(place: Place) -> None:
    """The next daemon finds the lock held and the process by record or by spawn id."""
    async with adopted(place.directory) as process:
        assert is_held(place.lock())
        assert await place.backend.find(start_id(), process) == process
        assert await SessionBackend(SystemClock()).find(start_id(), None) == process


@pytest.mark.parametrize(
    ("flags", "number", "status"),
    [
        (("--term-code", "75"), signal.SIGTERM, ExitStatus(code=75)),
        (("--term-code", "0"), signal.SIGTERM, ExitStatus(code=0)),
        ((), signal.SIGKILL, ExitStatus(signal=9)),
    ],
)
async def test_the_end_of_an_adopted_gateway_is_told(
    place: Place, flags: tuple[str, ...], number: signal.Signals, status: ExitStatus
) -> None:
    """Code and signal where the kernel tells (6.15), else that nothing is known."""
    async with adopted(place.directory, *flags) as process:
        assert await place.backend.find(start_id(), process) == process
        os.kill(process.pid, number)
        expected = status if RELEASE >= (6, 15) else ExitStatus()
        assert await place.backend.wait(process) == expected


async def test_an_adopted_gateway_is_terminated(place: Place) -> None:
    """By its record, as if this daemon had started it."""
    async with adopted(place.directory) as process:
        assert await place.backend.find(start_id(), process) == process
        await place.backend.terminate(process)
        await place.backend.wait(process)
        assert await place.backend.find(start_id(), process) is None


async def test_the_oldest_leader_is_the_main_process(place: Place) -> None:
    """Of a tree without a record, the daemons it started are not taken for it."""
    process = await place.start("--daemon")
    assert len(procfs.members(start_id())) == 2
    assert await SessionBackend(SystemClock()).find(start_id(), None) == process


async def test_a_process_that_becomes_another_program_is_found(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/proc shows no environment while it does; to miss it then would be to call it lost."""
    process = await place.start()
    answers = iter([None, process])
    monkeypatch.setattr(membership, "oldest_leader", lambda *_: next(answers))
    assert await place.backend.find(start_id(), None) == process
