"""A process that waits until it is let go: nothing begins before, and nothing of the waiting is left after."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.adapters import locks, pidfd, procfs
from hermesd.adapters.spawn import spawn_waiting
from hermesd.domain.errors import HermesError, NotPermitted, ProfileBusy, RuntimeMissing
from hermesd.domain.process import SPAWN_ID_VARIABLE, ExitStatus, SpawnSpec
from tests.processes import is_held, spec_of, start_id
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

PROJECT = Path(__file__).resolve().parents[2]


async def output_of(spec: SpawnSpec, *, is_let_go: bool = True) -> tuple[ExitStatus, str]:
    """How a process ends and what it says."""
    spawned, gate = spawn_waiting(spec)
    with gate:
        if is_let_go:
            gate.open()
    status = await pidfd.exit_status(spawned.pidfd)
    os.close(spawned.pidfd)
    return status, spec.log_path.read_text()


async def test_a_process_waits_with_all_it_needs(tmp_path: Path) -> None:
    """Its session, its lock and its spawn id, by which it is found; letting it go changes nothing of that."""
    spec = spec_of(tmp_path, "/bin/sleep", "60")
    spawned, gate = spawn_waiting(spec)
    with gate:
        found = procfs.stat(spawned.process.pid)
        assert found is not None
        assert found.session == spawned.process.pid
        # The kernel lets who started it go on a moment before /proc shows its environment.
        wait_until(lambda: procfs.members(start_id()) == [spawned.process], "the process to be found")
        assert is_held(spec.lock_path)
        gate.open()
    wait_until(lambda: (procfs.command_line(found.pid) or b"").startswith(b"/bin/sleep"), "the program to begin")
    assert procfs.is_alive(spawned.process)
    given = {"/dev/null", str(spec.log_path), str(spec.lock_path)}
    # A program that has just begun has its libraries open for a moment.
    wait_until(lambda: set(procfs.descriptors(found.pid)) == given, "the program to have what it was given alone")
    pidfd.send(spawned.process, signal.SIGKILL)
    assert await pidfd.exit_status(spawned.pidfd) == ExitStatus(signal=9)
    os.close(spawned.pidfd)


async def test_a_process_that_is_not_let_go_begins_nothing(tmp_path: Path) -> None:
    """It ends by itself, and the lock is free."""
    spec = spec_of(tmp_path, "/bin/echo", "begun")
    assert await output_of(spec, is_let_go=False) == (ExitStatus(code=1), "")
    assert locks.is_free(spec.lock_path)


DYING = """
import os, sys
from pathlib import Path
from hermesd.adapters.spawn import spawn_waiting
from tests.processes import spec_of
spawn_waiting(spec_of(Path(sys.argv[1]), "/bin/echo", "begun", spawn_id=sys.argv[2]))
os.kill(os.getpid(), 9)
"""


def test_a_process_whose_daemon_dies_begins_nothing(tmp_path: Path) -> None:
    """Between the start and the scope there is no half of a gateway."""
    command = [sys.executable, "-c", DYING, str(tmp_path), start_id()]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -9
    wait_until(lambda: procfs.members(start_id()) == [], "the waiting process to end")
    assert (tmp_path / "coder.log").read_text() == ""


@pytest.mark.parametrize("given", [{}, {"PWD": "/given", "SHLVL": "7", "_": "mine", "A": "x=y"}])
async def test_no_variable_of_the_shell_arrives(tmp_path: Path, given: dict[str, str]) -> None:
    """Those it sets by itself are as they were given, or not there."""
    spec = replace(spec_of(tmp_path, "/usr/bin/env"), environment=given)
    status, said = await output_of(spec)
    assert status == ExitStatus(code=0)
    assert dict(line.split("=", 1) for line in said.splitlines()) == {**given, SPAWN_ID_VARIABLE: start_id()}


async def test_words_arrive_as_they_are(tmp_path: Path) -> None:
    """Whatever a shell would make of them."""
    words = ("a b", "", "$HOME", "*", "-n", "x=y", "it's", "\n")
    status, said = await output_of(
        spec_of(tmp_path, sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)
    )
    assert (status, said) == (ExitStatus(code=0), f"{list(words)}\n")


async def test_a_program_whose_path_looks_like_a_variable_runs(tmp_path: Path) -> None:
    """An equals sign in a directory's name means nothing."""
    program = tmp_path / "a=b"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o700)
    assert await output_of(spec_of(tmp_path, str(program))) == (ExitStatus(code=0), "ran\n")


async def test_a_program_is_looked_for_on_the_given_path(tmp_path: Path) -> None:
    """If it is named without one."""
    spec = spec_of(tmp_path, "echo", "found")
    assert await output_of(spec) == (ExitStatus(code=0), "found\n")
    with pytest.raises(RuntimeMissing):
        spawn_waiting(replace(spec, environment={"PATH": str(tmp_path)}))


@pytest.mark.parametrize(
    ("content", "mode", "failure"),
    [
        (None, 0, RuntimeMissing),
        ("#!/nowhere/python\n", 0o700, RuntimeMissing),
        ("#!/bin/sh\n", 0o600, NotPermitted),
    ],
    ids=["missing", "without-interpreter", "not-executable"],
)
async def test_a_program_that_cannot_run_is_refused_before(
    tmp_path: Path, content: str | None, mode: int, failure: type[HermesError]
) -> None:
    """Nothing is started for it, and nothing stays open."""
    program = tmp_path / "agent"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(failure, match="agent"):
        spawn_waiting(spec_of(tmp_path, str(program)))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert procfs.members(start_id()) == []


async def test_what_is_found_out_too_late_is_an_end_with_a_reason(tmp_path: Path) -> None:
    """The process has begun then, and its log says why it ended."""
    program = tmp_path / "agent"
    program.write_text("#!\nno program\n")
    program.chmod(0o700)
    status, said = await output_of(spec_of(tmp_path, str(program)))
    assert status.code in (126, 127)
    assert said != ""


async def test_a_held_lock_lets_nobody_wait(tmp_path: Path) -> None:
    """And the descriptors of the gate are closed."""
    spec = spec_of(tmp_path, "/bin/true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with locks.acquire(spec.lock_path), pytest.raises(ProfileBusy):
        spawn_waiting(spec)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_letting_go_of_who_has_ended_is_harmless(tmp_path: Path) -> None:
    """Its end is told by its pidfd."""
    spawned, gate = spawn_waiting(spec_of(tmp_path, "/bin/true"))
    with gate:
        pidfd.send(spawned.process, signal.SIGTERM)
        status = await asyncio.wait_for(pidfd.exit_status(spawned.pidfd), 20)
        gate.open()
    os.close(spawned.pidfd)
    assert status == ExitStatus(signal=15)
