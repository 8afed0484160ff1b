"""The database file: how it is made, upgraded, protected, and what is said when it is bad."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.store import SqliteStore
from hermesd.adapters.store_errors import translating_database
from hermesd.adapters.store_schema import STEPS, upgrade
from hermesd.domain.errors import DiskFull, NotPermitted, StateCorrupt, StateTooNew
from hermesd.domain.record import GatewayRecord
from tests.adapters.unprivileged import failure_as_nobody, reachable_directory

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is; nothing is there yet."""
    return tmp_path / "store.db"


async def make(file: Path) -> None:
    """A database with one record."""
    store = await SqliteStore.open(file)
    await store.save_gateway(GatewayRecord(profile_id="p"))
    await store.close()


def run(file: Path, script: str) -> None:
    """Somebody else works on the database."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


def modes_in(directory: Path) -> dict[str, int]:
    """Permission bits of every file in a directory."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def do_damage(file: Path, damage: str) -> None:
    """What a failing disk or a careless hand does."""
    data = file.read_bytes()
    if damage == "not a database":
        file.write_bytes(b"x" * len(data))
    elif damage == "torn page":
        file.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    else:
        run(file, "DROP TABLE gateways")


def version_of(file: Path) -> int:
    """The schema's version."""
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


async def test_new_file_has_the_newest_schema(file: Path) -> None:
    """Opening makes the file and applies every step."""
    await make(file)
    assert version_of(file) == len(STEPS)


async def test_memory_survives_closing(file: Path) -> None:
    """What one daemon wrote, the next one reads."""
    await make(file)
    store = await SqliteStore.open(file)
    assert await store.gateways() == [GatewayRecord(profile_id="p")]
    await store.close()


async def test_every_file_is_private(file: Path) -> None:
    """The database and its log, also where the file was readable before."""
    run(file, "VACUUM")
    store = await SqliteStore.open(file)
    await store.use_runtime("a")
    modes = modes_in(file.parent)
    await store.close()
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600}


async def test_written_means_flushed(file: Path) -> None:
    """The settings that make a commit durable hold on the connection that commits."""
    store = await SqliteStore.open(file)
    pragmas = [
        await store._run(lambda name=name: store._connection.execute(f"PRAGMA {name}").fetchone()[0])  # type: ignore[misc]
        for name in ("journal_mode", "synchronous", "locking_mode")
    ]
    await store.close()
    assert pragmas == ["wal", 2, "exclusive"]


async def test_many_calls_at_once_are_done_one_after_the_other(file: Path) -> None:
    """Callers need no lock of their own."""
    store = await SqliteStore.open(file)
    made = await asyncio.gather(
        *(store.append_event(kind="k", profile="", message=str(n), facts={}, at_s=0.0) for n in range(50))
    )
    await store.close()
    assert sorted(one.token for one in made) == list(range(1, 51))


async def test_calls_that_wait_together_are_numbered_in_their_order(file: Path) -> None:
    """They share a transaction, and nobody can tell."""
    store = await SqliteStore.open(file)
    made = await asyncio.gather(
        *(store.append_event(kind="k", profile="", message=str(n), facts={}, at_s=0.0) for n in range(50))
    )
    assert [one.token for one in made] == list(range(1, 51))
    await store.close()
    store = await SqliteStore.open(file)
    assert await store.events(after=0, profile="", limit=100) == made
    await store.close()


async def test_a_call_that_fails_takes_no_other_with_it(file: Path) -> None:
    """What waits together is done together, and alone if that cannot be."""
    store = await SqliteStore.open(file)
    times: list[Any] = [0.0, 1.0, "soon", 3.0]
    results = await asyncio.gather(
        *(store.append_event(kind="k", profile="", message="", facts={}, at_s=at_s) for at_s in times),
        return_exceptions=True,
    )
    assert [isinstance(result, sqlite3.IntegrityError) for result in results] == [False, False, True, False]
    assert [one.at_s for one in await store.events(after=0, profile="", limit=100)] == [0.0, 1.0, 3.0]
    await store.close()


