"""Starting the daemon in the background, and stopping it."""

import os
import stat
import sys
from pathlib import Path

import pytest

from hermesctl import background
from hermesctl.client.places import Places
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import Executed

pytestmark = [pytest.mark.fast, pytest.mark.cli]

PROJECT = Path(__file__).resolve().parents[2]
SERVE = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from tests.fakes.server import serve; serve()"


@pytest.fixture
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon that is started is the fake one."""
    monkeypatch.setattr(background.start, "__defaults__", ((sys.executable, "-c", SERVE),))


@pytest.mark.usefixtures("_fake")
def test_a_daemon_is_started_once_detached_and_stopped(run: Run, places: Places) -> None:
    """It leads its own session, prints into its own file, and is gone after `stop`."""
    first = run("daemon start")
    assert (first.code, first.err) == (0, "")
    record = places.read_record()
    assert first.out.startswith("hermesd ")
    assert first.out.endswith(f" started  pid {record.pid}\n")
    again = run("daemon start")
    assert (again.code, "is already running" in again.out) == (0, True)
    assert places.read_record() == record
    _assert_detached(record.pid, places)
    stopped = run("daemon stop")
    assert (stopped.code, stopped.out) == (0, "hermesd stopped; gateways keep running\n")
    assert background.running(places) is None
    assert run("daemon status").code == 3
    assert run("daemon stop").out == "hermesd is not running\n"


def _assert_detached(pid: int, places: Places) -> None:
    proc = Path(f"/proc/{pid}")
    assert os.getsid(pid) == pid
    assert (proc / "cwd").readlink() == Path("/")
    assert (proc / "fd" / "0").readlink() == Path("/dev/null")
    assert (proc / "fd" / "1").readlink() == (proc / "fd" / "2").readlink() == places.output_file
    assert places.output_file.read_text() == "serving\n"
    for path, mode in ((places.state, 0o700), (places.output_file.parent, 0o700), (places.output_file, 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    names = {entry.partition("=")[0] for entry in (proc / "environ").read_text().split("\0") if entry}
    assert names <= {"HOME", "PATH", "LANG"}


def test_the_last_words_of_a_daemon_that_fails_are_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, places: Places
) -> None:
    """What it printed this time, not what an earlier one did."""
    places.output_file.parent.mkdir(parents=True)
    places.state.chmod(0o700)
    places.output_file.write_text("old words\n")
    command = ("/bin/sh", "-c", "echo error: no space left >&2; exit 3")
    monkeypatch.setattr(background.start, "__defaults__", (command,))
    ended = run("daemon start")
    assert ended.code == 8
    assert ended.err.splitlines()[:2] == [
        "error: hermesd did not start",
        "  why: no space left; it ended with exit code 3",
    ]


def test_a_daemon_that_never_serves_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with the command that shows what it does."""
    monkeypatch.setattr(background, "START_LIMIT_S", 0.0)
    monkeypatch.setattr(background.start, "__defaults__", (("/bin/true",),))
    ended = run("daemon start")
    assert ended.code == 8
    assert "hermesctl daemon run" in ended.err


def test_a_daemon_that_does_not_end_is_told(run: Run, daemon: FakeDaemon) -> None:
    """The fake one is this very process, which stays."""
    ended = run("daemon stop --timeout 1ms")
    assert (ended.code, ended.out) == (11, "")


def test_running_in_the_foreground_becomes_the_daemon(run: Run) -> None:
    """With this interpreter and the caller's whole environment."""
    with pytest.raises(Executed) as caught:
        run("daemon run", variables={"EXTRA": "1"})
    assert caught.value.argv == [sys.executable, "-m", "hermesd"]
    assert caught.value.environment["EXTRA"] == "1"


def test_only_named_variables_reach_the_daemon() -> None:
    """The shell that happens to start it leaves no trace."""
    passed = ["HOME", "PATH", "TZ", "LC_ALL", "PIP_INDEX_URL", "HERMESD_ROOT", "https_proxy"]
    kept_back = ["OPENAI_API_KEY", "HERMES_HOME", "PYTHONPATH", "XDG_STATE_HOME"]
    inherited = dict.fromkeys([*passed, *kept_back], "1")
    assert set(background.daemon_environment(inherited)) == set(passed)
