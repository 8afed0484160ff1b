"""Consistent copies of SQLite databases that others are writing: a program, run while the daemon goes on.

Owns: how a database is copied so that it is of one moment, without a trace in the source. Run by path, with the
standard library alone; must not import anything of hermesd.

    python -I -S snapshot_program.py < PAIRS

PAIRS are source and target in turn, each ended by a NUL. For each pair there is a line on stdout: `whole`;
`bytes`, a tab and why, if what is there is no database that SQLite can read; `moving`, if it was written all the
while; or `errno`, a tab, its number and whether the `source` or the `target` refused.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

PATIENCE_S = 30.0
"""How long others may keep a database to themselves."""

POLL_S = 0.0005
STEP_PAGES = 4096
CHUNK_BYTES = 8 * 1024 * 1024
TRIES = 5
WAL_HEADER = b"\x02\x02"
SIDECARS = ("-wal", "-journal")


class _SourceError(Exception):
    """The source cannot be read."""


def copy(source: Path, target: Path) -> str:
    """Copies one database; returns the line that tells of it."""
    try:
        found = _copied(source, target)
        status = source.stat()
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    except _SourceError as error:
        return f"errno\t{_number(error.__cause__)}\tsource"
    except OSError as error:
        return f"errno\t{error.errno}\ttarget"
    return found


def _copied(source: Path, target: Path) -> str:
    for _ in range(TRIES):
        if _is_with_writers(source):
            try:
                _copy_in_use(source, target)
            except sqlite3.Error:  # damaged, cut off in the middle of a write, or on a full disk
                _remove(target)
            else:
                return "whole"
        found = _copy_at_rest(source, target)
        if found:
            return found
    _copy_bytes(source, target)
    return "moving"


def _number(error: BaseException | None) -> int:
    return error.errno or 0 if isinstance(error, OSError) else 0


def _is_with_writers(source: Path) -> bool:
    """Whether somebody may have it open, who then must be asked through SQLite.

    A database with a log of writes has an index of it while anybody has it open; SQLite would leave one behind.
    """
    try:
        with source.open("rb") as file:
            header = file.read(20)
    except OSError as error:
        raise _SourceError from error
    return header[18:20] != WAL_HEADER or Path(f"{source}-shm").exists()


def _copy_in_use(source: Path, target: Path) -> None:
    """Through SQLite, in one transaction, which no writer ends and which ends none."""
    with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=0)) as old:
        old.isolation_level = None
        old.execute("BEGIN")
        _begin_reading(old)
        _remove(target)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(target)) as new:
            new.execute("PRAGMA synchronous=OFF")
            old.backup(new, pages=STEP_PAGES, progress=_go_on)


def _begin_reading(database: sqlite3.Connection) -> None:
    """Waits for the moment between two writes, asking often: SQLite itself waits ever longer, and misses it."""
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_s:
                raise
            time.sleep(POLL_S)
            _go_on()
        else:
            return


def _copy_at_rest(source: Path, target: Path) -> str:
    """As bytes, with what an interrupted writer left, which SQLite then brings to an end in the copy alone.

    Returns the line that tells of it; nothing if somebody has come to write meanwhile.
    """
    before = _looks(source)
    _copy_bytes(source, target)
    if _looks(source) != before:
        return ""
    try:
        with closing(sqlite3.connect(target, timeout=0)) as new:
            new.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        _copy_bytes(source, target)
        return f"bytes\t{error}"
    return "whole"


def _copy_bytes(source: Path, target: Path) -> None:
    _remove(target)
    for ending in ("", *SIDECARS):
        old, new = Path(f"{source}{ending}"), Path(f"{target}{ending}")
        if not ending or old.exists():
            _copy_file(old, new)


def _copy_file(source: Path, target: Path) -> None:
    new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for chunk in _chunks(source):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(new, rest) :]
    finally:
        os.close(new)


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
                _go_on()
    except OSError as error:
        raise _SourceError from error


def _looks(source: Path) -> list[tuple[int, int, int]]:
    """What tells whether anything was written."""
    found = []
    for ending in ("", *SIDECARS, "-shm"):
        try:
            status = Path(f"{source}{ending}").stat()
        except FileNotFoundError:
            found.append((0, 0, 0))
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def _remove(target: Path) -> None:
    for ending in ("", *SIDECARS, "-shm"):
        Path(f"{target}{ending}").unlink(missing_ok=True)


PARENT = os.getppid()


def _go_on(*_: int) -> None:
    """Ends the program with the daemon: what it would go on making is nobody's."""
    if os.getppid() != PARENT:
        sys.exit(1)


def main() -> None:
    """Copies every pair that is asked for."""
    os.umask(0o077)
    words = sys.stdin.buffer.read().split(b"\0")[:-1]
    for source, target in zip(words[::2], words[1::2], strict=True):
        _go_on()
        said = copy(Path(os.fsdecode(source)), Path(os.fsdecode(target)))
        sys.stdout.write(said.replace("\n", " ") + "\n")


if __name__ == "__main__":
    main()
