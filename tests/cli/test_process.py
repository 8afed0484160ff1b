"""The client as a process: signals, pipes, closed streams."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest

from tests.cli.workers import ORDINARY_SIGNALS
from tests.fakes.server import FakeDaemon
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


def spawn(
    words: str, environment: Mapping[str, str], *, stdout: int | IO[bytes] = subprocess.PIPE
) -> "subprocess.Popen[bytes]":
    """The real program."""
    return subprocess.Popen(
        [sys.executable, "-m", "hermesctl", *words.split()],
        env={"LANG": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_stream_with_its_code(
    environment: dict[str, str], daemon: FakeDaemon, world: World, number: signal.Signals, code: int
) -> None:
    """Quietly."""
    world.hanging.add("log")
    with spawn("gateway logs coder -f", environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(b"  INFO gateway up\n")
        process.send_signal(number)
        _, err = process.communicate()
    assert (process.returncode, err) == (code, b"")


def test_a_reader_that_left_is_no_failure_of_ours(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """`hermesctl profile list | true` prints nothing on stderr."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe, spawn("profile list", environment, stdout=pipe) as process:
        _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_a_full_disk_under_stdout_is_told(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """What could not be written is not taken for written."""
    with Path("/dev/full").open("wb") as full, spawn("profile list", environment, stdout=full) as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert b"No space left on device" in err


def test_closed_streams_are_no_traceback(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """`hermesctl profile delete worker <&- >&-` still fails as it should."""
    script = f"{sys.executable} -m hermesctl profile delete worker <&- >&-"
    ended = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, check=False)
    assert ended.returncode == 2
    assert b"Traceback" not in ended.stderr
    assert b"--yes" in ended.stderr


def test_the_agent_runs_in_the_same_process_with_nothing_leaked(
    environment: dict[str, str], daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """Same pid, no ignored signals, no descriptor of ours, the agent's own exit code, and no word of ours."""
    agent = tmp_path / "agent"
    agent.write_text('#!/bin/sh\necho "$$" "$@"\ngrep SigIgn /proc/$$/status\nls /proc/$$/fd\nexit 75\n')
    agent.chmod(0o755)
    world.executable = str(agent)
    with spawn("-p coder chat -q hi", environment) as process:
        out, err = process.communicate()
    words, ignored, *descriptors = out.decode().splitlines()
    assert (process.returncode, err) == (75, b"")
    assert words == f"{process.pid} -p coder chat -q hi"
    assert int(ignored.split()[1], 16) & ORDINARY_SIGNALS == 0
    assert {int(number) for number in descriptors if int(number) < 10} == {
        0,
        1,
        2,
    }  # the shell keeps its script above


def test_what_the_caller_handed_down_reaches_the_agent_and_nothing_else_does() -> None:
    """A descriptor that a library opened without care, in a thread of its own, stays behind."""
    code = (
        "import os; from hermesctl.terminal import Program, Terminal;"
        "terminal = Terminal.of_this_process();"
        "os.set_inheritable(os.open('/', os.O_RDONLY), True);"
        "terminal.become(Program('/bin/ls', ['ls', '/proc/self/fd']))"
    )
    with Path("/dev/null").open("rb") as handed:
        number = handed.fileno()
        ended = subprocess.run(
            [sys.executable, "-c", code], pass_fds=(number,), capture_output=True, check=True, stdin=handed
        )
    listed = {int(word) for word in ended.stdout.split()}
    assert {0, 1, 2, number} <= listed
    assert len(listed) == 5  # with the one that lists them


def test_a_directory_that_is_gone_is_told_before_anything_is_executed(tmp_path: Path) -> None:
    """The name in the failure is the directory's."""
    code = (
        "import sys; from hermesctl.terminal import Program, Terminal;"
        "Terminal.of_this_process().become(Program('/bin/true', ['true'], working_directory=sys.argv[1]))"
    )
    gone = tmp_path / "gone"
    ended = subprocess.run([sys.executable, "-c", code, str(gone)], capture_output=True, text=True, check=False)
    assert f"No such file or directory: '{gone}'" in ended.stderr


def test_help_needs_neither_grpc_nor_protobuf() -> None:
    """Or every Tab and every --help would pay for them."""
    code = (
        "import sys; from hermesctl import cli; from hermesctl.terminal import Terminal;"
        "cli.run(['--help'], Terminal.of_this_process());"
        "sys.exit(any(name in sys.modules for name in ('grpc', 'google.protobuf', 'yaml', 'asyncio')))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_windows_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no unix sockets that grpc could use."""
    from hermesctl import __main__ as program

    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match="does not run on Windows"):
        program.main()