async def test_cancelled_call_is_done_wholly_or_not_at_all(file: Path) -> None:
    """Whoever stops waiting leaves a store that works; the call that was under way is not cut in two."""
    store = await SqliteStore.open(file)
    calls = [asyncio.ensure_future(store.use_runtime(str(number))) for number in range(20)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert await store.current_runtime() in ["", *map(str, range(20))]
    await store.use_runtime("last")
    assert await store.current_runtime() == "last"
    await store.close()


async def test_newer_database_is_left_alone(file: Path) -> None:
    """A downgrade is refused before anything is written."""
    await make(file)
    run(file, f"PRAGMA user_version = {len(STEPS) + 1}")
    with pytest.raises(StateTooNew) as caught:
        await SqliteStore.open(file)
    assert caught.value.metadata["path"] == str(file)
    run(file, f"PRAGMA user_version = {len(STEPS)}")
    assert await read_all(file) == [GatewayRecord(profile_id="p")]


@pytest.mark.parametrize("damage", ["not a database", "torn page", "missing table"])
async def test_damaged_database_is_said_to_be_so(file: Path, damage: str) -> None:
    """Whatever is wrong with the file, its path is named and nothing is made in its place."""
    await make(file)
    do_damage(file, damage)
    with pytest.raises(StateCorrupt) as caught:
        await read_all(file)
    assert caught.value.metadata["path"] == str(file)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE gateways SET state = 'dancing'",
        "UPDATE gateways SET process = '{'",
        "UPDATE gateways SET process = '{\"pid\": 1}'",
        "UPDATE gateways SET last_exit = '{}'",
        "UPDATE gateways SET last_exit = '[]'",
    ],
)
async def test_row_that_hermesd_never_wrote_is_damage(file: Path, change: str) -> None:
    """A value that cannot be understood is not guessed at."""
    await make(file)
    run(file, change)
    with pytest.raises(StateCorrupt):
        await read_all(file)


async def read_all(file: Path) -> list[GatewayRecord]:
    """Opens, reads the records and closes."""
    store = await SqliteStore.open(file)
    try:
        return await store.gateways()
    finally:
        await store.close()


async def test_second_opening_is_refused(file: Path) -> None:
    """One process has the database, for as long as it lives."""
    store = await SqliteStore.open(file)
    with pytest.raises(NotPermitted, match="another program"):
        await SqliteStore.open(file)
    await store.close()


async def test_full_disk_changes_nothing(file: Path) -> None:
    """A write that does not fit fails whole; what was there can be read, and later writes work again."""
    store = await SqliteStore.open(file)
    await store.save_gateway(GatewayRecord(profile_id="p"))
    pages = await store._run(lambda: store._connection.execute("PRAGMA page_count").fetchone()[0])
    await store._run(lambda: store._connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(DiskFull) as caught:
        await store.save_gateway(GatewayRecord(profile_id="q", detail="x" * 100_000))
    assert caught.value.metadata["path"] == str(file)
    assert await store.gateways() == [GatewayRecord(profile_id="p")]
    await store._run(lambda: store._connection.execute("PRAGMA max_page_count = 100000").fetchone())
    await store.save_gateway(GatewayRecord(profile_id="q"))
    assert len(await store.gateways()) == 2
    await store.close()


def test_directory_without_access_is_not_permitted() -> None:
    """The refusal names the file."""
    with reachable_directory() as directory:
        statement = "import asyncio; asyncio.run(store.SqliteStore.open(given))"
        reason, path, _ = failure_as_nobody(statement, directory / "store.db")
        assert (reason, path) == ("NOT_PERMITTED", str(directory / "store.db"))


def test_defect_of_ours_is_not_blamed_on_the_file(file: Path) -> None:
    """A broken constraint or a wrong use of the library is not damage."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError), translating_database(file):
            connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.ProgrammingError), translating_database(file):
        connection.execute("SELECT 1")


def test_steps_are_applied_once_and_in_order(file: Path) -> None:
    """Each version is reached from the one before, whichever version a file has."""
    first, second = ("CREATE TABLE a (x)",), ("ALTER TABLE a ADD COLUMN y",)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        upgrade(connection, file, (first,))
        upgrade(connection, file, (first, second))
        upgrade(connection, file, (first, second))
        assert connection.execute("SELECT x, y FROM a").fetchall() == []
    assert version_of(file) == 2


def test_failed_step_leaves_the_version_before(file: Path) -> None:
    """Half a step is no step: its first statement is undone with it."""
    good, bad = ("CREATE TABLE a (x)",), ("CREATE TABLE b (x)", "CREATE TABLE a (x)")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            upgrade(connection, file, (good, bad))
        tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    assert tables == [("a",)]
    assert version_of(file) == 1


async def test_table_that_lacks_a_column_is_damage(file: Path) -> None:
    """A database of our version that was made otherwise is refused by name, not by accident."""
    await make(file)
    run(file, "ALTER TABLE gateways DROP COLUMN starts")
    with pytest.raises(StateCorrupt):
        await read_all(file)
