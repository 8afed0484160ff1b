"""Databases of hermes-agent that know a profile by its name or path: a program, run while the daemon goes on.

Owns: which tables and columns those are (hermes-agent 0.19.0; what an older one lacks is left out). Each database
is changed in one transaction. Run by path, with the standard library alone; must not import anything of hermesd.

    python -I -S hermes_rekey.py STATE BEFORE AFTER BEFORE_PATH AFTER_PATH [ROOT]

STATE is the profile's own database; with ROOT, the boards that all profiles share are changed too. Each database
that could not be changed is a line on stdout: its path, a tab, and why.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

PATIENCE_S = 5.0
"""How long a database may be in use by others."""

KANBAN = (
    ("tasks", "assignee"),
    ("tasks", "created_by"),
    ("task_runs", "profile"),
    ("kanban_notify_subs", "notifier_profile"),
)
"""Where boards name profiles."""


def rekey_state(database: sqlite3.Connection, before: str, after: str, before_path: str, after_path: str) -> None:
    """Sessions belong to a profile's name; where conversations lead is filed under the path of its sessions."""
    _rename(database, "sessions", "profile_name", before, after)
    old, new = f"agent:{before}:", f"agent:{after}:"
    if _has(database, "sessions", "session_key"):
        database.execute(
            "UPDATE sessions SET session_key = ? || substr(session_key, ?) WHERE substr(session_key, 1, ?) = ?",
            (new, len(old) + 1, len(old), old),
        )
    if _has(database, "gateway_routing", "scope"):
        _rekey_routing(database, f"{before_path}/sessions", f"{after_path}/sessions")
        database.execute(
            "UPDATE OR REPLACE gateway_routing SET session_key = ? || substr(session_key, ?),"
            " entry_json = replace(entry_json, ?, ?) WHERE substr(session_key, 1, ?) = ?",
            (new, len(old) + 1, f'"{old}', f'"{new}', len(old), old),
        )


def rekey_board(database: sqlite3.Connection, before: str, after: str) -> None:
    """Tasks name who is to do them."""
    for table, column in KANBAN:
        _rename(database, table, column, before, after)


def _rekey_routing(database: sqlite3.Connection, before: str, after: str) -> None:
    """What is filed under the new path already is of an earlier time and must not win."""
    found = database.execute("SELECT 1 FROM gateway_routing WHERE scope = ? LIMIT 1", (before,)).fetchone()
    if found is not None:
        database.execute("DELETE FROM gateway_routing WHERE scope = ?", (after,))
        database.execute("UPDATE gateway_routing SET scope = ? WHERE scope = ?", (after, before))


def _rename(database: sqlite3.Connection, table: str, column: str, before: str, after: str) -> None:
    if _has(database, table, column):
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (after, before))


def _has(database: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row[1] == column for row in database.execute(f"PRAGMA table_info({table})"))


def _changed(path: Path, change: Callable[[sqlite3.Connection], None]) -> str:
    """Changes a database in one transaction; returns why it could not be, else nothing."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=PATIENCE_S)) as database:
            database.isolation_level = None
            database.execute("BEGIN IMMEDIATE")
            change(database)
            database.execute("COMMIT")
    except sqlite3.Error as error:
        return str(error)
    return ""


def _boards(root: Path) -> Iterator[Path]:
    yield root / "kanban.db"
    yield from sorted((root / "kanban" / "boards").glob("*/kanban.db"))


def main(state_path: str, before: str, after: str, before_path: str, after_path: str, root: str = "") -> None:
    """Changes every database there is."""
    state = Path(state_path)
    works: list[tuple[Path, Callable[[sqlite3.Connection], None]]] = [
        (state, lambda database: rekey_state(database, before, after, before_path, after_path)),
        *(
            (board, lambda database: rekey_board(database, before, after))
            for board in (_boards(Path(root)) if root else ())
        ),
    ]
    for path, change in works:
        if path.is_file() and (why := _changed(path, change)):
            sys.stdout.write(f"{path}\t{why}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
