"""A daemon that is started by the first command that needs it: one, and nobody's child."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hermesctl.client.places import Places
from hermesd.adapters import procfs
from tests.e2e.census import end_all
from tests.e2e.house import CLIENT, Machine
from tests.processes import GATEWAY, PYTHON
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

AUTOSTART = {"HERMESCTL_NO_AUTOSTART": ""}
TOLD = "hermesd was not running; started it (pid "


@pytest.fixture
def machine(empty_machine: Machine) -> Machine:
    """A machine without a daemon, on which commands may start one."""
    empty_machine.extra.update(AUTOSTART)
    return empty_machine


def launch(machine: Machine, *arguments: str) -> "subprocess.Popen[str]":
    """A command whose end is not waited for."""
    return subprocess.Popen(
        [str(CLIENT), *arguments],
        env=machine.environment,
        cwd=machine.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def daemons(machine: Machine) -> list[int]:
    """Pids of every daemon of this machine. A child is a copy of its parent until it becomes its own program."""
    found = {pid for pid, words in machine.command_lines().items() if words[1:] == ["-m", "hermesd"]}
    parents = {pid: procfs.stat(pid) for pid in found}
    return [pid for pid, seen in parents.items() if seen is not None and seen.parent_pid not in found]


def places(machine: Machine) -> Places:
    """Where its daemon is."""
    return Places.locate(machine.environment)


def test_ten_commands_at_once_start_one_daemon(machine: Machine) -> None:
    """Each of them succeeds, one says that it started it, and none was even tried in vain."""
    commands = [launch(machine, "gateway", "list", "-o", "json") for _ in range(10)]
    ended = [command.communicate(timeout=120) for command in commands]
    assert [command.returncode for command in commands] == [0] * 10, ended
    assert {json.loads(out)["kind"] for out, _ in ended} == {"GatewayList"}
    (pid,) = daemons(machine)
    assert sorted(err for _, err in ended) == [""] * 9 + [f"{TOLD}{pid})\n"]
    assert "another hermesd" not in places(machine).output_file.read_text()


def test_commands_that_race_with_other_starters_find_the_winner(machine: Machine) -> None:
    """A daemon's own lock decides, whoever starts it and how; losers are no failure of anybody's command."""
    by_hand = [
        subprocess.Popen(
            [sys.executable, "-m", "hermesd"], env=machine.environment, cwd="/", stderr=subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    commands = [launch(machine, "gateway", "list") for _ in range(3)]
    ended = [command.communicate(timeout=120) for command in commands]
    assert [command.returncode for command in commands] == [0] * 3, ended
    wait_until(lambda: len(daemons(machine)) == 1, "the losers to end")
    machine.ok("daemon", "stop")
    assert sorted({process.wait(timeout=20) for process in by_hand} - {5}) in ([], [0])


def test_a_daemon_that_was_killed_is_started_by_the_next_command(machine: Machine) -> None:
    """Its record and socket were left behind."""
    assert machine.ctl("gateway", "list").returncode == 0
    (first,) = daemons(machine)
    killed = psutil.Process(first)
    killed.kill()
    psutil.wait_procs([killed], timeout=20)
    done = machine.ctl("gateway", "list")
    (second,) = daemons(machine)
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, f"{TOLD}{second})")
    assert second != first


def test_an_agents_command_starts_it_with_nothing_of_its_own_changed(machine: Machine) -> None:
    """No byte is added, and the program that the command becomes has no child that it did not start itself."""
    machine.ok("profile", "create", "coder")
    machine.ok("daemon", "stop")
    script = "echo out; echo err >&2; read -r children </proc/$$/task/$$/children; echo [$children]"
    done = machine.ctl("-p", "coder", "exec", "--", "/bin/sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n[]\n", "err\n")
    (pid,) = daemons(machine)
    assert psutil.Process(pid).ppid() != os.getpid()
    assert os.getsid(pid) == pid


@pytest.mark.parametrize("line", ["gateway list", "daemon start", "quickstart", "-p coder exec -- true"])
def test_inside_a_gateway_none_is_started(machine: Machine, line: str) -> None:
    """By the mark in the environment, or by a lock that only a gateway's tree holds."""
    marked = machine.ctl(*line.split(), extra={"HERMESD_SPAWN_ID": "4f2c"})
    locks = places(machine).state / "locks"
    locks.mkdir(parents=True, mode=0o700)
    lock = os.open(locks / "coder.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    holding = subprocess.run(
        [str(CLIENT), *line.split()],
        env=machine.environment,
        cwd=machine.home,
        pass_fds=[lock],
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(lock)
    for done in (marked, holding):
        assert (done.returncode, done.stdout) == (8, "")
        assert "cannot be started from inside a gateway" in done.stderr
    assert daemons(machine) == []


def test_some_commands_never_start_it(machine: Machine) -> None:
    """Not even as the first ones of all: they leave no file either."""
    expected = {
        ("--help",): 0,
        ("--version",): 0,
        ("version",): 0,
        ("daemon", "status"): 3,
        ("daemon", "stop"): 0,
        ("gateway", "is-active"): 8,
        ("__complete", "bash"): 0,
    }
    assert {words: machine.ctl(*words).returncode for words in expected} == expected
    assert daemons(machine) == []
    assert not (machine.home / ".local").exists()


def test_an_operation_that_lost_its_daemon_is_found_by_its_id(machine: Machine) -> None:
    """Exit 8 with the id; the command that is printed starts the next daemon, which knows what became of it."""
    command = [*PYTHON, str(GATEWAY), "--ignore-term"]
    settings = f"{machine.settings.read_text()}[gateway]\ngrace_extra_s = 600\n"
    machine.settings.write_text(f"{settings}[profile.coder]\ncommand = {json.dumps(command)}\n")
    machine.ok("profile", "create", "coder")
    machine.ok("gateway", "start", "coder")
    wait_until(lambda: "up" in machine.ok("gateway", "logs", "coder"), "it to be deaf to SIGTERM")
    (pid,) = daemons(machine)
    stopping = launch(machine, "gateway", "stop", "coder", "-o", "json")
    operations: list[str] = []

    def is_running() -> bool:
        found = machine.json("operations", "list")["items"]
        operations[:] = [one["id"] for one in found if one["operation_kind"] == "gateway.stop"]
        return bool(operations)

    wait_until(is_running, "the operation to begin")
    assert stopping.stderr is not None
    assert stopping.stderr.readline().startswith("coder: ")  # the command has been told its operation
    os.kill(pid, signal.SIGKILL)
    (operation,) = operations
    _, said = stopping.communicate(timeout=60)
    assert stopping.returncode == 8, said
    error = json.loads(said.splitlines()[-1])["error"]
    assert error["operation"] == operation
    assert "may still be running" in error["message"]
    shown = machine.ctl("operations", "show", operation)
    assert (shown.returncode, TOLD in shown.stderr) == (0, True)
    assert operation in shown.stdout
    end_all(machine, ())


def test_a_daemon_of_another_release_is_told_and_can_be_replaced(machine: Machine) -> None:
    """Both versions are named, no second daemon is started, and the command that is printed puts an end to it."""
    machine.ok("daemon", "start")
    (first,) = daemons(machine)
    path = places(machine).daemon_file
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"version": "7.1.0"}))
    skewed = machine.ctl("gateway", "list")
    assert (skewed.returncode, skewed.stdout) == (8, "")
    assert f"hermesctl {record['version']} cannot talk to hermesd 7.1.0" in skewed.stderr
    assert "fix: hermesctl daemon restart" in skewed.stderr
    assert daemons(machine) == [first]
    machine.ok("daemon", "restart")
    assert daemons(machine) != [first]
    assert machine.ctl("gateway", "list").returncode == 0


def test_a_daemon_that_cannot_start_says_why_each_time(machine: Machine) -> None:
    """Exit 8 with the daemon's own words, and nothing is left running."""
    machine.settings.write_text("[gateway]\nstart_limits = 3\n")
    for _ in range(2):
        done = machine.ctl("gateway", "list")
        assert (done.returncode, done.stdout) == (8, "")
        assert done.stderr.count("start_limits") == 1
    assert daemons(machine) == []


def test_what_the_caller_is_does_not_reach_the_daemon(machine: Machine, tmp_path: Path) -> None:
    """Neither its directory, which can be removed, nor its umask, descriptors or ignored signals."""
    place = tmp_path / "place"
    place.mkdir()
    script = f"trap '' HUP; umask 0; cd {place}; exec 7>{tmp_path}/open; exec {CLIENT} gateway list"
    assert machine.run("/bin/sh", "-c", script).returncode == 0
    (pid,) = daemons(machine)
    proc = Path(f"/proc/{pid}")
    assert (proc / "cwd").readlink() == Path("/")
    assert "Umask:\t0077\n" in (proc / "status").read_text()
    assert str(tmp_path / "open") not in {str(one.readlink()) for one in (proc / "fd").iterdir()}
