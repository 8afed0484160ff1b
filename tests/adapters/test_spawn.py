"""What reaches a new gateway, and what becomes of starts that fail or are cut off."""

import asyncio
import contextlib
import errno
import gc
import os
import re
import subprocess
from dataclasses import replace
from typing import NoReturn

import pytest

from hermesd.adapters import locks, procfs
from hermesd.domain.errors import DiskFull, HermesError, Incompatible, NotFound, NotPermitted, RuntimeMissing
from hermesd.domain.process import SPAWN_ID_VARIABLE, ExitStatus
from tests.processes import Place, gateway_spec, spec_of, start_id
from tests.waiting import until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def descriptors_of(pid: int | str) -> dict[str, str]:
    """Where each open descriptor leads."""
    found = {}
    for link in (procfs.PROC / str(pid) / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found[link.name] = str(link.readlink())
    return found


async def test_nothing_but_the_given_environment_arrives(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the shell that happened to start the daemon leaks into a bot."""
    monkeypatch.setenv("CANARY", "sings")
    monkeypatch.setenv("HERMES_HOME", "/somewhere/else")
    spec = spec_of(place.directory, "/usr/bin/env")
    spec = replace(spec, environment={"A": "1", "B": "x=y"})
    process = await place.start_spec(spec, is_gateway=False)
    assert await place.backend.wait(process) == ExitStatus(code=0)
    assert sorted(spec.log_path.read_text().splitlines()) == ["A=1", "B=x=y", f"{SPAWN_ID_VARIABLE}={start_id()}"]


async def test_only_standard_streams_and_the_lock_are_open(place: Place) -> None:
    """Input is empty, output and errors go to the log, and nothing of the daemon's is there."""
    spec = spec_of(place.directory, "/bin/sleep", "60")
    with (place.directory / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        process = await place.start_spec(spec, is_gateway=False)
    await until(
        lambda: (procfs.command_line(process.pid) or b"").startswith(b"/bin/sleep"), "the program to begin"
    )
    expected = sorted(["/dev/null", str(spec.log_path), str(spec.log_path), str(spec.lock_path)])
    await until(  # a program that begins has its libraries open for a moment
        lambda: sorted(descriptors_of(process.pid).values()) == expected, "nothing else to be open"
    )
    streams = {number: descriptors_of(process.pid)[number] for number in "012"}
    assert streams == {"0": "/dev/null", "1": str(spec.log_path), "2": str(spec.log_path)}


async def test_the_daemon_keeps_neither_lock_nor_log(place: Place) -> None:
    """Only what lives of the tree decides whether the lock is held."""
    await place.start()
    mine = descriptors_of("self").values()
    assert str(place.lock()) not in mine
    assert str(place.directory / "coder.log") not in mine
    assert os.getpid() not in procfs.holders(place.lock())


async def test_a_gateway_leads_a_session_of_its_own(place: Place) -> None:
    """No terminal and no signal to the daemon's group reaches it; what it writes is private."""
    process = await place.start()
    found = procfs.stat(process.pid)
    assert found is not None
    assert found.session == process.pid
    status = (procfs.PROC / str(process.pid) / "status").read_text()
    assert re.search(r"^Umask:\s+0077$", status, re.MULTILINE)
    assert (procfs.PROC / str(process.pid) / "cwd").readlink() == place.directory


async def test_output_is_appended_to_a_private_log(place: Place) -> None:
    """What an earlier gateway wrote stays."""
    spec = spec_of(place.directory, "/bin/sh", "-c", "echo to output; echo to errors >&2")
    for _ in range(2):
        process = await place.start_spec(spec, is_gateway=False)
        await place.backend.wait(process)
    assert spec.log_path.read_text() == "to output\nto errors\n" * 2
    assert spec.log_path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("program", "failure"),
    [("unrunnable", NotPermitted), ("nonsense", Incompatible), ("missing/program", RuntimeMissing)],
)
async def test_a_program_that_cannot_run_is_explained(
    place: Place, program: str, failure: type[HermesError]
) -> None:
    """By what is wrong with it; nothing is left open or locked."""
    (place.directory / "unrunnable").touch(mode=0o600)
    (place.directory / "nonsense").write_bytes(b"\x7fnonsense")
    (place.directory / "nonsense").chmod(0o700)
    before = descriptors_of("self")
    with pytest.raises(failure, match=program):
        await place.backend.start(spec_of(place.directory, str(place.directory / program)))
    assert descriptors_of("self") == before
    assert locks.is_free(place.lock())


@pytest.mark.parametrize("field", ["working_directory", "log_path", "lock_path"])
async def test_a_missing_place_is_not_taken_for_a_missing_program(place: Place, field: str) -> None:
    """The path that is not there is named."""
    spec = spec_of(place.directory, "/bin/true")
    gone = place.directory / "gone" / "x"
    spec = {
        "working_directory": replace(spec, working_directory=gone),
        "log_path": replace(spec, log_path=gone),
        "lock_path": replace(spec, lock_path=gone),
    }[field]
    with pytest.raises(NotFound, match="gone"):
        await place.backend.start(spec)


@pytest.mark.parametrize(
    ("number", "failure"), [(errno.ENOSPC, DiskFull), (errno.EACCES, NotPermitted), (errno.EAGAIN, HermesError)]
)
async def test_what_the_system_refuses_is_explained(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int, failure: type[HermesError]
) -> None:
    """Whatever it is, no bare error of the system reaches services."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number), str(place.directory / "coder.log"))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(failure, match=r"coder\.log"):
        await place.backend.start(gateway_spec(place.directory))
    assert locks.is_free(place.lock())


async def test_a_process_that_cannot_be_held_is_not_left_behind(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a pidfd nobody could watch it, so the start fails whole."""

    def refuse(_: int) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pidfd_open", refuse)
        with pytest.raises(HermesError, match="open files"):
            await place.backend.start(gateway_spec(place.directory))
    assert procfs.members(start_id()) == []
    assert locks.is_free(place.lock())


async def test_a_cancelled_start_leaves_a_process_that_is_found(place: Place) -> None:
    """The start is finished, watched and reaped; its record is the spawn id."""
    spec = gateway_spec(place.directory)
    starting = asyncio.create_task(place.start_spec(spec))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    process = await place.backend.find(start_id(), None)
    assert process is not None
    await place.backend.kill(process)
    assert await place.backend.wait(process) == ExitStatus(signal=9)


async def test_a_failure_after_a_cancellation_disturbs_nobody(place: Place) -> None:
    """The caller has gone; no warning of an unheard failure follows."""
    starting = asyncio.create_task(place.backend.start(spec_of(place.directory, "/nowhere/hermes")))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    gc.collect()


async def test_processes_that_end_at_once_are_identified_and_reaped(place: Place) -> None:
    """However fast it was, its end is told and no zombie remains."""
    for number in range(20):
        process = await place.start_spec(
            spec_of(place.directory, "/bin/sh", "-c", f"exit {number}"), is_gateway=False
        )
        assert await place.backend.wait(process) == ExitStatus(code=number)
        assert procfs.start_ticks(process.pid) != process.start_ticks
    gc.collect()


async def test_many_start_at_the_same_time(place: Place) -> None:
    """Descriptors of one start do not stay with another."""
    names = [f"bot-{number}" for number in range(20)]
    processes = await asyncio.gather(
        *(
            place.start_spec(spec_of(place.directory, "/bin/sleep", "60", name=name), is_gateway=False)
            for name in names
        )
    )
    assert [procfs.holders(place.lock(name)) for name in names] == [[process.pid] for process in processes]
