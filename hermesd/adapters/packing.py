"""Writing a private tree as the archive that hermes-agent makes and takes: gzip tar, one directory at its top.

Owns: the order and form of members, and what becomes of links: hermes-agent takes none, so a link within the tree
is packed as what it leads to. The tree must not change meanwhile. Must not know what is in it, or who asked.
"""

import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isal import isal_zlib

from hermesd.adapters.agents.clones import printable
from hermesd.adapters.treecopy import PRIVATE_DIRECTORY, PRIVATE_FILE, PRIVATE_PROGRAM
from hermesd.domain.errors import ArchiveUnsafe
from hermesd.domain.inventory import (
    MOST_DEPTH,
    MOST_MEMBERS,
    MOST_PATH_BYTES,
    Names,
    same_elsewhere,
    why_unportable,
)

LEVEL = 3
"""The best of isa-l's four: of zlib's ninth it lacks three points of size, and is twenty times as fast."""

CHUNK_BYTES = 1 << 20
_GZIP = isal_zlib.MAX_WBITS | 16


@dataclass(frozen=True)
class Item:
    """A file or directory to be packed."""

    names: Names
    path: Path
    """Where its bytes are."""
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is one."""
        return stat.S_ISDIR(self.status.st_mode)


class Walk:
    """What of a tree can be packed, in the order of its names, and what cannot."""

    def __init__(self, top: Path) -> None:
        self.left_out: list[tuple[Names, str]] = []
        """What cannot, and why."""
        self._top = top
        self._spelled: dict[str, Names] = {}
        self._count = 0

    def items(self) -> Iterator[Item]:
        """Everything below the top; the top itself is not among it.

        Raises:
            ArchiveUnsafe: there are more entries than any import takes.
            OSError: the tree cannot be read.
        """
        yield from self._below(self._top, (), (os.path.realpath(self._top),))

    def _below(self, directory: Path, names: Names, above: tuple[str, ...]) -> Iterator[Item]:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            own = (*names, entry.name)
            status = self._status(entry, own)
            if status is None:
                continue
            self._count += 1
            if self._count > MOST_MEMBERS:
                raise ArchiveUnsafe(f"it has more than {MOST_MEMBERS} files, and no import takes that many")
            item = Item(own, Path(entry.path), status)
            if not item.is_directory:
                yield item
                continue
            real = os.path.realpath(entry.path)
            if real in above:
                self.left_out.append((own, "it is a link to a directory that it lies in"))
                continue
            yield item
            yield from self._below(item.path, own, (*above, real))

    def _status(self, entry: "os.DirEntry[str]", names: Names) -> os.stat_result | None:
        """What it is, links followed; `None` if it is left out."""
        first = self._spelled.setdefault(same_elsewhere(names), names)
        why = why_unportable(entry.name)
        if first != names:
            why = f"on some systems it is the same file as {printable('/'.join(first))}"
        elif len(names) >= MOST_DEPTH or len(os.fsencode("/".join(names))) > MOST_PATH_BYTES // 2:
            why = "its path is too long"
        status = None
        try:
            status = entry.stat()
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                why = why or "it is no file"
        except FileNotFoundError:
            why = "it is a link to nothing that travels"
        except OSError:
            why = "it is a link that leads in a circle"
        if why:
            self.left_out.append((names, why))
            return None
        return status


class _Sink:
    """Where the tar goes: into the compressor, and out of it in chunks."""

    def __init__(self) -> None:
        self._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._ready = bytearray()
        self._position = 0

    def write(self, data: bytes) -> int:
        """Takes bytes in."""
        self._ready += self._compressor.compress(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """How many it has taken, by which a tar knows where its members are."""
        return self._position

    def taken(self, *, is_last: bool = False) -> Iterator[bytes]:
        """What has come out, in pieces that are worth sending."""
        if is_last:
            self._ready += self._compressor.flush()
        while len(self._ready) >= CHUNK_BYTES or (is_last and self._ready):
            yield bytes(self._ready[:CHUNK_BYTES])
            del self._ready[:CHUNK_BYTES]


def packed(root: str, items: Iterable[Item]) -> Iterator[bytes]:
    """The archive, in pieces of `CHUNK_BYTES`; `root` is the directory that everything is in.

    Whose the files are does not travel, nor who may read them: they are private again wherever they arrive.

    Raises:
        OSError: a file cannot be read.
    """
    sink = _Sink()
    archive = tarfile.TarFile(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT)  # type: ignore[arg-type]
    top = tarfile.TarInfo(root)
    top.type, top.mode = tarfile.DIRTYPE, PRIVATE_DIRECTORY
    archive.addfile(top)
    for item in items:
        info = _header(root, item)
        archive.addfile(info)
        archive.members.clear()  # type: ignore[attr-defined]
        if not item.is_directory:
            yield from _body(info, item, sink)
    archive.close()
    yield from sink.taken(is_last=True)


def _header(root: str, item: Item) -> tarfile.TarInfo:
    info = tarfile.TarInfo("/".join((root, *item.names)))
    info.mtime = int(item.status.st_mtime)
    if item.is_directory:
        info.type, info.mode = tarfile.DIRTYPE, PRIVATE_DIRECTORY
    else:
        info.mode = PRIVATE_PROGRAM if item.status.st_mode & stat.S_IXUSR else PRIVATE_FILE
        info.size = item.status.st_size
    return info


def _body(info: tarfile.TarInfo, item: Item, sink: _Sink) -> Iterator[bytes]:
    """The bytes of a file, as many as its header says, and what fills up its last block."""
    left = info.size
    with item.path.open("rb", buffering=0) as file:
        while left:
            data = file.read(min(CHUNK_BYTES, left))
            if not data:
                raise OSError(f"{item.path} became shorter while it was read")
            sink.write(data)
            left -= len(data)
            yield from sink.taken()
    padding = -info.size % tarfile.BLOCKSIZE
    sink.write(tarfile.NUL * padding)
