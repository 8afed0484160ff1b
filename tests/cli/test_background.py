"""Starting the daemon in the background, by hand or by the first command that needs it, and stopping it."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hermesctl import cli
from hermesctl.background import attempts, starting
from hermesctl.client.places import Places
from hermesctl.commands import daemon as commands
from hermesctl.terminal import NeedsOwnProcess
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import Executed, FakeTerminal
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

PROJECT = Path(__file__).resolve().parents[2]
SERVE = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from tests.fakes.server import serve; serve()"
AUTOSTART = {"HERMESCTL_NO_AUTOSTART": ""}
HOLD = "import sys; file = open(sys.argv[1], 'w'); print(flush=True); input()"


@pytest.fixture
def _fake(monkeypatch: pytest.MonkeyPatch, places: Places) -> Iterator[None]:
    """The daemon that is started is the fake one; it is nobody's child, so it is ended here if need be."""
    monkeypatch.setattr(attempts, "COMMAND", (sys.executable, "-c", SERVE))
    yield
    record = places.running()
    if record is not None and record.pid != os.getpid():
        os.kill(record.pid, signal.SIGKILL)
        assert starting.wait_until_gone(record, 20)


def started_as(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Lets a shell script be what is started as the daemon."""
    monkeypatch.setattr(attempts, "COMMAND", ("/bin/sh", "-c", script))


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
    assert places.running() is None
    assert run("daemon status").code == 3
    assert run("daemon stop").out == "hermesd is not running\n"


def _assert_detached(pid: int, places: Places) -> None:
    proc = Path(f"/proc/{pid}")
    assert os.getsid(pid) == pid
    assert int((proc / "stat").read_text().rpartition(")")[2].split()[1]) != os.getpid()
    assert (proc / "cwd").readlink() == Path("/")
    assert (proc / "fd" / "0").readlink() == Path("/dev/null")
    assert (proc / "fd" / "1").readlink() == (proc / "fd" / "2").readlink() == places.output_file
    assert str(places.start_lock) not in held_by(proc)
    assert "Umask:\t0077\n" in (proc / "status").read_text()
    assert places.output_file.read_text() == "serving\n"
    for path, mode in ((places.state, 0o700), (places.output_file.parent, 0o700), (places.output_file, 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    names = {entry.partition("=")[0] for entry in (proc / "environ").read_text().split("\0") if entry}
    assert names <= {"HOME", "PATH", "LANG"}


def held_by(proc: Path) -> set[str]:
    """What a process has open; a descriptor may be closed while they are listed."""
    found = set()
    for one in (proc / "fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(one.readlink()))
    return found


@pytest.mark.usefixtures("_fake")
def test_a_command_that_needs_a_daemon_starts_it_and_goes_on(run: Run, places: Places) -> None:
    """One line on stderr, whatever the format; the next command finds it."""
    first = run("gateway list -o json", variables=AUTOSTART)
    pid = places.read_record().pid
    assert (first.code, first.err) == (0, f"hermesd was not running; started it (pid {pid})\n")
    assert first.out.startswith("{")
    again = run("gateway list", variables=AUTOSTART)
    assert "started" not in again.err
    run("daemon stop")


@pytest.mark.usefixtures("_fake")
def test_quiet_commands_start_it_without_a_word(run: Run, places: Places) -> None:
    """What is asked for is still answered."""
    ended = run("gateway list -q -o name", variables=AUTOSTART)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert places.running() is not None
    run("daemon stop")


@pytest.mark.usefixtures("_fake")
@pytest.mark.parametrize("is_asking", [True, False])
def test_the_agents_commands_get_no_words_but_on_a_terminal(
    environment: dict[str, str], places: Places, is_asking: bool
) -> None:
    """Who reads the agent's stderr with a program finds the agent's alone. The profile is unknown here."""
    terminal = FakeTerminal(environment | AUTOSTART, is_asking=is_asking)
    cli.run(["chat", "-q", "hi"], terminal)
    assert places.running() is not None
    assert terminal.talk.getvalue().startswith("hermesd was not running; ") is is_asking
    cli.run(["daemon", "stop"], FakeTerminal(environment))


@pytest.mark.usefixtures("_fake")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("--help", 0),
        ("--version", 0),
        ("version", 0),
        ("profile current", 0),
        ("daemon status", 3),
        ("daemon stop", 0),
        ("gateway is-active", 8),
        ("gateway list --bogus", 2),
    ],
)
def test_some_commands_never_start_it(run: Run, places: Places, line: str, code: int) -> None:
    """Questions about what runs must not change the answer; the rest needs none."""
    assert run(line, variables=AUTOSTART).code == code
    assert places.running() is None


@pytest.mark.usefixtures("_fake")
def test_a_variable_turns_it_off(run: Run, places: Places) -> None:
    """The error says so, and how to start it."""
    ended = run("gateway list", variables={"HERMESCTL_NO_AUTOSTART": "1"})
    assert ended.code == 8
    assert "HERMESCTL_NO_AUTOSTART is set" in ended.err
    assert "fix: hermesctl daemon start" in ended.err
    assert places.running() is None


@pytest.mark.usefixtures("_fake")
def test_a_process_that_serves_many_callers_starts_none(environment: dict[str, str], places: Places) -> None:
    """What it starts would not be the caller's: it gives the command back, for the caller to run alone."""
    terminal = FakeTerminal(environment | AUTOSTART)
    terminal.is_shared = True
    with pytest.raises(NeedsOwnProcess):
        cli.run(["gateway", "list"], terminal)
    assert places.running() is None


@pytest.mark.usefixtures("_fake")
@pytest.mark.parametrize("line", ["gateway list", "daemon start", "quickstart", "daemon restart"])
def test_inside_a_gateway_it_is_refused(run: Run, places: Places, line: str) -> None:
    """Where there is no service manager: the daemon would be a part of that gateway's tree."""
    ended = run(line, variables=AUTOSTART | {"HERMESD_SPAWN_ID": "4f2c"})
    assert ended.code == 8
    assert "cannot be started from inside a gateway" in ended.err
    assert places.running() is None


def test_a_restart_that_could_not_start_again_stops_nothing(run: Run, daemon: FakeDaemon) -> None:
    """Inside a gateway, as above."""
    assert run("daemon restart", variables={"HERMESD_SPAWN_ID": "4f2c"}).code == 8
    assert not daemon.world.stopping.is_set()


@pytest.mark.usefixtures("_fake")
def test_a_record_of_a_daemon_that_crashed_is_no_hindrance(run: Run, daemon: FakeDaemon, places: Places) -> None:
    """A new one is started, and without leave the old one's end is told."""
    daemon.stop()
    daemon.write_record(start_ticks=1)
    absent = run("gateway list")
    assert (absent.code, "error: hermesd is not running" in absent.err) == (8, True)
    ended = run("gateway list", variables=AUTOSTART)
    assert ended.code == 0
    assert places.read_record().pid != os.getpid()
    run("daemon stop")


def test_a_daemon_that_does_not_serve_yet_is_waited_for(
    run: Run, world: World, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has only locked its root so far. No second one is tried."""
    started_as(monkeypatch, f"touch {places.home}/second")
    attempts.make_directories(places)
    soon = FakeDaemon(world, places)
    with _holding(places.daemon_lock):
        timer = threading.Timer(0.3, soon.start)
        timer.start()
        ended = run("gateway list -o name", variables=AUTOSTART)
        timer.join()
    soon.stop()
    assert (ended.code, ended.err) == (0, "")
    assert "gateway/coder" in ended.out
    assert not (places.home / "second").exists()


def test_a_daemon_that_never_serves_gets_no_second_one_beside_it(
    run: Run, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may still hold gateways' fates in its hands: a person has to end it."""
    started_as(monkeypatch, f"touch {places.home}/second")
    monkeypatch.setattr(starting, "START_LIMIT_S", 0.2)
    attempts.make_directories(places)
    with _holding(places.daemon_lock) as wedged:
        ended = run("gateway list", variables=AUTOSTART)
    assert ended.code == 8
    assert f"error: hermesd (pid {wedged.pid}) does not answer" in ended.err
    assert f"kill -9 {wedged.pid}" in ended.err
    assert not (places.home / "second").exists()


def test_a_daemon_whose_socket_is_dead_is_told(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This very process is the daemon, by its record. `daemon stop` cannot stop it either."""
    daemon.stop()
    monkeypatch.setattr(starting, "START_LIMIT_S", 0.2)
    monkeypatch.setattr(commands, "SILENCE_LIMIT_S", 0.1)
    for line in ("gateway list", "daemon start", "daemon stop"):
        ended = run(line, variables=AUTOSTART)
        assert ended.code == 8
        assert f"error: hermesd (pid {os.getpid()}) does not answer" in ended.err
        assert f"kill -9 {os.getpid()}" in ended.err
    told = run("gateway list")
    assert (told.code, "it may be starting or ending" in told.err) == (8, True)
    assert run("daemon status").code == 8


def _holding(path: Path) -> "_Holder":
    return _Holder(path)


class _Holder:
    """A process that has a file open, as a daemon has its lock."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> "subprocess.Popen[bytes]":
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.communicate(b"\n")


def test_the_last_words_of_a_daemon_that_fails_are_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, places: Places
) -> None:
    """What it printed this time, not what an earlier one did."""
    places.output_file.parent.mkdir(parents=True)
    places.state.chmod(0o700)
    places.output_file.write_text("old words\n")
    started_as(monkeypatch, "echo error: no space left >&2; exit 3")
    for line in ("daemon start", "gateway list"):
        ended = run(line, variables=AUTOSTART)
        assert ended.code == 8
        assert ended.err == "error: hermesd did not start\n  why: no space left\n"


def test_a_daemon_that_ends_without_a_word_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that cannot even be executed."""
    started_as(monkeypatch, "exit 0")
    assert "why: it ended without a word" in run("daemon start").err
    monkeypatch.setattr(attempts, "COMMAND", ("/nonexistent/python",))
    refused = run("daemon start")
    assert refused.code == 8
    assert "No such file or directory: '/nonexistent/python'" in refused.err


def test_a_daemon_that_takes_too_long_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with the command that shows what it does."""
    monkeypatch.setattr(starting, "START_LIMIT_S", 0.0)
    started_as(monkeypatch, "sleep 0.3")
    ended = run("daemon start")
    assert ended.code == 8
    assert "hermesctl daemon run" in ended.err


def test_whoever_waits_for_another_command_gives_up_too(
    run: Run, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs while it starts the daemon hangs nobody else for ever."""
    monkeypatch.setattr(starting, "START_LIMIT_S", 0.2)
    attempts.make_directories(places)
    lock = os.open(places.start_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        assert starting._is_locked_now(lock)
        assert run("daemon start").code == 8
    finally:
        os.close(lock)


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


def test_a_home_that_cannot_be_written_to_is_told(run: Run) -> None:
    """Exit 9, before anything is started. Nobody makes a directory there, not even root."""
    ended = run("gateway list", variables=AUTOSTART | {"HOME": "/sys"})
    assert ended.code == 9
    assert "/sys/.local" in ended.err
