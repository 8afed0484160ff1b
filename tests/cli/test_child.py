"""A program that the client waits for: exit codes and signals, with real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hermesctl import child
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.cli]

LIMIT_S = 20.0
WAITING = """
import os, signal, sys
from hermesctl import child
if "heed" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
code = child.run(["sh", "-c", sys.argv[1]], os.environ, executable="/bin/sh", directory="", descriptors=(),
                 is_talk=False)
print("ended", code, flush=True)
sys.exit(code)
"""
READY = "touch ready; while :; do sleep 0.05; done"


def run(
    script: str, *, directory: Path | str = "", is_talk: bool = False, descriptors: tuple[int, ...] = ()
) -> int:
    """A script of the shell, waited for."""
    return child.run(
        ["sh", "-c", script], {"PATH": "/usr/bin:/bin", "A": "b"},
        executable="/bin/sh", directory=str(directory), descriptors=descriptors, is_talk=is_talk,
    )  # fmt: skip


@contextmanager
def waiting(script: str, place: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that waits for a script, in a session of its own, once the script says that it runs."""
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, script, "heed"],
        cwd=place,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_until(lambda: (place / "ready").exists(), "the script")
        yield process
        process.wait(LIMIT_S)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -2 $$", 130)]
)
def test_the_exit_code_is_what_a_shell_would_tell(script: str, code: int) -> None:
    """Of a program that a signal ended as well."""
    assert run(script) == code


def test_it_gets_the_environment_the_directory_and_the_descriptors(tmp_path: Path) -> None:
    """And no other."""
    reading, writing = os.pipe()
    code = run(
        f"pwd > here; echo $A$HOME > variables; echo x > /proc/self/fd/{writing}",
        directory=tmp_path,
        descriptors=(writing,),
    )
    assert code == 0
    assert os.read(reading, 10) == b"x\n"
    os.close(reading)
    os.close(writing)
    assert (tmp_path / "here").read_text() == f"{tmp_path}\n"
    assert (tmp_path / "variables").read_text() == "b\n"


def test_its_output_can_be_talk(capfd: pytest.CaptureFixture[str]) -> None:
    """So that stdout stays one document."""
    run("echo said", is_talk=True)
    run("echo data")
    assert capfd.readouterr() == ("data\n", "said\n")


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    """The program, or the directory."""
    with pytest.raises(FileNotFoundError) as told:
        child.run(["a"], {}, executable=str(tmp_path / "a"), directory="", descriptors=(), is_talk=False)
    assert told.value.filename == str(tmp_path / "a")
    with pytest.raises(FileNotFoundError) as told:
        run("true", directory=tmp_path / "gone")
    assert told.value.filename == str(tmp_path / "gone")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_the_programs_to_answer(tmp_path: Path) -> None:
    """Both processes get it from the terminal; who waits goes on waiting, and then ends as the program did."""
    with waiting(f"trap 'exit 7' INT; {READY}", tmp_path) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.read() == "ended 7\n"
    assert process.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_that_is_asked_of_the_one_reaches_the_other(tmp_path: Path, number: signal.Signals) -> None:
    """Nobody is left behind; the tests themselves may run below nohup."""
    with waiting(f"trap 'exit 9' {number.name[3:]}; {READY}", tmp_path) as process:
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.read() == "ended 9\n"


def test_an_end_that_is_asked_for_while_it_begins_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program runs for a moment before whoever started it knows of it."""

    class Slow(subprocess.Popen[bytes]):
        """Somebody asks before this is there."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            wait_until(lambda: (tmp_path / "ready").exists(), "the script")
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Slow)
    assert run(f"trap 'exit 9' TERM; {READY}", directory=tmp_path) == 9


def test_what_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    """As below nohup."""
    script = "kill -HUP $$; kill -INT $PPID; touch ready; exit 3"
    ignoring = f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{WAITING}"
    done = subprocess.run(
        [sys.executable, "-c", ignoring, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "ended 3\n", "")
