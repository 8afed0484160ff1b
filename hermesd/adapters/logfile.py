"""Captured output of gateways: one appended file each, and a bounded number of older ones.

Owns: following and rotating. Must not know who writes: the writer holds an appending descriptor of its own, so a
file is rotated by copying and emptying it, never by renaming it. What is written in the instant between the end
of the copy and the emptying is lost; nothing else is.

    ID.log      being written        ID.log.1 .. ID.log.4    older, the highest number the oldest

What a gateway prints seldom says when. So a file may have another beside it, `ID.log.times`, with marks: how long
the file was at which moment. They are written now and then and may be lost.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters.atomic import sync_directory
from hermesd.adapters.lines import LineBuffer, last_bytes, last_lines, read_piece
from hermesd.adapters.logtape import Key, Segment
from hermesd.adapters.oserrors import translating
from hermesd.domain.ports import Clock

LIMIT_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5
"""Files in all, the one being written among them."""
POLL_S = 0.25
MARKS_BYTES = 65_536
"""Beyond so many bytes of marks every second one is dropped."""


@dataclass(frozen=True)
class Position:
    """A place in the output, however often it is rotated: an offset in what was the newest file then."""

    rotations: int
    offset: int


class LogFiles:
    """Logs (port `Logs`) in one directory."""

    def __init__(self, directory: Path, clock: Clock, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._directory = directory
        self._prefix = f"{directory}/"
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._turning = threading.Lock()  # readers see the files before a rotation or after it, never within
        self._rotations: dict[str, int] = {}
        self._marked: dict[str, int] = {}
        """How long each file was when it was marked last."""

    def path(self, profile_id: str) -> Path:
        """Where the output of this profile's gateway is captured."""
        return self._directory / f"{profile_id}.log"

    def tail(self, profile_id: str, lines: int) -> list[str]:
        """The last lines, oldest first; a last line without an end counts as one.

        Raises:
            NotPermitted: a file cannot be read.
        """
        with translating(self.path(profile_id), "read"), self._turning:
            files = self._files(profile_id)
            data = last_bytes(files, _size(files[0]), lines)
        return last_lines(data if data.endswith(b"\n") or not data else data + b"\n", lines)

    async def follow(self, profile_id: str, lines: int) -> AsyncIterator[str]:
        """The last complete lines, then each new one when it is complete. Ends only when its reader ends it.

        Raises:
            NotPermitted: a file cannot be read.
        """
        data, position = await asyncio.to_thread(self._begin, profile_id, lines)
        complete, end, partial = data.rpartition(b"\n")
        for line in last_lines(complete + end, lines):
            yield line
        buffer = LineBuffer()
        buffer.feed(partial)
        while True:
            data, reached = await asyncio.to_thread(self._advance, profile_id, position)
            for line in buffer.feed(data):
                yield line
            if reached == position:
                await self._clock.sleep_s(POLL_S)
            position = reached

    def rotate(self, profile_id: str) -> None:
        """Copies and empties the file if it is over its limit; the oldest one goes.

        Raises:
            DiskFull, NotPermitted: it cannot be copied; it is as it was then.
        """
        if self._size_of(profile_id) <= self._limit_bytes:
            return
        path = self.path(profile_id)
        with translating(path, "rotate"), self._turning:
            if _size(path) > self._limit_bytes:
                _copy_and_empty(self._files(profile_id))
                self._turn(profile_id)

    def _size_of(self, profile_id: str) -> int:
        """How long the file is; 0 also where that cannot be seen. It is asked for every file, again and again."""
        try:
            return os.stat(f"{self._prefix}{profile_id}.log").st_size  # noqa: PTH116 - a path costs more than the look
        except OSError:
            return 0

    def mark(self, profile_id: str) -> None:
        """Notes that what is in the file has been written by now.

        Raises:
            DiskFull, NotPermitted: it cannot be noted.
        """
        size = self._size_of(profile_id)
        if size == self._marked.get(profile_id, 0):
            return
        path = self.path(profile_id)
        with translating(_marks_of(path), "write"), self._turning:
            size = _size(path)
            known = _read_marks(path)
            if known and known[-1][0] > size:  # somebody else emptied the file
                _marks_of(path).unlink()
            if size and (not known or known[-1][0] != size):
                _append(_marks_of(path), f"{size} {self._clock.now_s():.3f}\n")
                if _size(_marks_of(path)) > MARKS_BYTES:
                    _thin(_marks_of(path))
            self._marked[profile_id] = size

    @contextmanager
    def still(self, profile_id: str) -> Iterator[tuple[int, list[Path]]]:
        """How often it was rotated, and every possible file, the newest first; none is rotated meanwhile."""
        with translating(self.path(profile_id), "read"), self._turning:
            yield self._turned(profile_id), self._files(profile_id)

    def remove(self, profile_id: str) -> None:
        """Deletes every file of this profile.

        Raises:
            NotPermitted: one cannot be deleted.
        """
        with translating(self.path(profile_id), "remove"), self._turning:
            files = self._files(profile_id)
            for file in (*files, *map(_marks_of, files), _copy_of(files[0])):
                file.unlink(missing_ok=True)
            if files[0].parent.is_dir():
                sync_directory(files[0].parent)  # nobody would ever look for them again
            self._turn(profile_id)

    def _files(self, profile_id: str) -> list[Path]:
        """Every possible file, the newest first."""
        path = self.path(profile_id)
        return [path, *(path.with_name(f"{path.name}.{age}") for age in range(1, KEPT_FILES))]

    def _turned(self, profile_id: str) -> int:
        return self._rotations.get(profile_id, 0)

    def _turn(self, profile_id: str) -> None:
        self._rotations[profile_id] = self._turned(profile_id) + 1
        self._marked.pop(profile_id, None)

    def _begin(self, profile_id: str, lines: int) -> tuple[bytes, Position]:
        with translating(self.path(profile_id), "read"), self._turning:
            files = self._files(profile_id)
            end = _size(files[0])
            return last_bytes(files, end, lines), Position(self._turned(profile_id), end)

    def _advance(self, profile_id: str, position: Position) -> tuple[bytes, Position]:
        """The next piece after a position, and the position after it; the same one if nothing follows yet."""
        with translating(self.path(profile_id), "read"), self._turning:
            turned = self._turned(profile_id)
            age = turned - position.rotations
            if age >= KEPT_FILES:  # rotated away unread: go on with the oldest there is
                return b"", Position(turned - KEPT_FILES + 1, 0)
            file = self._files(profile_id)[age]
            if position.offset > _size(file):  # somebody else emptied it
                return b"", Position(position.rotations, 0)
            data = read_piece(file, position.offset)
            if not data and age:
                return b"", Position(position.rotations + 1, 0)
            return data, Position(position.rotations, position.offset + len(data))


