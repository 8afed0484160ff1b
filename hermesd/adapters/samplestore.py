"""What gateways used, in a file of its own (port `SampleStore`): one SQLite file, used by one thread.

Owns: the file, how it is bounded, and beginning it anew. Must not know where samples come from.

A minute of all gateways is a handful of neighbouring pages, because rows are in the order in which they came; that
is why reading one profile looks at all of them. Rows go by how many minutes were added since, so no clock that
jumps takes history away or lets the file grow. Nothing is flushed but when SQLite folds its log into the file: a
crash of the machine costs minutes.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from hermesd.adapters.oserrors import translating
from hermesd.adapters.store_errors import translating_database
from hermesd.domain.errors import StateCorrupt
from hermesd.domain.samples import HALF_HOUR_S, HALF_HOURS_KEPT, MINUTES_KEPT, Sample, joined

log = logging.getLogger(__name__)

VERSION = 1
BUSY_WAIT_S = 0.5
LOG_BYTES = 1 << 20
"""What SQLite's log keeps on disk when it was folded into the file."""

ASIDE = ".aside"
"""Suffix of a file that could not be used; there is one at most."""

_COLUMNS = """
    turn INTEGER NOT NULL,         -- the how manieth minute it is; of a half hour, its last one
    profile INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    step_ms INTEGER NOT NULL,
    cpu_millionths INTEGER NOT NULL,
    rss_kib INTEGER NOT NULL,      -- pages are a multiple of that
    descriptors INTEGER NOT NULL,
    threads INTEGER NOT NULL,
    processes INTEGER NOT NULL,
    restarts INTEGER NOT NULL,
    PRIMARY KEY (turn, profile)
"""
_SCHEMA = (
    "CREATE TABLE profiles (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
    f"CREATE TABLE minutes ({_COLUMNS}) STRICT, WITHOUT ROWID",
    f"CREATE TABLE half_hours ({_COLUMNS}) STRICT, WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)
_NEWEST = """
    SELECT max(coalesce((SELECT max(turn) FROM minutes), 0), coalesce((SELECT max(turn) FROM half_hours), 0))
"""
_FORGET_UNUSED = """
    DELETE FROM profiles
    WHERE number NOT IN (SELECT profile FROM minutes) AND number NOT IN (SELECT profile FROM half_hours)
"""
"""Ids whose samples were all dropped for their age, as those of profiles that others removed."""

_INSERT = "INSERT INTO minutes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ROLL_UP = f"""
    INSERT INTO half_hours
    SELECT last.turn, last.profile, last.at_ms, whole.step_ms, whole.cpu_millionths, whole.rss_kib,
        whole.descriptors, whole.threads, whole.processes, last.restarts
    FROM (
        SELECT profile, max(turn) AS turn, sum(step_ms) AS step_ms,
            coalesce(sum(cpu_millionths * step_ms) / nullif(sum(step_ms), 0), 0) AS cpu_millionths,
            max(rss_kib) AS rss_kib, max(descriptors) AS descriptors, max(threads) AS threads,
            max(processes) AS processes
        FROM minutes
        WHERE turn > (SELECT coalesce(max(turn), 0) FROM half_hours)
            AND at_ms / {HALF_HOUR_S * 1000} <> :at_ms / {HALF_HOUR_S * 1000}
        GROUP BY profile, at_ms / {HALF_HOUR_S * 1000}
    ) AS whole JOIN minutes AS last USING (turn, profile)
"""
"""Half hours of the wall clock other than the one that is under way."""

Result = TypeVar("Result")


class SqliteSamples:
    """Samples in a file, which is opened, or begun anew, when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="samples")

    async def close(self) -> None:
        """Folds the log into the file and lets go of it."""
        await self._run(self._let_go)
        self._thread.shutdown()

    async def add(self, samples: Mapping[str, Sample]) -> None:
        """See the port."""
        if samples:
            await self._use(partial(_add, samples))

    async def all(self, profile_id: str, *, since_s: float = 0.0) -> list[Sample]:
        """See the port."""
        return await self._use(partial(_all, profile_id, since_s))

    async def forget(self, profile_id: str) -> None:
        """See the port."""
        await self._use(partial(_forget, profile_id))

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _use(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await self._run(partial(self._with_file, work))

    def _with_file(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Works on the file; if that shows it to be damaged, on a new one."""
        try:
            return self._attempt(work)
        except StateCorrupt as error:
            self._let_go()
            log.warning("samples are begun anew, the old ones are in %s%s: %s", self._path, ASIDE, error.message)
            with translating(self._path, "use"):
                self._set_aside()
        return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with translating(self._path, "use"), translating_database(self._path):
            if self._connection is None:
                self._connection = _connect(self._path)
            return work(self._connection)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # what could not be folded in stays in the log
                connection.close()

    def _set_aside(self) -> None:
        """Moves the file away, its log first: beside a new file, the old log would be taken for that file's."""
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                os.replace(f"{self._path}{suffix}", f"{self._path}{ASIDE}{suffix}")  # noqa: PTH105 - they are text


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=BUSY_WAIT_S, isolation_level=None)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Locks, checks and furnishes; the lock comes first, and makes memory shared with others needless."""
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise StateCorrupt("it is damaged")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, VERSION):
        raise StateCorrupt(f"another hermesd wrote it (schema {version})")
    if version == 0:
        _together(connection, lambda: [connection.execute(statement) for statement in _SCHEMA])
    connection.execute(_FORGET_UNUSED)


def _add(samples: Mapping[str, Sample], connection: sqlite3.Connection) -> None:
    turn = connection.execute(_NEWEST).fetchone()[0] + 1
    at_ms = round(next(iter(samples.values())).at_s * 1000)

    def write() -> None:
        numbers = _numbers(samples, connection)
        connection.execute(_ROLL_UP, {"at_ms": at_ms})
        connection.executemany(_INSERT, [_row(turn, numbers[id_], sample) for id_, sample in samples.items()])
        connection.execute("DELETE FROM minutes WHERE turn <= ?", (turn - MINUTES_KEPT,))
        connection.execute("DELETE FROM half_hours WHERE turn <= ?", (turn - HALF_HOURS_KEPT,))

    _together(connection, write)


def _numbers(ids: Collection[str], connection: sqlite3.Connection) -> dict[str, int]:
    """What profiles are called in other tables, where text would take most of the room."""

    def known() -> dict[str, int]:
        return {row["id"]: row["number"] for row in connection.execute("SELECT id, number FROM profiles")}

    found = known()
    if new := [(id_,) for id_ in ids if id_ not in found]:
        connection.executemany("INSERT INTO profiles (id) VALUES (?)", new)
        found = known()
    return found


def _all(profile_id: str, since_s: float, connection: sqlite3.Connection) -> list[Sample]:
    known = connection.execute("SELECT number FROM profiles WHERE id = ?", (profile_id,)).fetchone()
    if known is None:
        return []

    def read(table: str) -> list[Sample]:
        query = f"SELECT * FROM {table} WHERE profile = ? AND at_ms >= ? ORDER BY turn"
        return [_sample(row) for row in connection.execute(query, (known[0], round(since_s * 1000)))]

    return joined(read("half_hours"), read("minutes"))


def _forget(profile_id: str, connection: sqlite3.Connection) -> None:
    def write() -> None:
        for table in ("minutes", "half_hours"):
            query = f"DELETE FROM {table} WHERE profile = (SELECT number FROM profiles WHERE id = ?)"
            connection.execute(query, (profile_id,))
        connection.execute("DELETE FROM profiles WHERE id = ?", (profile_id,))

    _together(connection, write)


def _together(connection: sqlite3.Connection, write: Callable[[], object]) -> None:
    """Writes wholly or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        write()
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _row(turn: int, number: int, sample: Sample) -> tuple[int, ...]:
    """In the order of the columns."""
    return (
        turn,
        number,
        round(sample.at_s * 1000),
        round(sample.step_s * 1000),
        round(sample.cpu_cores * 1e6),
        sample.rss_bytes // 1024,
        sample.descriptors,
        sample.threads,
        sample.processes,
        sample.restarts,
    )


def _sample(row: sqlite3.Row) -> Sample:
    return Sample(
        at_s=row["at_ms"] / 1000,
        step_s=row["step_ms"] / 1000,
        cpu_cores=row["cpu_millionths"] / 1e6,
        rss_bytes=row["rss_kib"] * 1024,
        descriptors=row["descriptors"],
        threads=row["threads"],
        processes=row["processes"],
        restarts=row["restarts"],
    )
