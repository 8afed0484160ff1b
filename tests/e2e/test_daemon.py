"""The daemon as a program: one for each root, found through its file, bound again when its socket is taken."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.house import Machine, modes
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e]


@pytest.mark.ci
def test_everything_it_keeps_is_private(empty_machine: Machine) -> None:
    """Whatever the caller's umask: directories 0700, files 0600."""
    machine = empty_machine
    old = os.umask(0)
    try:
        machine.ok("daemon", "start")
    finally:
        os.umask(old)
    machine.ok("profile", "create", "coder")
    found = modes(machine.state)
    assert set(found.values()) <= {0o700, 0o600}, found


@pytest.mark.ci
def test_a_home_far_down_the_tree_is_served(empty_machine: Machine) -> None:
    """A socket path beyond the kernel's limit is reached by both programs all the same."""
    home = empty_machine.home / ("deep" * 25)
    home.mkdir()
    machine = Machine(home)
    try:
        machine.ok("daemon", "start")
        assert machine.ok("profile", "list") == ""
    finally:
        assert machine.clean_up() == []


@pytest.mark.ci
def test_a_daemon_gets_nothing_of_the_shell_that_started_it(empty_machine: Machine) -> None:
    """Neither a bot's token nor another profile's home."""
    canaries = {
        "TELEGRAM_BOT_TOKEN": "1111:canary",
        "HERMES_HOME": "/canary",
        "OPENAI_API_KEY": "sk-canary",
    }
    assert empty_machine.ctl("daemon", "start", extra=canaries).returncode == 0
    pid = empty_machine.json("daemon", "status")["pid"]
    assert b"canary" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert Path(f"/proc/{pid}/cwd").resolve() == Path("/")


@pytest.mark.ci
def test_clients_find_the_daemon_through_its_file_alone(empty_machine: Machine) -> None:
    """The file names everything a client needs, and vanishes with the daemon."""
    machine = empty_machine
    machine.ok("daemon", "start")
    said = json.loads((machine.state / "daemon.json").read_text())
    assert {"socket", "pid", "start_ticks", "version", "boot_id", "root"} <= said.keys()
    machine.ok("daemon", "stop")
    assert not (machine.state / "daemon.json").exists()
    assert not Path(said["socket"]).exists()


@pytest.mark.full
def test_a_socket_that_a_cleaner_took_is_bound_again(empty_machine: Machine) -> None:
    """Within its check the daemon notices, and clients reach it as before, without a restart."""
    machine = empty_machine
    machine.ok("daemon", "start")
    pid = machine.json("daemon", "status")["pid"]
    Path(json.loads((machine.state / "daemon.json").read_text())["socket"]).unlink()
    wait_until(lambda: machine.ctl("profile", "list").returncode == 0, "an answer", deadline_s=60)
    assert machine.json("daemon", "status")["pid"] == pid