class TurnedFiles:
    """The files of one profile (`Segments`), known by how many rotations there had been when each was begun."""

    def __init__(self, logs: LogFiles, profile_id: str) -> None:
        self._logs = logs
        self._id = profile_id
        self.problems: list[str] = []

    def all(self) -> list[Segment]:
        """Every file, the oldest first."""
        with self._logs.still(self._id) as (turned, files):
            return [
                _segment((turned - age,), file) for age, file in reversed(list(enumerate(files))) if file.exists()
            ]

    def newest(self) -> tuple[Key, int] | None:
        """The file being written and its size."""
        with self._logs.still(self._id) as (turned, files):
            return ((turned,), _size(files[0])) if files[0].exists() else None

    def read(self, key: Key, offset: int, size: int) -> bytes:
        """Bytes of a file, wherever it was copied to."""
        with self._logs.still(self._id) as (turned, files):
            age = turned - key[0]
            return read_piece(files[age], offset, size) if age < len(files) else b""

    def move(self, top: Path) -> None:
        """They lie by the profile's id, in no home."""


def _segment(key: Key, file: Path) -> Segment:
    status = file.stat()
    return Segment(key, status.st_size, status.st_mtime, _read_marks(file))


def _copy_and_empty(files: list[Path]) -> None:
    """Copies first, so that a full disk changes nothing; what arrives meanwhile is added just before emptying."""
    newest, *older = files
    copy = _copy_of(newest)
    try:
        with newest.open("rb", buffering=0) as source, copy.open("wb", buffering=0) as target:
            os.fchmod(target.fileno(), 0o600)
            shutil.copyfileobj(source, target)
            for age in reversed(range(1, len(older))):
                if older[age - 1].exists():
                    older[age - 1].replace(older[age])
                    _move_marks(older[age - 1], older[age])
            copy.replace(older[0])
            _move_marks(newest, older[0])
            shutil.copyfileobj(source, target)
            os.truncate(newest, 0)
    finally:
        copy.unlink(missing_ok=True)


def _copy_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.copy")


def _size(path: Path) -> int:
    """Bytes in a file, 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _marks_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.times")


def _read_marks(path: Path) -> list[tuple[int, float]]:
    """Marks of a file; those that make no sense, as after a crash, are left out."""
    try:
        lines = _marks_of(path).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    marks: list[tuple[int, float]] = []
    for line in lines:
        size, _, at_s = line.partition(" ")
        if size.isdecimal() and at_s.replace(".", "", 1).isdecimal() and (not marks or int(size) > marks[-1][0]):
            marks.append((int(size), float(at_s)))
    return marks


def _append(path: Path, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _thin(path: Path) -> None:
    """Drops every second mark; what is between two of the others is then less exact."""
    kept = path.read_text(errors="replace").splitlines()[1::2]
    path.write_text("".join(f"{line}\n" for line in kept))


def _move_marks(before: Path, after: Path) -> None:
    """Lets the marks follow their file; one that has none must not get another's."""
    _marks_of(after).unlink(missing_ok=True)
    if _marks_of(before).exists():
        _marks_of(before).replace(_marks_of(after))
