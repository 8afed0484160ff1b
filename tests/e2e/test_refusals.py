"""What cannot be done: the right reason, the right exit code, a way out that can be run, and nothing half done."""

import contextlib
import json
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.house import Machine, contents, free_port

pytestmark = [pytest.mark.ci, pytest.mark.e2e]


def refusal(machine: Machine, *arguments: str, exit_code: int, reason: str) -> Any:
    """Runs a command that must be refused so, as people and as programs see it; returns the JSON error."""
    before = tree(machine)
    said = machine.ctl(*arguments)
    assert said.returncode == exit_code, said.stderr
    assert said.stdout == ""
    assert said.stderr.startswith("error: ")
    assert "Traceback" not in said.stderr
    done = machine.ctl("-o", "json", *arguments)
    assert (done.returncode, done.stdout) == (exit_code, "")
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (error["reason"], error["exit"]) == (reason, exit_code)
    assert tree(machine) == before
    return error


def tree(machine: Machine) -> dict[str, bytes]:
    """Every file of every profile, and every alias."""
    found = contents(machine.root) | contents(machine.home / ".local" / "bin")
    return {str(path): content for path, content in found.items()}


def commands_of(error: Any) -> list[list[str]]:
    """The fixes of an error as they would be typed."""
    return [shlex.split(fix["command"]) for fix in error["fixes"] if fix["command"]]


@pytest.fixture
def running(machine: Machine) -> Machine:
    """A machine with a daemon, a runtime in use and the profile coder, stopped."""
    machine.ok("daemon", "start")
    machine.ok("runtime", "install")
    machine.ok("profile", "create", "coder")
    return machine


def test_an_unknown_profile_is_answered_with_the_one_that_was_meant(running: Machine) -> None:
    """Exit 4, and the closest name is in the answer; a change is never made to a guess."""
    for arguments in (
        ["gateway", "start", "codr"],
        ["-p", "codr", "gateway", "stop"],
        ["profile", "show", "codr"],
    ):
        error = refusal(running, *arguments, exit_code=4, reason="PROFILE_NOT_FOUND")
        assert "coder" in json.dumps(error)


@pytest.mark.parametrize("name", ["Bad Name", "../etc", "-x", "root", "default", "x" * 65, "naïve", "a/b", "."])
def test_a_bad_name_is_refused(running: Machine, name: str) -> None:
    """Exit 2 for what cannot be a profile's name, without a file made anywhere."""
    refusal(running, "profile", "create", "--", name, exit_code=2, reason="PROFILE_NAME_INVALID")


def test_two_different_profiles_in_one_command_are_refused(running: Machine) -> None:
    """Exit 2: nobody can know which one was meant."""
    refusal(running, "-p", "default", "gateway", "start", "coder", exit_code=2, reason="PROFILE_CONFLICT")


def test_a_name_in_use_is_refused(running: Machine) -> None:
    """Exit 5."""
    refusal(running, "profile", "create", "coder", exit_code=5, reason="PROFILE_EXISTS")


def test_a_missing_runtime_names_the_command_that_installs_one(empty_machine: Machine) -> None:
    """Exit 6, and the fix installs what is missing."""
    empty_machine.ok("daemon", "start")
    empty_machine.ok("profile", "create", "coder")
    error = refusal(empty_machine, "gateway", "start", "coder", exit_code=6, reason="RUNTIME_MISSING")
    assert ["hermesctl", "runtime", "install"] in commands_of(error)
    assert empty_machine.gateway("coder")["wish"] == "down"
    refused = empty_machine.ctl("-p", "coder", "chat")
    assert (refused.returncode, refused.stdout) == (6, "")


def test_a_port_that_a_stranger_holds_is_named_before_anything_starts(running: Machine) -> None:
    """Exit 5 with the port and the holder's pid; the gateway starts once the port is free."""
    home = running.root / "profiles" / "coder"
    port = free_port()
    with (home / ".env").open("a") as env:
        env.write(f"API_SERVER_ENABLED=true\nAPI_SERVER_KEY=0123456789abcdef0123\nAPI_SERVER_PORT={port}\n")
    with socket.create_server(("127.0.0.1", port)):
        error = refusal(running, "gateway", "start", "coder", exit_code=5, reason="PORT_IN_USE")
        assert error["facts"]["port"] == str(port)
        assert error["facts"]["pid"] == str(os.getpid())
        gateway = running.gateway("coder")
        assert (gateway["wish"], gateway["process"]) == ("down", None)
    running.ok("gateway", "start", "coder")
    assert running.gateway("coder")["state"] == "ready"


