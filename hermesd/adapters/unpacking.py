"""Reading an archive that somebody made: judged whole before a byte of it is written.

Owns: gzip and tar, how much of either is read, and that nothing is written through a link. What a member may be
is judged by `domain/inventory.py`. Must not know what the files are for.
"""

import os
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hermesd.adapters.gunzip import DAMAGED, gunzip
from hermesd.adapters.syscalls import sync_file_system
from hermesd.adapters.treecopy import PRIVATE_DIRECTORY, PRIVATE_FILE, PRIVATE_PROGRAM, closing, descend, opened
from hermesd.domain.errors import ArchiveCorrupt, ArchiveUnsafe, Cancelled
from hermesd.domain.inventory import MOST_MEMBERS, Content, Inventory, Kind, Member, Names

CHUNK_BYTES = 1 << 20
_HEADER_BYTES = 1 << 16
"""What a header with a long path may take; one that says it takes more is a trap for memory."""

_HEADERS_BYTES = 4 * tarfile.BLOCKSIZE * MOST_MEMBERS
"""What the headers of as many members as there may be take, beside their bytes."""

_DAMAGED = (
    tarfile.TarError,
    ValueError,
    OverflowError,
    RecursionError,
    *DAMAGED,
)
_KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.CONTTYPE: Kind.FILE,
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.LINK,
    tarfile.LNKTYPE: Kind.HARD_LINK,
}
_MAGIC = b"\x1f\x8b"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Plain:
    """What the archive is unpacked to, read forwards only and only as much as is allowed."""

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file = gunzip(file)
        self._position = 0
        self._most_bytes = most_bytes
        self.last = b""
        """What was read last for a header."""

    def read(self, size: int) -> bytes:
        """For headers, which are small."""
        if not 0 <= size <= _HEADER_BYTES:
            raise ArchiveUnsafe("the header of a member is larger than any is")
        self.last = self.take(size)
        return self.last

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        parts, left = [], size
        while left:
            part = self._file.read(min(left, CHUNK_BYTES))
            if not part:
                break
            parts.append(part)
            left -= len(part)
            self._position += len(part)
            if self._position > self._most_bytes:
                raise ArchiveUnsafe(f"it unpacks to more than {self._most_bytes} bytes")
        return b"".join(parts)

    def tell(self) -> int:
        """How far it was read."""
        return self._position

    def seek(self, position: int) -> int:
        """Forwards alone."""
        if position < self._position:
            raise ArchiveUnsafe("a member says that it begins before the last one ends")
        while self._position < position:
            if not self.take(min(CHUNK_BYTES, position - self._position)):
                raise EOFError
        return position


def inventory(file: IO[bytes], packed_bytes: int, most_bytes: int) -> Inventory:
    """Judges all of an archive. Nothing is written.

    Raises:
        ArchiveUnsafe: there is something in it that is not to be written anywhere.
        ArchiveCorrupt: it is damaged, cut off, or no gzip tar.
    """
    found = Inventory(most_bytes)
    for info, _ in _members(file, packed_bytes, most_bytes):
        found.add(_member(info))
    return found


def unpack(
    file: IO[bytes],
    packed_bytes: int,
    most_bytes: int,
    target: Path,
    contents: Sequence[Content],
    is_cancelled: Callable[[], bool],
) -> None:
    """Makes what was judged, in an empty private directory; all of it is durable when this returns.

    Directories are 0700, files 0600 or 0700, and nothing is read from the archive but names, bytes and times.

    Raises:
        ArchiveUnsafe, ArchiveCorrupt: it is another archive than the one that was judged.
        Cancelled: it was asked to stop.
        OSError: the target refuses something.
    """
    wanted = {one.names: one for one in contents}
    with opened(target) as top:
        making = _Making(top)
        for one in contents:
            if one.kind is Kind.DIRECTORY:
                making.directory(one.names)
        for info, plain in _members(file, packed_bytes, most_bytes):
            if is_cancelled():
                raise Cancelled("the import was cancelled")
            content = wanted.get(tuple(info.name.removeprefix("./").rstrip("/").split("/"))[1:])
            if content is not None and content.kind is Kind.FILE:
                making.file(content, info, plain)
        making.others([one for one in contents if one.kind in {Kind.HARD_LINK, Kind.LINK}])
        sync_file_system(top)


