"""The daemon's durable memory: one SQLite file, used by one thread.

Owns: transactions, bounds of the history and what a database error means. Must not know why something is
remembered. Only one process may have the file open; the daemon's own lock sees to that before this is reached.
"""

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from hermesd.adapters import store_rows as rows
from hermesd.adapters.oserrors import translating
from hermesd.adapters.store_errors import state_corrupt, translating_database
from hermesd.adapters.store_schema import upgrade
from hermesd.domain.operation import Happening, Operation
from hermesd.domain.ports import EVENTS_KEPT, OPERATIONS_KEPT
from hermesd.domain.record import Binding, GatewayRecord
from hermesd.domain.runtime import Runtime

BUSY_WAIT_S = 0.5
CURRENT_RUNTIME = "runtime"

EVENTS_QUERY = """
    SELECT * FROM (
        SELECT * FROM events
        WHERE token > :after AND (:before IS NULL OR token < :before) AND :profile IN ('', profile)
            AND (:since_s IS NULL OR at_s >= :since_s) AND (:until_s IS NULL OR at_s < :until_s)
            AND (:kinds = '[]' OR kind IN (SELECT value FROM json_each(:kinds))
                OR substr(kind, 1, instr(kind, '.') - 1) IN (SELECT value FROM json_each(:kinds)))
        ORDER BY token DESC LIMIT :limit
    ) ORDER BY token
"""

Result = TypeVar("Result")
Statement = tuple[str, rows.Row]


@dataclass(eq=False)
class Write:
    """Statements that are done wholly or not at all."""

    statements: Sequence[Statement]
    number: int = 0
    """Of the row that the first statement inserted."""
    is_wanted: bool = True
    is_waiting: bool = True
    is_done: bool = False