@pytest.mark.parametrize("text", ["model: [unclosed", "model:\n\t- tab", "\x00\x01"])
def test_a_configuration_that_cannot_be_read_is_named_before_anything_starts(running: Machine, text: str) -> None:
    """Exit 6 with the file's path, where the agent itself would have started on defaults."""
    config = running.root / "profiles" / "coder" / "config.yaml"
    config.write_text(text)
    error = refusal(running, "gateway", "start", "coder", exit_code=6, reason="CONFIG_INVALID")
    assert error["facts"]["path"] == str(config)
    assert running.gateway("coder")["wish"] == "down"
    assert running.ctl("profile", "list").returncode == 0
    assert running.ctl("profile", "show", "coder").returncode == 0


def test_without_a_daemon_the_way_to_start_one_is_said(empty_machine: Machine) -> None:
    """Exit 8; and the questions about the daemon itself are answered without one."""
    for arguments in (["profile", "list"], ["gateway", "start", "coder"], ["-p", "coder", "chat"]):
        done = empty_machine.ctl(*arguments, extra={"HERMESCTL_NO_AUTOSTART": "1"})
        assert done.returncode == 8
        assert "hermesctl daemon start" in done.stderr
    assert empty_machine.ctl("daemon", "status").returncode == 3
    assert empty_machine.ctl("--version").returncode == 0
    assert empty_machine.ctl("--help").returncode == 0


def test_a_second_daemon_for_one_root_is_refused(running: Machine) -> None:
    """Exit 5, and the first one goes on as if nothing had happened."""
    done = running.ctl("daemon", "run")
    assert done.returncode == 5
    assert "another hermesd" in done.stderr
    assert running.ctl("profile", "list").returncode == 0


def test_a_damaged_settings_file_is_named(empty_machine: Machine) -> None:
    """A daemon that cannot understand its settings does not start on a guess."""
    empty_machine.settings.write_text("[gateway]\nstart_limits = 3\n")
    done = empty_machine.ctl("daemon", "run")
    assert done.returncode == 6
    assert "start_limits" in done.stderr
    started = empty_machine.ctl("daemon", "start")
    assert started.returncode == 8
    assert "start_limits" in started.stderr


def test_a_damaged_store_is_named_and_left_alone(running: Machine) -> None:
    """The daemon does not start over a database it cannot believe."""
    running.ok("daemon", "stop")
    store = running.state / "store.db"
    store.write_bytes(b"not a database" * 1000)
    done = running.ctl("daemon", "run")
    assert done.returncode == 1
    assert str(store) in done.stderr
    assert store.read_bytes().startswith(b"not a database")
    store.unlink()


def test_deleting_needs_a_word_or_a_flag(running: Machine) -> None:
    """Without a terminal nothing is deleted unasked: exit 2 naming the flag."""
    done = running.ctl("profile", "delete", "coder")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert (running.root / "profiles" / "coder").exists()
    refused = running.ctl("profile", "delete", "default", "--yes")
    assert refused.returncode == 2


@contextmanager
def full_disk(directory: Path) -> Iterator[None]:
    """A small file system over a directory, filled to its last byte."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], check=True)
    try:
        fill(directory / "filler")
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def fill(path: Path) -> None:
    """Writes until nothing more fits."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.mark.skipif(os.geteuid() != 0, reason="filling a disk needs the right to mount one")
def test_a_full_disk_leaves_no_half_profile(running: Machine) -> None:
    """Exit 1 with DISK_FULL; neither home nor alias nor staging is left, and it works once there is room."""
    staging = running.root / "profiles" / ".hermesd" / "new"
    with full_disk(staging):
        done = running.ctl("profile", "create", "writer", "-o", "json")
        assert done.returncode == 1
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert error["reason"] == "DISK_FULL"
        assert [path.name for path in staging.iterdir()] == ["filler"]
    assert not (running.root / "profiles" / "writer").exists()
    assert not (running.home / ".local" / "bin" / "writer").exists()
    running.ok("profile", "create", "writer")
