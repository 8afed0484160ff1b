"""What is shown of profiles that the real hermes-agent works in."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.house import Api, Machine, free_port
from tests.fakes.model import MODEL, ModelServer

pytestmark = [pytest.mark.full, pytest.mark.e2e]


def test_hermes_agent_keeps_the_name_for_people(machine: Machine, runtimes: dict[str, Path]) -> None:
    """It reads the file with our key in it, and writes the file without losing the key."""
    hermes = runtimes["0.19.0"]
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder")
    machine.ok("profile", "rename", "default", "Front Desk")
    for text in ("Answers the door", "Answers the bell"):
        assert machine.run(hermes, "profile", "describe", "default", "--text", text).returncode == 0
        assert text in machine.run(hermes, "profile", "describe", "default").stdout
        found = machine.json("profile", "show", "default")
        assert (found["display_name"], found["description"]) == ("Front Desk", text)
    assert "default (Front Desk)" in machine.ok("profile", "list")


def test_conversations_of_a_living_gateway_are_counted_as_hermes_agent_counts_them(
    machine: Machine, model_server: ModelServer, runtimes: dict[str, Path]
) -> None:
    """While it writes; it is not disturbed, and its home is as big as `du` says."""
    machine.ok("quickstart", "--model", MODEL, "--base-url", model_server.base_url, "--api-port", str(free_port()))
    api = Api.of(machine, "coder")
    for words in ("one", "two"):
        api.chat(words, stream=False)
    home = machine.root / "profiles" / "coder"
    with closing(sqlite3.connect(home / "state.db")) as database:
        (there,) = database.execute("SELECT count(*) FROM sessions").fetchone()
    plan = machine.json("profile", "delete", "coder", "--dry-run")
    assert plan["session_count"] == there > 0
    assert plan["profile"]["gateway"]["state"] == "ready"
    assert plan["secret_count"] >= 1
    api.chat("three", stream=False)
    du = int(machine.run("du", "-sx", "--block-size=1", home).stdout.split()[0])
    disk = machine.json("profile", "show", "coder")["disk"]["bytes"]
    assert abs(disk - du) < 200_000
    machine.ok("gateway", "stop", "coder")
    assert machine.json("profile", "delete", "coder", "--dry-run")["session_count"] >= there
