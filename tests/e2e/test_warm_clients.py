"""Warm clients beside a real daemon: killed, turned off, and reached through an alias that outlives a release."""

from pathlib import Path

import psutil
import pytest

from tests.e2e.house import Machine
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]


def pool(machine: Machine) -> list[psutil.Process]:
    """The zygote first, then its workers; nothing while there is no daemon."""
    daemon = psutil.Process(machine.json("daemon", "status")["pid"])
    lines = machine.command_lines()
    return [one for one in daemon.children(recursive=True) if "hermesctl.warm" in lines.get(one.pid, ())]


def command_socket(machine: Machine) -> Path:
    """Where launchers reach the workers."""
    return machine.state / "run" / "cmd.sock"


@pytest.fixture
def served(empty_machine: Machine) -> Machine:
    """A machine whose daemon serves and whose workers wait."""
    empty_machine.ok("daemon", "start")
    empty_machine.ok("profile", "create", "coder")
    wait_until(lambda: command_socket(empty_machine).exists() and len(pool(empty_machine)) > 1, "workers")
    return empty_machine


def test_a_killed_zygote_is_replaced(served: Machine) -> None:
    """Meanwhile commands run cold, and nobody notices but by the time."""
    before = pool(served)
    identity = command_socket(served).stat().st_ino
    before[0].kill()
    assert served.ok("profile", "list", "-o", "name") == "profile/default\nprofile/coder\n"
    wait_until(lambda: command_socket(served).stat().st_ino != identity, "another socket")
    wait_until(lambda: not any(process.is_running() for process in before), "the end of the workers")
    assert served.ok("profile", "list", "-o", "name") == "profile/default\nprofile/coder\n"


def test_a_killed_daemon_leaves_no_client_behind(served: Machine) -> None:
    """They end by themselves; commands find a stale socket and say what is true."""
    before = pool(served)
    psutil.Process(served.json("daemon", "status")["pid"]).kill()
    _, left = psutil.wait_procs(before, timeout=20)
    assert left == []
    done = served.ctl("profile", "list")
    assert (done.returncode, done.stdout) == (8, "")
    assert "error: hermesd is not running" in done.stderr


def test_a_stopped_daemon_takes_them_along(served: Machine) -> None:
    """Nothing of theirs waits for a daemon that may never come."""
    before = pool(served)
    served.ok("daemon", "stop")
    _, left = psutil.wait_procs(before, timeout=20)
    assert left == []


def test_they_can_be_turned_off(empty_machine: Machine) -> None:
    """By a setting; every command then runs in its caller's process."""
    empty_machine.settings.write_text('[daemon]\nbackend = "session"\nwarm_clients = false\n')
    empty_machine.ok("daemon", "start")
    assert empty_machine.ok("profile", "list") == ""
    assert pool(empty_machine) == []
    assert not command_socket(empty_machine).exists()


def test_an_alias_runs_whatever_release_is_current(served: Machine) -> None:
    """The file stays as it is; what it executes is changed by a daemon of another release."""
    alias = served.home / ".local" / "bin" / "coder"
    text = alias.read_text()
    assert served.run(alias, "profile", "current").stdout == "coder\n"
    share = served.home / ".local" / "share" / "hermesd"
    other = share / "clients" / "other"
    other.mkdir()
    (other / "python3").symlink_to((share / "current" / "python3").readlink())
    (other / "launch.py").write_text("import sys\nprint('another release', *sys.argv[1:])\n")
    (share / "next").symlink_to(other)
    (share / "next").replace(share / "current")
    assert served.run(alias, "chat").stdout == "another release -p coder chat\n"
    served.ok("daemon", "restart")
    assert served.run(alias, "profile", "current").stdout == "coder\n"
    assert alias.read_text() == text


def test_an_alias_without_its_release_finds_the_client_on_path(served: Machine) -> None:
    """As after a removal that left the alias behind."""
    (served.home / ".local" / "share" / "hermesd" / "current").unlink()
    alias = served.home / ".local" / "bin" / "coder"
    assert served.run(alias, "profile", "current").stdout == "coder\n"
    lost = served.run(alias, "profile", "current", extra={"PATH": "/usr/bin:/bin"})
    assert lost.returncode == 127
    assert "hermesctl" in lost.stderr


def test_hermes_agent_knows_the_alias(machine: Machine, runtimes: dict[str, Path]) -> None:
    """It lists it as its own, under the right profile."""
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder")
    shown = machine.run(runtimes["0.19.0"], "profile", "show", "coder")
    assert shown.returncode == 0
    assert f"({machine.home / '.local' / 'bin' / 'coder'})" in shown.stdout
