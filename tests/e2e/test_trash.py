"""Deleted profiles with a real daemon: brought back, kept apart, removed for good."""

import json

import pytest

from tests.e2e.house import Machine
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e, pytest.mark.cli]


def test_a_deleted_profile_comes_back_as_it_was(empty_machine: Machine) -> None:
    """Every byte, its id and its command; also when daemons die in between, and under another name."""
    machine = empty_machine
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder", "--description", "Writes code")
    home = machine.root / "profiles" / "coder"
    (home / "memories" / "MEMORY.md").write_text("remember")
    before = machine.json("profile", "show", "coder")
    assert "hermesctl profile trash restore coder" in machine.ok("profile", "delete", "coder", "--yes")
    assert not home.exists()
    assert not (machine.home / ".local" / "bin" / "coder").exists()
    machine.ok("daemon", "stop")
    machine.ok("daemon", "start")
    (entry,) = machine.json("profile", "trash", "list")["items"]
    assert (entry["profile"], entry["description"], entry["aliases"]) == ("coder", "Writes code", ["coder"])
    assert entry["size_bytes"] > 0
    machine.ok("profile", "trash", "restore", "coder")
    assert machine.json("profile", "show", "coder") == before
    assert (home / "memories" / "MEMORY.md").read_text() == "remember"

    machine.ok("profile", "delete", "coder", "--yes")
    machine.ok("profile", "create", "coder")
    refused = machine.ctl("profile", "trash", "restore", "coder", "-o", "json")
    assert refused.returncode == 5
    assert json.loads(refused.stderr)["error"]["reason"] == "PROFILE_EXISTS"
    machine.ok("profile", "trash", "restore", "coder", "--name", "mate")
    assert machine.json("profile", "show", "mate")["id"] == before["id"]
    assert machine.json("profile", "show", "mate")["aliases"] == ["mate"]


def test_what_is_removed_for_good_leaves_nothing(empty_machine: Machine) -> None:
    """Two deletions of one name are two entries; without a terminal nothing is removed unasked."""
    machine = empty_machine
    machine.ok("daemon", "start")
    for _ in range(2):
        machine.ok("profile", "create", "coder", "--no-alias")
        machine.ok("profile", "delete", "coder", "--yes")
    first, second = (one["id"] for one in machine.json("profile", "trash", "list")["items"])
    assert first != second
    assert machine.ctl("profile", "trash", "empty").returncode == 2
    machine.ok("profile", "trash", "empty", first, "--yes")
    assert [one["id"] for one in machine.json("profile", "trash", "list")["items"]] == [second]
    machine.ok("profile", "trash", "empty", "-y")
    assert list((machine.root / "profiles" / ".hermesd" / "trash").iterdir()) == []
    assert machine.ctl("profile", "trash", "restore", "coder").returncode == 4


def test_the_daemon_removes_what_was_kept_long_enough(empty_machine: Machine) -> None:
    """As long as the settings say."""
    machine = empty_machine
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder", "--no-alias")
    machine.ok("profile", "delete", "coder", "--yes")
    machine.ok("daemon", "stop")
    machine.settings.write_text('[daemon]\nbackend = "session"\ntrash_days = 0\n')
    machine.ok("daemon", "start")
    wait_until(lambda: not machine.json("profile", "trash", "list")["items"], "it to be removed")