class SqliteStore:
    """The store (port `Store`) in a file. A cancelled call is done wholly or not at all.

    Making a transaction durable costs more than all that is in it, and hundreds of gateways may start at once. So
    whatever came to be written while the disk was busy goes into one transaction.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._connection = connection
        self._thread = thread
        self._waiting: deque[Write] = deque()
        """Filled by callers, emptied by the thread, both at its two ends."""

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Opens the file, making or upgrading it.

        Raises:
            StateTooNew: a newer hermesd wrote it.
            StateCorrupt: it is damaged, or no database.
            DiskFull, NotPermitted: it cannot be written.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(path, connection, thread)

    async def close(self) -> None:
        """Folds the write-ahead log into the file and lets go of it."""
        await self._run(self._connection.close)
        self._thread.shutdown()

    async def bindings(self) -> list[Binding]:
        """Every binding."""
        return await self._read(rows.binding, "SELECT * FROM profiles ORDER BY id", {})

    async def bind(self, binding: Binding) -> None:
        """Writes a binding, replacing the one of the same id; any other of that name loses it."""
        row = rows.binding_row(binding)
        await self._write(
            ("UPDATE profiles SET name = '' WHERE name = :name AND id <> :id", row),
            _upsert("profiles", "id", row),
        )

    async def forget_profile(self, profile_id: str) -> None:
        """Drops the binding and the gateway's record."""
        await self._write(
            ("DELETE FROM profiles WHERE id = :id", {"id": profile_id}),
            ("DELETE FROM gateways WHERE profile_id = :id", {"id": profile_id}),
        )

    async def gateways(self) -> list[GatewayRecord]:
        """Every record."""
        return await self._read(rows.gateway_record, "SELECT * FROM gateways ORDER BY profile_id", {})

    async def save_gateway(self, record: GatewayRecord) -> None:
        """Writes a record, replacing the one of the same profile."""
        await self._write(_upsert("gateways", "profile_id", rows.gateway_row(record)))

    async def token_starts(self) -> dict[str, tuple[float, ...]]:
        """When gateways were started with each bot."""
        return dict(await self._read(rows.token_starts, "SELECT * FROM token_starts", {}))

    async def save_token_starts(self, starts_s: Mapping[str, Sequence[float]]) -> None:
        """Writes these, replacing what there was for each key; a key without any goes."""
        statements: list[Statement] = [
            _upsert("token_starts", "key", rows.token_starts_row(key, some))
            if some
            else ("DELETE FROM token_starts WHERE key = :key", {"key": key})
            for key, some in starts_s.items()
        ]
        await self._write(*statements)

    async def operations(self, *, profile: str, limit: int) -> list[Operation]:
        """Newest first, by when they were first written; a clock that jumps changes nothing."""
        query = "SELECT * FROM operations WHERE :profile IN ('', profile) ORDER BY number DESC LIMIT :limit"
        return await self._read(rows.operation, query, {"profile": profile, "limit": limit})

    async def save_operation(self, operation: Operation) -> None:
        """Writes an operation, replacing the one of the same id; the oldest beyond the bound go."""
        await self._write(
            _upsert("operations", "id", rows.operation_row(operation)),
            _prune("operations", "number", OPERATIONS_KEPT),
        )

    async def append_event(
        self, *, kind: str, profile: str, message: str, facts: Mapping[str, str], at_s: float
    ) -> Happening:
        """Adds an event under the next token; a token is never used again, even after its event has gone."""
        row = {"kind": kind, "profile": profile, "message": message, "at_s": at_s}
        row["facts"] = rows.render_json(dict(facts))
        token = await self._write(_insert("events", row), _prune("events", "token", EVENTS_KEPT))
        return Happening(token, kind, profile, message, dict(facts), at_s)

    async def events(
        self,
        *,
        after: int,
        profile: str,
        limit: int,
        kinds: Collection[str] = (),
        since_s: float | None = None,
        until_s: float | None = None,
        before: int | None = None,
    ) -> list[Happening]:
        """The newest `limit` events with a token above `after` and below `before`, oldest first.

        What has no index is compared row by row: the history is bounded, and this takes a few milliseconds.
        """
        values: rows.Row = {"after": after, "profile": profile, "limit": limit, "since_s": since_s}
        values |= {"until_s": until_s, "before": before, "kinds": rows.render_json(sorted(kinds))}
        return await self._read(rows.happening, EVENTS_QUERY, values)

    async def event_tokens(self) -> range:
        """The tokens of the events that are kept."""
        query = "SELECT ifnull(min(token), 1) AS oldest, ifnull(max(token), 0) AS newest FROM events"
        (kept,) = await self._read(lambda row: range(row["oldest"], row["newest"] + 1), query, {})
        return kept

    async def registered_runtimes(self) -> list[Runtime]:
        """Runtimes that were found rather than installed, by name."""
        return await self._read(rows.runtime, "SELECT * FROM runtimes ORDER BY name", {})

    async def register_runtime(self, runtime: Runtime) -> None:
        """Writes a registration, replacing the one of the same name."""
        await self._write(_upsert("runtimes", "name", rows.runtime_row(runtime)))

    async def current_runtime(self) -> str:
        """Name of the runtime in use; empty if none was chosen."""
        query = "SELECT value FROM choices WHERE name = :name"
        chosen = await self._read(lambda row: str(row["value"]), query, {"name": CURRENT_RUNTIME})
        return chosen[0] if chosen else ""

    async def use_runtime(self, name: str) -> None:
        """Chooses the runtime in use."""
        await self._write(_upsert("choices", "name", {"name": CURRENT_RUNTIME, "value": name}))

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._translated, work)

    def _translated(self, work: Callable[[], Result]) -> Result:
        with translating_database(self._path):
            return work()

    async def _read(self, parse: Callable[[sqlite3.Row], Result], query: str, values: rows.Row) -> list[Result]:
        return await self._run(partial(self._parsed, parse, query, values))

    def _parsed(self, parse: Callable[[sqlite3.Row], Result], query: str, values: rows.Row) -> list[Result]:
        try:
            return [parse(row) for row in self._connection.execute(query, values)]
        except (ValueError, LookupError, TypeError) as error:
            raise state_corrupt(self._path, "it holds what hermesd never wrote") from error

    async def _write(self, *statements: Statement) -> int:
        """Runs statements in one transaction; returns the number of the row that the first one inserted."""
        write = Write(statements)
        self._waiting.append(write)
        try:
            await self._run(partial(self._settle, write))
        finally:
            write.is_wanted = False
        return write.number

    def _settle(self, write: Write) -> None:
        """Makes a write durable, and with it all that wait, unless one that came earlier took it along.

        If they fail together, each is done alone when its turn comes, so that none fails for another.
        """
        if write.is_waiting and len(together := self._take_waiting()) > 1:
            with suppress(sqlite3.Error):
                self._execute(together)
        if not write.is_done:
            self._execute([write])

    def _take_waiting(self) -> list[Write]:
        writes = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for write in writes:
            write.is_waiting = False
        return [write for write in writes if write.is_wanted]

    def _execute(self, writes: Sequence[Write]) -> None:
        with self._transaction():
            for write in writes:
                inserted = [self._connection.execute(*statement).lastrowid for statement in write.statements]
                write.number = inserted[0] or 0
        for write in writes:
            write.is_done = True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    with translating(path, "use"), translating_database(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        connection = sqlite3.connect(path, timeout=BUSY_WAIT_S, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Locks, checks and upgrades. The lock comes first: with it, the log needs no memory shared with others."""
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise state_corrupt(path, "it is damaged")
    upgrade(connection, path)


def _insert(table: str, row: rows.Row) -> Statement:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    return f"INSERT INTO {table} ({names}) VALUES ({values})", row


def _upsert(table: str, key: str, row: rows.Row) -> Statement:
    statement, _ = _insert(table, row)
    updates = ", ".join(f"{name} = excluded.{name}" for name in row if name != key)
    return f"{statement} ON CONFLICT ({key}) DO UPDATE SET {updates}", row


def _prune(table: str, number: str, kept: int) -> Statement:
    oldest = f"SELECT {number} FROM {table} ORDER BY {number} DESC LIMIT 1 OFFSET :kept"
    return f"DELETE FROM {table} WHERE {number} <= ({oldest})", {"kept": kept}
