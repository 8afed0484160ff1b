"""The database's schema, as the ordered steps that lead to it.

Owns: what each version added. A released step is never edited: a database of any version is brought up to date
by the steps it lacks. Must not know what rows mean.
"""

import sqlite3
import textwrap
from pathlib import Path

from hermesd.domain.errors import StateTooNew

Step = tuple[str, ...]

FIRST: Step = (
    """
    CREATE TABLE profiles (
        id TEXT PRIMARY KEY,
        device TEXT NOT NULL,  -- text, for the kernel's numbers use all 64 bits and SQLite's 63
        inode TEXT NOT NULL,
        birth_ns INTEGER NOT NULL,
        UNIQUE (device, inode, birth_ns)
    ) STRICT
    """,
    """
    CREATE TABLE gateways (
        profile_id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        wanted_up INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        is_stable INTEGER NOT NULL,
        is_port_taken INTEGER NOT NULL,
        parked_for TEXT,
        spawn_id TEXT NOT NULL,
        process TEXT,        -- JSON: boot_id, pid, start_ticks, spawn_id
        since_s REAL,
        restarts INTEGER NOT NULL,
        next_start_at_s REAL,
        last_exit TEXT,      -- JSON: cause, code, signal, detail, at_s
        detail TEXT NOT NULL,
        starts TEXT NOT NULL,  -- JSON: list of seconds since the epoch
        is_enabled INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE operations (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        profile TEXT NOT NULL,
        parameters TEXT NOT NULL,
        requester TEXT NOT NULL,
        started_at_s REAL NOT NULL,
        state TEXT NOT NULL,
        progress TEXT NOT NULL,   -- JSON: phase, detail, done, total
        warnings TEXT NOT NULL,   -- JSON: list of sentences
        error TEXT,               -- JSON: reason, message, metadata
        finished_at_s REAL,
        elapsed_s REAL NOT NULL
    ) STRICT
    """,
    "CREATE INDEX operations_of_profile ON operations (profile, number)",
    """
    CREATE TABLE events (
        token INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        profile TEXT NOT NULL,
        message TEXT NOT NULL,
        facts TEXT NOT NULL,      -- JSON: map of text to text
        at_s REAL NOT NULL
    ) STRICT
    """,
    "CREATE INDEX events_of_profile ON events (profile, token)",
    """
    CREATE TABLE runtimes (
        name TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        version TEXT NOT NULL,
        executable TEXT NOT NULL,
        is_managed INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE choices (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT
    """,
)

SECOND: Step = (
    "ALTER TABLE profiles ADD COLUMN name TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE gateways ADD COLUMN home TEXT",
)
"""`home` is JSON: name, path, device, inode, birth_ns."""

THIRD: Step = ("ALTER TABLE operations ADD COLUMN results TEXT NOT NULL DEFAULT '[]'",)
"""`results` is JSON: a list of profile, summary, error."""

FOURTH: Step = (
    "ALTER TABLE gateways ADD COLUMN relapses INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE gateways ADD COLUMN start_order INTEGER NOT NULL DEFAULT 0",
)

FIFTH: Step = (
    "ALTER TABLE gateways ADD COLUMN wished_at_s REAL",
    "ALTER TABLE gateways ADD COLUMN claims TEXT NOT NULL DEFAULT '[]'",
    """
    CREATE TABLE token_starts (
        key TEXT PRIMARY KEY,
        starts TEXT NOT NULL  -- JSON: list of seconds since the epoch
    ) STRICT
    """,
)
"""`claims` is JSON: a list of kind, platform, source, digest, port, agents_lock."""

STEPS: tuple[Step, ...] = (FIRST, SECOND, THIRD, FOURTH, FIFTH)
"""Step N leads from version N to version N + 1; an empty file has version 0."""


def upgrade(connection: sqlite3.Connection, path: Path, steps: tuple[Step, ...] = STEPS) -> None:
    """Applies the steps a database lacks, each in one transaction with its version number.

    The connection must be in autocommit mode.

    Raises:
        StateTooNew: a newer hermesd wrote it; nothing is changed.
        sqlite3.Error: a step failed; the database is as the step before left it.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(steps):
        raise StateTooNew(
            f"cannot use {path}: a newer hermesd wrote it (schema {version}, this one knows {len(steps)})",
            hint="install the newer hermesd again",
            path=str(path),
        )
    for number in range(version, len(steps)):
        _apply(connection, steps[number], number + 1)


def _apply(connection: sqlite3.Connection, step: Step, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in step:
            connection.execute(textwrap.dedent(statement).strip())
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
