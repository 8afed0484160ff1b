"""A private copy of a directory tree that others go on writing.

Owns: walking without ever following a link, modes, what becomes of links, and files that change while they are
copied. Whatever stands in the way in the source is told and left out; only what the target refuses is a failure.
Must not know what a tree is for. Databases are found and left to `hermesd/adapters/snapshots.py`.

Names are the system's own, also where they are no UTF-8. Each directory is reached name by name from the top, so
that neither a link put in its place meanwhile nor the length of its path leads astray.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from hermesd.adapters.copying import FileCopier, SourceUnreadable
from hermesd.domain.errors import Cancelled

WORKERS = min(4, os.cpu_count() or 1)
"""Threads that copy. The system does most of the work, so they are worth it on two processors as well."""

Names = tuple[str, ...]
"""The way from the top of a tree to an entry."""

SQLITE = b"SQLite format 3\0"
_PAGE_BYTES = 512
"""A database is some pages long, and no page is smaller."""

_SIDECARS = ("-wal", "-shm", "-journal")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.ESTALE})
PRIVATE_DIRECTORY, PRIVATE_FILE, PRIVATE_PROGRAM = 0o700, 0o600, 0o700
"""Modes of what is made in a home, whatever they were where it comes from."""

_BATCH = 128
"""Files that one thread copies at a time."""

_STRETCH = 512
"""Entries that one thread works through before it shares what is left."""

_SETTLE_NS = 20_000_000
"""A change within the tick of the clock after the last one does not show in a file's time."""

_ROUNDS = 5
"""How often a file that changes is copied again, before its copy is kept as it is and told."""


@dataclass
class Leftovers:
    """What a copy has not taken over, each by its names from the top."""

    links: list[tuple[Names, str]] = field(default_factory=list)
    """Links that lead out of the tree, and where to."""
    unreadable: list[Names] = field(default_factory=list)
    unsettled: list[Names] = field(default_factory=list)
    """Files that were written all the while: the copy may be of two moments."""
    databases: list[Names] = field(default_factory=list)


@dataclass(frozen=True)
class Order:
    """What to copy, and where to."""

    source: Path
    target: Path
    """Exists, and may hold files that the copies replace."""
    becomes: Path
    """Where the target will lie once it is published, for what people are told."""
    is_wanted: Callable[[Names], bool]
    """Asked for every entry; what it refuses is as good as outside the tree."""
    is_cancelled: Callable[[], bool]
    workers: int = WORKERS


@dataclass(frozen=True)
class _Piece:
    """A directory, or some files in it."""

    names: Names
    files: tuple[str, ...] = ()


