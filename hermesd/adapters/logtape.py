"""A log and its older files as one sequence of bytes that is only added to.

Owns: what files there are, which byte of which file is meant after they were renamed, and what may be opened. A
file is known by device, inode and birth time, so that it is the same one under any name: the inode alone is soon
another file's. Only plain files are read, and no link inside a home is followed. Must not know what the bytes say.
"""

import errno
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hermesd.adapters.syscalls import identify

MOST_FILES = 100
"""Older files of one log that are looked at."""


Key = tuple[int, ...]
"""What a file is known by, whatever it is called."""


@dataclass(frozen=True)
class Segment:
    """One file of a log."""

    key: Key
    size: int
    written_s: float
    """When it was last written, seconds since the epoch."""
    marks: Sequence[tuple[int, float]] = ()
    """Offsets, and when all before them had been written; both grow."""

    def known_by_s(self, offset: int) -> float:
        """When the byte at this offset had been written for certain."""
        index = bisect_right(self.marks, offset, key=lambda mark: mark[0])
        return self.marks[index][1] if index < len(self.marks) else self.written_s


class Segments(Protocol):
    """The files of one log."""

    problems: list[str]
    """Why something of it is not read, a sentence each, since somebody looked last."""

    def all(self) -> list[Segment]:
        """Every file that can be read, the oldest first."""

    def newest(self) -> tuple[Key, int] | None:
        """What the file is known by that is being written, and its size; `None` if there is none."""

    def read(self, key: Key, offset: int, size: int) -> bytes:
        """Bytes of a file; fewer, or none, where it ends or is gone."""

    def move(self, top: Path) -> None:
        """Looks for the same files in a home that is there by now."""


class RenamedFiles:
    """A log whose older files are called `NAME.1`, `NAME.2`, ..., and are renamed when they get older."""

    def __init__(self, top: Path, path: str) -> None:
        """`path` is relative to the directory `top`, below which no link is followed."""
        self.problems: list[str] = []
        self._top = top
        self._relative = path
        *self._directories, self._name = path.split("/")
        self._numbered = re.compile(re.escape(self._name) + r"\.(\d{1,4})")
        self._names: dict[Key, str] = {}
        """What files were called when they were last looked at."""

    def all(self) -> list[Segment]:
        """Every plain file, the oldest first."""
        try:
            with self._directory() as directory:
                names = self._existing(directory)
                found = [(name, _key(directory, name), _status(directory, name)) for name in names]
        except FileNotFoundError:  # not there yet, or renamed while we looked
            return []
        except OSError as error:
            self._tell(error)
            return []
        plain = [one for one in found if self._is_plain(one[0], one[2])]
        self._names = {key: name for name, key, _ in plain}
        return [Segment(key, status.st_size, status.st_mtime) for _, key, status in plain]

    def newest(self) -> tuple[Key, int] | None:
        """The file being written and its size."""
        try:
            with self._directory() as directory:
                return _key(directory, self._name), _status(directory, self._name).st_size
        except OSError:  # `all` says which
            return None

    def read(self, key: Key, offset: int, size: int) -> bytes:
        """Bytes of a file, under whatever name it has by now."""
        for name in self._candidates(key):
            try:
                with self._directory() as directory:
                    if _key(directory, name) != key:
                        continue
                    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                    file = os.open(name, flags, dir_fd=directory)
            except FileNotFoundError:  # renamed; the next look finds it
                continue
            except OSError as error:
                self._tell(error)
                return b""
            try:
                if os.fstat(file).st_ino == key[1]:  # else it was renamed just now
                    return os.pread(file, size, offset)
            finally:
                os.close(file)
        return b""

    def move(self, top: Path) -> None:
        """The files are known by what they are, so that no line is given twice or left out."""
        self._top = top

    @property
    def _path(self) -> Path:
        return self._top / self._relative

    def _candidates(self, key: Key) -> Iterator[str]:
        """Names under which a file may be found, the last known one first."""
        known = self._names.get(key)
        if known is not None:
            yield known
        self.all()
        if (now := self._names.get(key)) is not None and now != known:
            yield now

    @contextmanager
    def _directory(self) -> Iterator[int]:
        directory = os.open(self._top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in self._directories:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(name, flags, dir_fd=directory)
                os.close(directory)
                directory = inner
            yield directory
        finally:
            os.close(directory)

    def _existing(self, directory: int) -> list[str]:
        """Names of the files that there are, the oldest first."""
        numbered = [self._numbered.fullmatch(name) for name in os.listdir(directory)]
        numbers = sorted((int(found.group(1)), found.group()) for found in numbered if found)
        older = [name for _, name in numbers[:MOST_FILES]]
        has_newest = os.access(self._name, os.F_OK, dir_fd=directory, follow_symlinks=False)
        return [*reversed(older), *([self._name] if has_newest else [])]

    def _is_plain(self, name: str, status: os.stat_result) -> bool:
        if stat.S_ISREG(status.st_mode):
            return True
        what = "a link, and links are not followed" if stat.S_ISLNK(status.st_mode) else "no plain file"
        self.problems.append(f"{self._path.parent / name} is not read: it is {what}")
        return False

    def _tell(self, error: OSError) -> None:
        is_link = error.errno in {errno.ELOOP, errno.ENOTDIR}
        why = (
            "a link is in its way, and links are not followed"
            if is_link
            else os.strerror(error.errno or 0).lower()
        )
        self.problems.append(f"{self._path} is not read: {why}")


def _key(directory: int, name: str) -> tuple[int, int, int]:
    entry = identify(Path(f"/proc/self/fd/{directory}/{name}"))
    return entry.device, entry.inode, entry.birth_ns


def _status(directory: int, name: str) -> os.stat_result:
    return os.stat(name, dir_fd=directory, follow_symlinks=False)


class Tape:
    """What was in the files of a log at one moment, end to end."""

    def __init__(self, segments: Segments, found: Sequence[Segment]) -> None:
        self._segments = segments
        self._found = found
        self._ends: list[int] = []
        for segment in found:
            self._ends.append(self.size + segment.size)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self._ends[-1] if self._ends else 0

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from an offset on, of as many files as they are in. What has been removed meanwhile is missing."""
        pieces: list[bytes] = []
        end = min(offset + size, self.size)
        while offset < end:
            index, within = self._place(offset)
            wanted = min(end, self._ends[index]) - offset
            pieces.append(self._segments.read(self._found[index].key, within, wanted))
            offset += wanted
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def known_by_s(self, offset: int) -> float:
        """When the byte at this offset had been written for certain."""
        if not self._found:
            return 0.0
        index, within = self._place(min(offset, self.size - 1))
        return self._found[index].known_by_s(within)

    def offset_known_before(self, at_s: float) -> int:
        """An offset before which everything had been written before this moment, by what the files say."""
        begin = reached = 0
        for segment, end in zip(self._found, self._ends, strict=True):
            for offset, known_s in [*segment.marks, (segment.size, segment.written_s)]:
                if known_s >= at_s:
                    return reached
                reached = begin + min(offset, segment.size)
            begin = end
        return reached

    def _place(self, offset: int) -> tuple[int, int]:
        index = bisect_right(self._ends, offset)
        return index, offset - (self._ends[index - 1] if index else 0)
