"""What of a hermes-agent home follows it to its new name, and what is left to people."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.profile import Home, ProfileName
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@dataclass(frozen=True)
class Renamed:
    """A home that has moved from `coder` to `writer`."""

    before: Home
    after: Home
    user_home: Path

    @property
    def root(self) -> Path:
        """The root, which is the default profile's home."""
        return self.after.path.parent.parent

    def follow(self) -> list[str]:
        """Everything follows, and again, which changes nothing."""
        agent = HermesAgent(self.user_home)
        told = agent.follow_rename(self.before, self.after)
        files = {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        agent.follow_rename(self.before, self.after)
        assert files == {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        return told


@pytest.fixture
def renamed(tmp_path: Path) -> Renamed:
    """An empty home under its new name."""
    root = tmp_path / ".hermes"
    after = home_at(root / "profiles" / "writer", "writer")
    return Renamed(Home(ProfileName("coder"), root / "profiles" / "coder", after.identity), after, tmp_path)


def write(path: Path, data: Any) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def database(path: Path, *statements: str) -> Path:
    """A database made by these statements."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("place", ["profiles/writer/honcho.json", "honcho.json", "../.honcho/config.json"])
@pytest.mark.parametrize("key", ["hermes_coder", "hermes.coder"])
def test_honcho_knows_the_agent_as_before(renamed: Renamed, place: str, key: str) -> None:
    """The block goes by the new name; who the agent is to Honcho stays, wherever the block stands."""
    others = {"hermes": {"aiPeer": "hermes"}, "hermes_coder2": {}}
    path = write(renamed.root / place, {"hosts": {**others, key: {"workspace": "w", "aiPeer": "old friend"}}})
    path.chmod(0o640)
    assert renamed.follow() == []
    hosts = json.loads(path.read_text())["hosts"]
    assert hosts == {**others, "hermes_writer": {"workspace": "w", "aiPeer": "old friend"}}
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_peer_that_only_the_blocks_name_gave_is_written_down(renamed: Renamed) -> None:
    """Else the memory would begin anew. What the whole file says needs no copy."""
    path = write(renamed.after.path / "honcho.json", {"workspace": "all", "hosts": {"hermes_coder": {}}})
    renamed.follow()
    assert json.loads(path.read_text())["hosts"] == {"hermes_writer": {"aiPeer": "hermes_coder"}}


def test_a_block_of_the_new_name_is_not_replaced(renamed: Renamed) -> None:
    """It is somebody's memory: a person has to choose."""
    hosts = {"hermes_coder": {"aiPeer": "a"}, "hermes_writer": {"aiPeer": "b"}}
    path = write(renamed.root / "honcho.json", {"hosts": hosts})
    (told,) = renamed.follow()
    assert "hermes_writer already" in told
    assert json.loads(path.read_text())["hosts"] == hosts


def test_a_damaged_file_is_told_and_left_alone(renamed: Renamed) -> None:
    """Nothing is written over what cannot be understood."""
    path = renamed.after.path / "honcho.json"
    path.write_text("{")
    (told,) = renamed.follow()
    assert str(path) in told
    assert path.read_text() == "{"


def test_jobs_go_on_in_the_home(renamed: Renamed) -> None:
    """Paths inside the home move with it; a neighbour whose name begins alike, and other places, stay."""
    old, new = str(renamed.before.path), str(renamed.after.path)
    jobs = [
        {"id": "1", "workdir": f"{old}/workspace", "script": f"{old}/scripts/a.sh", "prompt": f"look at {old}"},
        {"id": "2", "workdir": f"{old}2", "script": "b.sh"},
        {"id": "3", "workdir": old},
    ]
    path = write(renamed.after.path / "cron" / "jobs.json", {"jobs": jobs, "updated_at": "x"})
    assert renamed.follow() == []
    first, second, third = json.loads(path.read_text())["jobs"]
    assert (first["workdir"], first["script"]) == (f"{new}/workspace", f"{new}/scripts/a.sh")
    assert first["prompt"] == f"look at {old}"
    assert second == jobs[1]
    assert third["workdir"] == new


def test_the_workplace_moves_and_the_rest_of_the_file_stays(renamed: Renamed) -> None:
    """Comments and all; any other mention of the old place is told, in `.env` too."""
    old, new = renamed.before.path, renamed.after.path
    config = new / "config.yaml"
    config.write_text(f"# mine\nterminal:\n  cwd: {old}/workspace  # here\nnote: {old}\n")
    (new / ".env").write_text(f"DATA={old}2\nMORE={old}/data\n")
    assert renamed.follow() == [f"{config} still names {old}", f"{new / '.env'} still names {old}"]
    assert config.read_text() == f"# mine\nterminal:\n  cwd: {new}/workspace  # here\nnote: {old}\n"


def test_sessions_and_routes_go_by_the_new_name(renamed: Renamed) -> None:
    """The agent files them under name and path; what an earlier rename left under the new path must not win."""
    old, new = f"{renamed.before.path}/sessions", f"{renamed.after.path}/sessions"
    state = database(
        renamed.after.path / "state.db",
        "CREATE TABLE sessions (id TEXT, session_key TEXT, profile_name TEXT)",
        "INSERT INTO sessions VALUES ('1', 'agent:main:x', 'coder'), ('2', 'agent:coder:x', 'coder'),"
        " ('3', 'agent:coder2:x', 'coder2'), ('4', NULL, NULL)",
        "CREATE TABLE gateway_routing (scope TEXT, session_key TEXT, entry_json TEXT, updated_at REAL,"
        " PRIMARY KEY (scope, session_key))",
        f"INSERT INTO gateway_routing VALUES ('{old}', 'agent:main:x', '{{}}', 2),"
        f" ('{old}', 'agent:coder:x', '{{\"session_key\": \"agent:coder:x\"}}', 2),"
        f" ('{new}', 'agent:main:x', 'stale', 1), ('/elsewhere', 'agent:main:x', 'other', 1)",
    )
    assert renamed.follow() == []
    assert rows(state, "SELECT session_key, profile_name FROM sessions ORDER BY id") == [
        ("agent:main:x", "writer"),
        ("agent:writer:x", "writer"),
        ("agent:coder2:x", "coder2"),
        (None, None),
    ]
    assert rows(state, "SELECT scope, session_key, entry_json FROM gateway_routing ORDER BY 1, 2") == [
        ("/elsewhere", "agent:main:x", "other"),
        (new, "agent:main:x", "{}"),
        (new, "agent:writer:x", '{"session_key": "agent:writer:x"}'),
    ]


def test_tasks_on_every_board_stay_the_profiles(renamed: Renamed) -> None:
    """Whose they are stands in databases that all profiles share; those of others are not touched."""
    for path in (renamed.root / "kanban.db", renamed.root / "kanban" / "boards" / "b" / "kanban.db"):
        board = database(
            path,
            "CREATE TABLE tasks (id TEXT, assignee TEXT, created_by TEXT)",
            "INSERT INTO tasks VALUES ('1', 'coder', 'coder'), ('2', 'other', 'ana')",
        )
    assert renamed.follow() == []
    assert rows(board, "SELECT assignee, created_by FROM tasks ORDER BY id") == [
        ("writer", "writer"),
        ("other", "ana"),
    ]


def test_an_older_or_damaged_database_is_no_failure(renamed: Renamed) -> None:
    """What it lacks is left out; what cannot be opened is told, and the others are changed."""
    (renamed.after.path / "state.db").write_bytes(b"not a database at all" * 100)
    board = database(
        renamed.root / "kanban.db",
        "CREATE TABLE tasks (id TEXT, assignee TEXT)",
        "INSERT INTO tasks VALUES ('1', 'coder')",
    )
    (told,) = renamed.follow()
    assert "state.db still knows 'coder'" in told
    assert rows(board, "SELECT assignee FROM tasks") == [("writer",)]


def test_routes_of_the_default_gateway_are_a_persons_to_change(renamed: Renamed) -> None:
    """They stand in a file that people write, for a gateway that runs."""
    (renamed.root / "config.yaml").write_text(
        "gateway:\n  multiplex_profiles: true\n  profile_routes:\n    - {platform: telegram, profile: Coder}\n"
    )
    routes, served = renamed.follow()
    assert "still routes messages to 'coder'" in routes
    assert "hermesctl gateway restart default" in served