def copy_tree(order: Order) -> Leftovers:
    """Copies a tree. Directories become 0700 and files 0600, programs 0700; times stay. Nothing is synced.

    Raises:
        Cancelled: it was asked to stop.
        OSError: the top of the source cannot be read, or the target refuses something.
    """
    with opened(order.source) as source, opened(order.target) as target:
        copy = _Copy(order, source, target)
        copy.work()
        return copy.left


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The top of a tree; itself, it may be a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def descend(top: int, names: Sequence[str]) -> int:
    """Opens a directory below an open one, without following a link on the way."""
    descriptor = os.open(".", _DIRECTORY, dir_fd=top)
    for name in names:
        try:
            below = os.open(name, _DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


@contextmanager
def closing(*descriptors: int) -> Iterator[None]:
    """Closes descriptors at the end of the block."""
    try:
        yield
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def is_database(directory: int, name: str) -> bool:
    """Whether a file is one of SQLite's; one that cannot be read is none."""
    try:
        descriptor = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return False
    with closing(descriptor):
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and _begins_like_sqlite(descriptor)


def _begins_like_sqlite(descriptor: int) -> bool:
    try:
        return os.pread(descriptor, len(SQLITE), 0) == SQLITE
    except OSError:  # whoever reads it all will tell
        return False


class _Copy:
    """One copy under way. Lists are only appended to, which threads may do side by side."""

    def __init__(self, order: Order, source: int, target: int) -> None:
        self.left = Leftovers()
        self._order = order
        self._source, self._target = source, target
        self._copier = FileCopier(self._checkpoint)
        self._tops = {os.path.normpath(order.source), os.path.realpath(order.source)}
        self._times: list[tuple[Names, int]] = []

    def work(self) -> None:
        """Copies everything."""
        if self._order.workers == 1:
            pieces = [_Piece(())]
            while pieces:
                pieces.extend(self._step(pieces.pop()))
        else:
            self._work_side_by_side()
        self._settle()
        for names, time_ns in self._times:
            directory = descend(self._target, names)
            with closing(directory):
                os.utime(directory, ns=(time_ns, time_ns))

    def _work_side_by_side(self) -> None:
        ended: SimpleQueue[Future[list[_Piece]]] = SimpleQueue()
        with ThreadPoolExecutor(self._order.workers, "copy") as pool:

            def begin(pieces: list[_Piece]) -> int:
                for piece in pieces:
                    pool.submit(self._stretch, piece).add_done_callback(ended.put)
                return len(pieces)

            running = begin([_Piece(())])
            try:
                while running:
                    running += begin(ended.get().result()) - 1
            finally:
                pool.shutdown(cancel_futures=True)

    def _stretch(self, piece: _Piece) -> list[_Piece]:
        """Works from a piece on for a while; returns what is left."""
        pieces, done = [piece], 0
        while pieces and done < _STRETCH:
            piece = pieces.pop()
            done += 1 + len(piece.files)
            pieces.extend(self._step(piece))
        return pieces

    def _checkpoint(self) -> None:
        if self._order.is_cancelled():
            raise Cancelled("copying was cancelled")

    def _step(self, piece: _Piece) -> list[_Piece]:
        """Copies some files, or makes a directory and returns what is to be done in it."""
        self._checkpoint()
        try:
            source = descend(self._source, piece.names)
        except OSError as error:
            self._tell(piece.names, error)
            return []
        with closing(source):
            if not piece.files:
                return self._directory(source, piece.names)
            target = descend(self._target, piece.names)
            with closing(target):
                for name in piece.files:
                    self._file(source, target, (*piece.names, name))
        return []

    def _tell(self, names: Names, error: OSError) -> None:
        """Notes what cannot be read; what has gone meanwhile is nobody's loss."""
        if error.errno not in _GONE:
            self.left.unreadable.append(names)

    def _directory(self, source: int, names: Names) -> list[_Piece]:
        """Makes a directory with its links; returns its files in batches, and the directories in it."""
        target = self._made(names)
        with closing(target):
            self._times.append((names, os.fstat(source).st_mtime_ns))
            pieces, files = [], []
            for name, mode in self._entries(source, names):
                if stat.S_ISDIR(mode):
                    pieces.append(_Piece((*names, name)))
                elif stat.S_ISLNK(mode):
                    self._link(source, target, (*names, name))
                elif stat.S_ISREG(mode):
                    files.append(name)
        present = set(files)
        files = [name for name in files if not self._is_sidecar(source, name, present)]
        batches = [tuple(files[start : start + _BATCH]) for start in range(0, len(files), _BATCH)]
        return [*pieces, *(_Piece(names, batch) for batch in batches)]

    def _made(self, names: Names) -> int:
        """Opens a directory of the target; it is made unless it is there, or the top."""
        if not names:
            return descend(self._target, ())
        above = descend(self._target, names[:-1])
        with closing(above):
            with suppress(FileExistsError):  # a fresh home has some already
                os.mkdir(names[-1], PRIVATE_DIRECTORY, dir_fd=above)
                os.chmod(names[-1], PRIVATE_DIRECTORY, dir_fd=above)
            return descend(above, names[-1:])

    def _entries(self, source: int, names: Names) -> Iterator[tuple[str, int]]:
        """What of a directory is wanted: names and types. Sockets, pipes and devices are not."""
        with os.scandir(source) as entries:
            for entry in entries:
                if not self._order.is_wanted((*names, entry.name)):
                    continue
                if entry.is_symlink():
                    yield entry.name, stat.S_IFLNK
                elif entry.is_dir(follow_symlinks=False):
                    yield entry.name, stat.S_IFDIR
                elif entry.is_file(follow_symlinks=False):
                    yield entry.name, stat.S_IFREG

    def _is_sidecar(self, source: int, name: str, present: set[str]) -> bool:
        """Whether a file only means something to those who have the database beside it open."""
        ending = next((one for one in _SIDECARS if name.endswith(one)), "")
        database = name.removesuffix(ending)
        return bool(ending) and database in present and is_database(source, database)

    def _file(self, source: int, target: int, names: Names) -> None:
        try:
            old = os.open(names[-1], _READ, dir_fd=source)
        except OSError as error:
            self._tell(names, error)
            return
        try:
            self._opened_file(old, target, names)
        except SourceUnreadable:
            self.left.unreadable.append(names)
        finally:
            os.close(old)

    def _opened_file(self, old: int, target: int, names: Names) -> None:
        found = os.fstat(old)
        if not stat.S_ISREG(found.st_mode):
            return
        if found.st_size and not found.st_size % _PAGE_BYTES and _begins_like_sqlite(old):
            self.left.databases.append(names)
            return
        mode = PRIVATE_PROGRAM if found.st_mode & stat.S_IXUSR else PRIVATE_FILE
        new = os.open(names[-1], _WRITE, mode, dir_fd=target)
        try:
            os.fchmod(new, mode)
            self._copier.copy(old, new, found)
            os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
        finally:
            os.close(new)
        after = os.fstat(old)
        has_changed = after.st_mtime_ns != found.st_mtime_ns or after.st_size != found.st_size
        if has_changed or abs(time.time_ns() - found.st_mtime_ns) < _SETTLE_NS:
            self.left.unsettled.append(names)

    def _settle(self) -> None:
        """Copies again what has just been written, until it stays as it is or the rounds are over."""
        for _ in range(_ROUNDS):
            again, self.left.unsettled = self.left.unsettled, []
            if not again:
                return
            time.sleep(_SETTLE_NS / 1e9)
            for names in again:
                self._step(_Piece(names[:-1], names[-1:]))

    def _link(self, source: int, target: int, names: Names) -> None:
        try:
            text = os.readlink(names[-1], dir_fd=source)
        except OSError as error:
            self._tell(names, error)
            return
        moved = self._led(names, text)
        if moved is None:
            self.left.links.append((names, text))
            return
        with suppress(FileNotFoundError):  # a fresh home has a file of that name
            os.unlink(names[-1], dir_fd=target)
        os.symlink(moved, names[-1], dir_fd=target)

    def _led(self, names: Names, text: str) -> str | None:
        """The text of a link in the copy; `None` if it leads out, by its words or through other links.

        One that says where the source lies becomes relative: it holds where the copy is made and where it will be.
        """
        top = next((top for top in self._tops if text == top or text.startswith(f"{top}/")), "")
        inside = text[len(top) + 1 :] if top else "/".join((*names[:-1], text))
        if text.startswith("/") and not top:
            return None
        way = os.path.normpath(inside)
        real = os.path.realpath(f"{self._order.source}/{inside}")
        home = os.path.realpath(self._order.source)
        is_inside = way != ".." and not way.startswith("../") and (real == home or real.startswith(f"{home}/"))
        if not is_inside or not self._leads_to_wanted(real[len(home) + 1 :]):
            return None
        return os.path.relpath(way, "/".join(names[:-1]) or ".") if top else text

    def _leads_to_wanted(self, way: str) -> bool:
        names = tuple(way.split("/")) if way else ()
        return all(self._order.is_wanted(names[:depth]) for depth in range(1, len(names) + 1))
