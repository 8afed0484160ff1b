"""Database errors in the domain's terms.

Owns: which of SQLite's result codes people can mend. Must not know statements. The wording of an error is never
looked at.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hermesd.adapters.oserrors import disk_full, not_permitted
from hermesd.domain.errors import StateCorrupt

PRIMARY_CODE = 0xFF
"""Extended result codes carry the primary one in their lowest byte."""

REFUSED = {
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_AUTH: "permission denied",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_BUSY: "another program has it open",
    sqlite3.SQLITE_LOCKED: "another program has it open",
}
DAMAGED = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_ERROR,  # such as a table that is missing: our statements are tested, so it is the file
    }
)


@contextmanager
def translating_database(path: Path) -> Iterator[None]:
    """Turns database errors within the block into failures that name `path`; a defect of ours passes unchanged.

    Raises:
        DiskFull: nothing more fits.
        NotPermitted: access is refused, or another program has the file open.
        StateCorrupt: the file is damaged.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE
        if code == sqlite3.SQLITE_FULL:
            raise disk_full(path) from error
        if code in REFUSED:
            raise not_permitted(path, REFUSED[code], "use") from error
        if code in DAMAGED:
            raise state_corrupt(path, "it is damaged") from error
        raise


def state_corrupt(path: Path, why: str) -> StateCorrupt:
    """The failure to raise when the database cannot be believed."""
    hint = "profiles are not in it: with the file moved away, hermesd starts with them and without its history"
    return StateCorrupt(f"cannot use {path}: {why}", hint=hint, path=str(path))
