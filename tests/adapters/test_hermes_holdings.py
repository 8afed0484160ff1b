"""What goes with a home of hermes-agent, counted without a trace."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hermesd.adapters.agents import hermes_holdings
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.profile import Home
from hermesd.domain.usage import Holdings, Leftover
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

WRITER = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE IF NOT EXISTS sessions (id TEXT)")
database.execute("INSERT INTO sessions VALUES ('live')")
print("written", flush=True)
sys.stdin.read() or os._exit(9)
"""
"""A gateway that has its database open; at the end of its input it is gone as if killed."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return home_at(tmp_path / ".hermes" / "profiles" / "coder")


@pytest.fixture
def gateway(home: Home) -> Iterator["subprocess.Popen[str]"]:
    """What writes one conversation and keeps the database open."""
    command = [sys.executable, "-c", WRITER, str(home.path / "state.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process


def holdings(home: Home) -> Holdings:
    """What the agent says."""
    return HermesAgent().holdings(home)


def write_database(home: Home, conversations: int) -> None:
    """A database that nobody has open."""
    with closing(sqlite3.connect(home.path / "state.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE sessions (id TEXT)")
        database.executemany("INSERT INTO sessions VALUES (?)", [(str(n),) for n in range(conversations)])
        database.commit()


def traces(home: Home) -> dict[str, str]:
    """Every file, by its bytes."""
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in home.path.iterdir() if one.is_file()}


def test_conversations_of_a_stopped_gateway_are_counted_without_a_trace(home: Home) -> None:
    """Not even an empty log is left beside the database."""
    write_database(home, 38)
    before = traces(home)
    assert holdings(home).session_count == 38
    assert traces(home) == before


def test_conversations_of_a_running_gateway_are_counted_without_a_trace(
    home: Home, gateway: "subprocess.Popen[str]"
) -> None:
    """Those that are only in the log count; the gateway is not disturbed."""
    before = traces(home)
    assert before.keys() == {"state.db", "state.db-wal", "state.db-shm"}
    assert holdings(home).session_count == 1
    assert traces(home) == before


def test_conversations_of_a_killed_gateway_are_counted_without_a_trace(
    home: Home, gateway: "subprocess.Popen[str]"
) -> None:
    """It left its log; without the index that belongs to it nobody can tell."""
    assert gateway.stdin is not None
    gateway.stdin.close()
    gateway.wait()
    before = traces(home)
    assert holdings(home).session_count == 1
    assert traces(home) == before
    (home.path / "state.db-shm").unlink()
    before = traces(home)
    assert holdings(home).session_count is None
    assert traces(home) == before


@pytest.mark.parametrize("text", ["", "not a database", "SQLite format 3\0"])
def test_what_is_no_database_cannot_be_counted(home: Home, text: str) -> None:
    """An empty one neither: it has no such table."""
    (home.path / "state.db").write_text(text)
    assert holdings(home).session_count is None


def test_a_count_that_takes_too_long_is_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person waits to confirm."""
    write_database(home, 1)
    monkeypatch.setattr(hermes_holdings, "COUNT_LIMIT_S", 0.0001)
    assert holdings(home).session_count is None


def test_without_a_database_only_other_files_speak_of_conversations(home: Home) -> None:
    """The map of where they lead is none."""
    assert holdings(home).session_count == 0
    (home.path / "sessions").mkdir()
    (home.path / "sessions" / "sessions.json").write_text("{}")
    assert holdings(home).session_count == 0
    (home.path / "sessions" / "old.jsonl").write_text("")
    assert holdings(home).session_count is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (None, 0),
        (json.dumps({"jobs": [{}, {}, {}]}), 3),
        (json.dumps([{}]), 1),
        (json.dumps({"jobs": "many"}), None),
        ("{", None),
        ("7", None),
    ],
)
def test_jobs_are_counted_where_they_can_be(home: Home, text: str | None, count: int | None) -> None:
    """As the agent keeps them, and as it kept them once."""
    if text is not None:
        (home.path / "cron").mkdir()
        (home.path / "cron" / "jobs.json").write_text(text)
    assert holdings(home).job_count == count


def test_secrets_are_counted_by_name_and_never_told(home: Home) -> None:
    """Only those that are set."""
    (home.path / ".env").write_text(
        "ANTHROPIC_API_KEY=sk-canary\nTELEGRAM_BOT_TOKEN=canary\nAPI_SERVER_PORT=1\nEMPTY_KEY=\n"
    )
    found = holdings(home)
    assert found.secret_count == 2
    assert "canary" not in repr(found)
    (home.path / ".env").write_bytes(b"\xff")
    assert holdings(home).secret_count == 0


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("source: github.com/acme/telemetry\n", "github.com/acme/telemetry"),
        ("source: https://ana:ghp_canary@github.com/a/b\n", "https://github.com/a/b"),
        ("source: 'two\n  lines'\n", "two lines"),
        ("source: [1]\n", ""),
        ("- x\n", ""),
        ("name: x\n", ""),
    ],
)
def test_where_a_distribution_came_from_is_told_without_a_secret(home: Home, text: str, origin: str) -> None:
    """An address may carry a password."""
    (home.path / "distribution.yaml").write_text(text)
    assert holdings(home).origin == origin


def test_services_that_start_this_home_are_named(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what takes them away; those of another root's profile of the same name are not."""
    monkeypatch.setattr(hermes_holdings, "SYSTEM_UNITS", tmp_path / "system")
    (tmp_path / "system").mkdir()
    user = tmp_path / ".config" / "systemd" / "user"
    user.mkdir(parents=True)
    name = "hermes-gateway-coder.service"
    agent = HermesAgent(tmp_path)
    assert agent.leftovers(home) == []
    (user / name).write_text(f'[Service]\nEnvironment="HERMES_HOME={home.path}"\n')
    (tmp_path / "system" / name).write_bytes(b"\xff")
    assert agent.leftovers(home) == [
        Leftover(
            f"the service {name} in {user} is hermes-agent's, and goes on starting 'coder'",
            f"systemctl --user disable --now {name}",
        ),
        Leftover(
            f"the service {name} in {tmp_path / 'system'} is hermes-agent's, and goes on starting 'coder'",
            f"sudo systemctl disable --now {name}",
        ),
    ]
    (tmp_path / "system" / name).unlink()
    (user / name).write_text(f'[Service]\nEnvironment="HERMES_HOME={home.path}-2"\n')
    assert agent.leftovers(home) == []
    (user / name).write_text(f"[Service]\nWorkingDirectory={home.path}\n")
    assert HermesAgent().leftovers(home) == []
    home.path.rename(home.path.with_name("moved"))
    assert [one.fix for one in agent.leftovers(home)] == [f"systemctl --user disable --now {name}"]


def test_a_pipe_in_place_of_the_database_is_not_opened(home: Home) -> None:
    """It would wait for ever."""
    os.mkfifo(home.path / "state.db")
    assert holdings(home).session_count is None