def _members(file: IO[bytes], packed_bytes: int, most_bytes: int) -> Iterator[tuple[tarfile.TarInfo, _Plain]]:
    """Every member in order, then what is behind them: padding, and no more."""
    file.seek(0)
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ArchiveCorrupt("it is no .tar.gz archive" if packed_bytes else "it is empty")
    file.seek(0)
    room = most_bytes + _HEADERS_BYTES
    plain = _Plain(file, room)
    with _translating():
        with tarfile.open(fileobj=plain, mode="r:", errorlevel=2) as archive:  # type: ignore[call-overload]
            for info in archive:
                yield info, plain
                archive.members.clear()
        if plain.last.strip(b"\0") or len(plain.last) != tarfile.BLOCKSIZE:
            raise ArchiveCorrupt("it is damaged or cut off: its list of members does not end")
        while rest := plain.take(CHUNK_BYTES):
            if rest.strip(b"\0"):
                raise ArchiveUnsafe("something is hidden behind its last member")


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ArchiveCorrupt(f"it is damaged or cut off: {str(error) or 'it ends too early'}") from error


def _member(info: tarfile.TarInfo) -> Member:
    kind = _KINDS.get(info.type, Kind.OTHER)
    if info.issparse() or any(name.startswith("GNU.sparse") for name in info.pax_headers):
        kind = Kind.OTHER
    size = info.size if kind is Kind.FILE else min(info.size, 0)
    return Member(info.name, kind, size, info.mode, info.linkname)


class _Making:
    """Makes entries below an open directory, name by name, so that no link is ever followed."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._now_s = time.time()

    def directory(self, names: Names) -> None:
        """One that is not there yet; what it lies in was made before it, or is now."""
        for depth in range(1, len(names) + 1):
            above = descend(self._top, names[: depth - 1])
            with closing(above):
                try:
                    os.mkdir(names[depth - 1], PRIVATE_DIRECTORY, dir_fd=above)
                except FileExistsError:
                    continue

    def file(self, content: Content, info: tarfile.TarInfo, plain: _Plain) -> None:
        """One with the bytes that come next in the archive."""
        plain.seek(info.offset_data)
        descriptor = self._new(content)
        with open(descriptor, "wb", buffering=0) as made:  # noqa: PTH123 - a descriptor
            left = content.size_bytes
            while left:
                data = plain.take(min(CHUNK_BYTES, left))
                if not data:
                    raise EOFError
                _write(made, data)
                left -= len(data)
            modified_s = min(max(info.mtime, 0), self._now_s)
            os.utime(made.fileno(), (modified_s, modified_s))

    def others(self, contents: Sequence[Content]) -> None:
        """Copies of files that are there, then links to what is there."""
        for one in contents:
            if one.kind is Kind.HARD_LINK:
                self._copy(one)
        for one in contents:
            if one.kind is Kind.LINK:
                above = descend(self._top, one.names[:-1])
                with closing(above):
                    os.symlink(one.target, one.names[-1], dir_fd=above)

    def _copy(self, content: Content) -> None:
        first = tuple(content.target.split("/"))
        above = descend(self._top, first[:-1])
        with closing(above):
            source = os.open(first[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        with open(source, "rb") as read, open(self._new(content), "wb", buffering=0) as made:  # noqa: PTH123
            while data := read.read(CHUNK_BYTES):
                _write(made, data)

    def _new(self, content: Content) -> int:
        self.directory(content.names[:-1])
        above = descend(self._top, content.names[:-1])
        with closing(above):
            mode = PRIVATE_PROGRAM if content.is_program else PRIVATE_FILE
            return os.open(content.names[-1], _NEW, mode, dir_fd=above)


def _write(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
