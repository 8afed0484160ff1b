"""Secrets in files that are to be handed out, and taking them out of there.

Owns: looking into databases and into archives within archives, as far as the limits say. Works on private copies
alone. Must not know which values are secret, or whose.
"""

import bz2
import lzma
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

from hermesd.adapters.gunzip import DAMAGED, gunzip
from hermesd.adapters.needles import Needles, Span, filling
from hermesd.adapters.treecopy import SQLITE
from hermesd.domain.archive import Secret

CHUNK_BYTES = 1 << 20
DEEPEST = 3
"""Archives within archives that are looked into."""

MOST_NESTED_BYTES = 256 * 1024 * 1024
"""What is unpacked of one file to look into it."""

_IN_MEMORY_BYTES = 8 * CHUNK_BYTES
_HEAD_BYTES = 512
_TAR_MAGIC = slice(257, 262)
_SEALED = {b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "rar", b"age-encryption.org/": "age"}
"""Archives that cannot be looked into."""

_UNREADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    *DAMAGED,
)
"""What the readers of archives raise for one that is damaged, or locked by a password."""


@dataclass
class Found:
    """What is in a file."""

    spans: list[Span] = field(default_factory=list)
    """Secrets in its bytes, which can be written over."""
    inside: list[tuple[Secret, str]] = field(default_factory=list)
    """Secrets in what it holds packed, or in rows of a database; with how they are written."""
    unsearched: str = ""
    """Why it could not all be looked at; empty if it could."""


class _TooMuchError(Exception):
    """More is in there than is looked at."""


class _Budget:
    """How much may still be unpacked."""

    def __init__(self) -> None:
        self.left_bytes = MOST_NESTED_BYTES

    def spend(self, data: bytes) -> bytes:
        """The same bytes, which were unpacked."""
        self.left_bytes -= len(data)
        if self.left_bytes < 0:
            raise _TooMuchError
        return data


def search(path: Path, needles: Needles, scratch: Path) -> Found:
    """Looks at a file, at the rows of a database, and into an archive; members may lie in `scratch` meanwhile.

    Raises:
        OSError: the file cannot be read.
    """
    found = Found()
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        found.spans = list(needles.find_in(_chunks(file)))
        if head.startswith(SQLITE):
            _search_rows(path, needles, found)
            return found
        file.seek(0)
        try:
            for span in _Nested(needles, scratch).look(file, head, DEEPEST):
                found.inside.append(needles.told(span))  # one by one: what was found before a failure counts
        except _TooMuchError:
            found.unsearched = f"only {MOST_NESTED_BYTES >> 20} MiB of what is packed in it were searched"
        except _SealedError as error:
            found.unsearched = f"it is {error}, which cannot be searched"
        except _UNREADABLE:
            found.unsearched = "it looks like an archive and cannot be unpacked"
    return found


def redact(path: Path, found: Found, needles: Needles) -> bool:
    """Takes secrets out of a private copy; whether that was possible.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("rb") as file:
        is_database = file.read(len(SQLITE)) == SQLITE
    if is_database:
        return _redact_rows(path, needles)
    with path.open("r+b") as file:
        for span in found.spans:
            file.seek(span.start)
            file.write(filling(span))
    return not found.inside


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


class _SealedError(Exception):
    """An archive of a kind that cannot be opened here."""


class _Nested:
    """Looks into archives, and into those in them."""

    def __init__(self, needles: Needles, scratch: Path) -> None:
        self._needles = needles
        self._scratch = scratch
        self._budget = _Budget()

    def look(self, file: IO[bytes], head: bytes, depth: int) -> Iterator[Span]:
        """Secrets in what a file holds packed; nothing for one that is no archive."""
        kind = next((kind for magic, kind in _SEALED.items() if head.startswith(magic)), "")
        if kind:
            raise _SealedError(kind)
        members = _opener(head)
        if members is None:
            return
        if not depth:
            raise _SealedError(f"an archive within {DEEPEST} others")
        for member in members(file):
            with closing(member):
                yield from self._look_at(member, depth - 1)

    def _look_at(self, member: IO[bytes], depth: int) -> Iterator[Span]:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(self._scratch)) as copy:
            for chunk in _chunks(member):
                copy.write(self._budget.spend(chunk))
            copy.seek(0)
            head = copy.read(_HEAD_BYTES)
            copy.seek(0)
            yield from self._needles.find_in(_chunks(copy))
            copy.seek(0)
            yield from self.look(copy, head, depth)


def _opener(head: bytes) -> Callable[[IO[bytes]], Iterator[IO[bytes]]] | None:
    """How to get at what an archive holds; `None` for what is none."""
    if head.startswith(b"\x1f\x8b"):
        return lambda file: iter([gunzip(file)])
    if head.startswith(b"BZh"):
        return lambda file: iter([bz2.BZ2File(file)])
    if head.startswith(b"\xfd7zXZ\0"):
        return lambda file: iter([lzma.LZMAFile(file)])
    if head.startswith(b"PK\x03\x04"):
        return _zipped
    return _tarred if head[_TAR_MAGIC] == b"ustar" else None


def _zipped(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield archive.open(info)


def _tarred(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isreg() else None
            if member is not None:
                yield member


def _search_rows(path: Path, needles: Needles, found: Found) -> None:
    """A long text lies in pieces in a database, and no search of its bytes would find what is cut in two."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as database:
            database.text_factory = bytes
            for table in _tables(database):
                for row in database.execute(f"SELECT * FROM {table}"):
                    for cell in row:
                        if isinstance(cell, bytes):
                            found.inside += map(needles.told, needles.find(cell))
    except sqlite3.Error:
        found.unsearched = "it is a damaged database: only its bytes were searched"


def _redact_rows(path: Path, needles: Needles) -> bool:
    """Through SQLite, which keeps its indexes true, and then leaves nothing of the old rows in the file."""

    def without(cell: bytes | str | None) -> bytes | str | None:
        if isinstance(cell, str):
            return needles.without(cell.encode(errors="surrogatepass")).decode(errors="replace")
        return needles.without(cell) if isinstance(cell, bytes) else cell

    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.create_function("without", 1, without, deterministic=True)
            database.execute("PRAGMA journal_mode=DELETE")
            for table in _tables(database):
                for column in _columns(database, table):
                    database.execute(
                        f"UPDATE {table} SET {column} = without({column}) WHERE {column} IS NOT without({column})"
                    )
            for index in _full_text_indexes(database):
                database.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
            database.execute("VACUUM")
    except sqlite3.Error:
        return False
    again = Found(spans=_spans(path, needles))
    _search_rows(path, needles, again)
    return not (again.spans or again.inside or again.unsearched)


def _spans(path: Path, needles: Needles) -> list[Span]:
    with path.open("rb") as file:
        return list(needles.find_in(_chunks(file)))


def _tables(database: sqlite3.Connection) -> list[str]:
    """Those with rows of their own, quoted."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND substr(name, 1, 7) <> 'sqlite_'"
    )
    return [_quoted(name) for (name,) in database.execute(query).fetchall()]


def _full_text_indexes(database: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage = 0 AND sql LIKE '%USING fts5%'"
    return [_quoted(name) for (name,) in database.execute(query).fetchall()]


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [_quoted(row[1]) for row in database.execute(f"PRAGMA table_info({table})").fetchall()]


def _quoted(name: str | bytes) -> str:
    text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
    return '"' + text.replace('"', '""') + '"'
