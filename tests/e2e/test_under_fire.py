"""Profiles that are renamed, deleted and brought back while their gateway writes without a pause."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from hermesd.adapters import procfs
from hermesd.v1 import gateways_pb2
from tests.e2e.callers import Caller, aliases, directories, litter
from tests.e2e.census import members
from tests.e2e.daemon import HURRIED, Daemon, scripted
from tests.e2e.house import Machine
from tests.faults.injection import snapshot
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e]

EVERY_S = 0.05
READY, BACKOFF = gateways_pb2.GATEWAY_STATE_READY, gateways_pb2.GATEWAY_STATE_BACKOFF

READING = """
import sqlite3, sys, time
database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
rows = database.execute("SELECT word FROM messages")
rows.fetchone()
print("reading", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def daemon(stage: Daemon) -> Daemon:
    """A daemon that is not started yet, of whom nothing is left afterwards."""
    return stage


def journal(machine: Machine) -> Path:
    """Where writers tell of what they have written."""
    return machine.home / "journal"


def writing(machine: Machine, *flags: str) -> list[str]:
    """The command of a gateway that writes."""
    return scripted("--writes", str(EVERY_S), "--journal", str(journal(machine)), *flags)


def told(machine: Machine) -> list[tuple[str, Path]]:
    """Each word that was written, and into which home."""
    path = journal(machine)
    lines = [line.split(" ", 1) for line in path.read_text().splitlines()] if path.exists() else []
    return [(word, Path(home)) for word, home in lines]


def until_more(machine: Machine) -> None:
    """Waits for the writer to have written some more."""
    before = len(told(machine))
    wait_until(lambda: len(told(machine)) > before + 3, "the gateway to write")


def assert_whole(machine: Machine, home: Path) -> None:
    """Everything that was ever told to be written is in this home, and nothing was written elsewhere."""
    words = [word for word, _ in told(machine)]
    with closing(sqlite3.connect(f"file:{home}/state.db?mode=ro", uri=True)) as database:
        (state,) = database.execute("PRAGMA integrity_check").fetchone()
        assert state == "ok"
        stored = {word for (word,) in database.execute("SELECT word FROM messages")}
    assert set(words) <= stored
    assert set(words) <= set((home / "memories" / "MEMORY.md").read_text().split())
    assert (home / "skills" / "live" / "SKILL.md").read_text() in stored


@pytest.mark.ci
def test_nothing_that_was_written_is_lost_when_a_profile_moves(daemon: Daemon) -> None:
    """Renamed twice, deleted, brought back under another name: every word is there, and no home of old is."""
    machine = daemon.machine
    names = ("coder", "writer", "third")
    daemon.make_homes("coder")
    daemon.write_settings({name: writing(machine) for name in names}, {**HURRIED, "grace_extra_s": 5.0})
    daemon.start()
    caller = Caller(daemon.client)
    daemon.do("start", "coder")
    id_ = caller.show("coder").id
    for before, after in (("coder", "writer"), ("writer", "coder")):
        until_more(machine)
        caller.done(caller.rename(before, after))
        assert set(directories(machine)) == {after}
        until_more(machine)
        assert told(machine)[-1][1].name == after
    until_more(machine)
    caller.done(caller.delete("coder"))
    assert directories(machine) == {}
    count = len(told(machine))
    (entry,) = caller.trash().values()
    assert_whole(machine, Path(entry.path))
    caller.done(caller.restore(entry.id, "third"))
    assert caller.show("third").id == id_
    daemon.do("start", "third")
    until_more(machine)
    daemon.do("stop", "third")
    assert {home.name for _, home in told(machine)[count:]} == {"third"}
    assert_whole(machine, directories(machine)["third"])
    assert set(directories(machine)) == {"third"}
    assert litter(machine) == []


def furnish_fire(daemon: Daemon) -> None:
    """`coder` writes, and so does a job of its that ignores SIGTERM; `other` sits beside it."""
    machine = daemon.machine
    daemon.make_homes("coder", "other")
    (machine.root / "profiles" / "other" / "SOUL.md").write_text("calm")
    commands = {
        "coder": writing(machine, "--daemon", "--daemon-ignores-term"),
        "other": scripted(),
    }
    daemon.write_settings(commands)
    daemon.start()
    machine.ok("profile", "list")
    bin_directory = machine.home / ".local" / "bin"
    bin_directory.mkdir(parents=True, exist_ok=True)
    daemon.do("start", "coder")
    until_more(machine)


def assert_gone(daemon: Daemon, lock: Path) -> None:
    """Nothing of `coder` is there, and nothing else has changed."""
    machine = daemon.machine
    assert set(directories(machine)) == {"other"}
    assert members(machine) == []
    assert procfs.holders(lock) == []
    assert not lock.exists()
    assert "coder" not in aliases(machine).values()
    assert (machine.root / "profiles" / "other" / "SOUL.md").read_text() == "calm"


@pytest.mark.parametrize(
    "watched_s", [pytest.param(1.5, marks=pytest.mark.ci), pytest.param(120.0, marks=pytest.mark.full)]
)
def test_a_profile_that_is_deleted_under_fire_stays_away(daemon: Daemon, watched_s: float) -> None:
    """Its gateway and a job of it write, somebody reads its database: once that is said it stays away."""
    furnish_fire(daemon)
    machine, caller = daemon.machine, Caller(daemon.client)
    lock = daemon.lock_of(daemon.gateway("coder"))
    other = snapshot(machine.root / "profiles" / "other")
    database = machine.root / "profiles" / "coder" / "state.db"
    with subprocess.Popen([sys.executable, "-c", READING, str(database)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        caller.done(caller.delete("coder"))
        assert_gone(daemon, lock)
        reader.kill()
    (entry,) = caller.trash().values()
    assert_whole(machine, Path(entry.path))
    kept = snapshot(Path(entry.path))
    end_s = time.monotonic() + watched_s
    while time.monotonic() < end_s:
        assert_gone(daemon, lock)
        time.sleep(EVERY_S)
    daemon.kill_and_start()
    assert_gone(daemon, lock)
    assert snapshot(Path(entry.path)) == kept
    assert snapshot(machine.root / "profiles" / "other") == other
    caller = Caller(daemon.client)
    caller.done(caller.restore(entry.id))
    assert daemon.do("start", "coder").state == READY


@pytest.mark.ci
def test_a_gateway_that_waits_for_its_next_start_is_deleted_for_good(daemon: Daemon) -> None:
    """Its timer never rings, for this daemon or the next one."""
    daemon.make_homes("coder")
    policy = {**HURRIED, "backoff_first_s": 1.0, "backoff_limit_s": 1.0}
    daemon.write_settings({"coder": scripted("--exit-after", "0", "--code", "1")}, policy)
    daemon.start()
    caller = Caller(daemon.client)
    daemon.call("start", "coder")
    wait_until(lambda: daemon.gateway("coder").state == BACKOFF, "the gateway to wait")
    caller.done(caller.delete("coder"))
    time.sleep(1.3)
    assert directories(daemon.machine) == {}
    daemon.kill_and_start()
    assert members(daemon.machine) == []
    assert shutil.which("coder", path=str(daemon.machine.home / ".local" / "bin")) is None
