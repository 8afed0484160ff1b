"""The directory tree of profiles on disk.

Owns: how a home is found, published, taken out and removed so that a crash at any moment leaves it wholly there
or wholly not. Must not know what the files of a home mean.

A home is made and removed in a private staging directory on the same file system, which hermes-agent ignores:

    profiles/.hermesd/new/NAME-ID             being made; whatever lies here after a crash is litter
    profiles/.hermesd/trash/NAME-ID           removed and kept, with a note beside it (see `trashnotes.py`)
    profiles/.hermesd/trash/.purging-NAME-ID  being deleted; after a crash the deletion is completed
    profiles/.hermesd/previous_default        what we last wrote as sticky default, and what it was before
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hermesd.adapters import trashnotes
from hermesd.adapters.atomic import leftovers, sync_directory, write_atomic
from hermesd.adapters.ids import new_id
from hermesd.adapters.oserrors import translating
from hermesd.adapters.syscalls import Entry, identify, rename_exclusive
from hermesd.adapters.trees import build_private, ensure_private, refuse_mounts, remove_tree
from hermesd.domain.errors import ArgumentInvalid, HermesError, NotFound, ProfileExists, ProfileNotFound
from hermesd.domain.layout import PURGING, STAGING
from hermesd.domain.profile import DEFAULT, NAME_PATTERN, Home, HomeIdentity, ProfileName
from hermesd.domain.trash import TrashNote

STICKY = "active_profile"
STICKY_MODE = 0o644
STICKY_READ_BYTES = 4096
PREVIOUS = "previous_default"
LIST_COMMAND = "hermesctl profile list"


class HomesOnDisk:
    """Homes (port `Homes`) below a canonical root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._profiles = root / "profiles"
        self._new = self._profiles / STAGING / "new"
        self._trash = self._profiles / STAGING / "trash"
        self._sticky = root / STICKY
        self._previous = self._profiles / STAGING / PREVIOUS

    def scan(self) -> list[Home]:
        """Every home, the default first. A link to a directory is a home, as it is for hermes-agent."""
        with translating(self._profiles, "read"):
            found = (self._find(name) for name in (ProfileName(DEFAULT), *self._named()))
            return [home for home in found if home is not None]

    def find(self, name: ProfileName) -> Home | None:
        """One home, or `None`."""
        with translating(self._path(name), "read"):
            return self._find(name)

    def create(
        self,
        name: ProfileName,
        files: Mapping[str, str],
        directories: Sequence[str],
        *,
        fill: Callable[[Path], None] = lambda _: None,
    ) -> Home:
        """Builds a home in staging, flushed, and publishes it by one rename that replaces nothing."""
        target = self._path(name)
        if name.is_default or os.path.lexists(target):
            raise _exists(name, target)
        with translating(target, "make"), self._building(name) as building:
            build_private(building, files, directories)
            fill(building)
            try:
                rename_exclusive(building, target)
            except FileExistsError as error:
                raise _exists(name, target) from error
            sync_directory(self._profiles)
            return Home(name, target, _identity(identify(target)))

    def move_to_trash(self, home: Home, note: TrashNote) -> Path:
        """Takes a home out by one rename, its note being there first; a home that is only a link loses the link.

        Raises:
            ArgumentInvalid: it is the default profile's, which contains all others.
            ProfileNotFound: it is gone, or another home has taken its name.
        """
        trashed = trashnotes.entry_path(self._trash, note)
        self._refuse_removal(home)
        with translating(self._trash, "make"):
            ensure_private(self._trash)
        trashnotes.write_note(trashed, note)
        self._take_away(home, trashed)
        return trashed

    def purge(self, home: Home) -> None:
        """Takes a home out under a name that says it is being deleted, then deletes it.

        Raises:
            ArgumentInvalid, ProfileNotFound: as for `move_to_trash`.
        """
        doomed = self._trash / f"{PURGING}{home.name}-{new_id()}"
        refuse_mounts(home.path)
        self._take_away(home, doomed)
        with translating(doomed, "delete"):
            remove_tree(doomed)

    def move(self, home: Home, name: ProfileName) -> Home:
        """Gives a home another name by one rename; of a home that is only a link, the link."""
        target = self._path(name)
        if home.name.is_default or name.is_default:
            raise ArgumentInvalid("the home of 'default' cannot move: it holds every other profile")
        with translating(home.path, "rename"):
            if self._find(home.name) != home:
                raise ProfileNotFound(f"cannot rename '{home.name}': its home is gone", profile=str(home.name))
            try:
                rename_exclusive(home.path, target)
            except FileExistsError as error:
                raise ProfileExists(f"cannot rename '{home.name}': {target} exists", profile=str(name)) from error
            sync_directory(self._profiles)
        return Home(name, target, home.identity)

    def recover(self) -> None:
        """Removes unpublished homes, completes deletions, and drops notes of nothing and cut-off writes.

        What cannot be removed hinders nothing else from being so, and is told at the end.
        """
        with translating(self._profiles, "clean up"):
            doomed = [entry for entry in _entries(self._trash) if entry.name.startswith(PURGING)]
            litter = [*trashnotes.litter(self._trash), *leftovers(self._sticky), *leftovers(self._previous)]
            failures = [_failure(one) for one in (*_entries(self._new), *doomed, *litter)]
            for failure in failures:
                if failure is not None:
                    raise failure

    def sticky_default(self) -> ProfileName:
        """The sticky default; `default` when the file does not name a home."""
        name = self._named_default()
        try:
            return name if self._find(name) is not None else ProfileName(DEFAULT)
        except OSError:  # a home that cannot be looked at is none to work on
            return ProfileName(DEFAULT)

    def write_sticky_default(self, name: ProfileName) -> ProfileName:
        """Writes the name and a line end, as hermes-agent does, but through a temporary name of our own.

        What is there to go back to is written first: a crash in between leaves the old default and the new one
        as the place to go back to.
        """
        before = self._named_default()
        if before != name:
            with translating(self._previous, "write"):
                ensure_private(self._previous.parent)
            write_atomic(self._previous, f"{name}\n{before}\n".encode())
        if not name.is_default:
            write_atomic(self._sticky, f"{name}\n".encode(), STICKY_MODE)
        elif os.path.lexists(self._sticky):
            with translating(self._sticky, "remove"):
                self._sticky.unlink(missing_ok=True)
                sync_directory(self._root)
        return before

    def previous_default(self) -> ProfileName:
        """What came before our last choice, or that choice itself if hermes-agent has made another one since."""
        try:
            chosen, before = (ProfileName.parse(line) for line in _head(self._previous).splitlines())
        except (OSError, ValueError, HermesError) as error:  # missing or damaged: it was only a convenience
            raise NotFound("no sticky default before this one is known", fixes=[LIST_COMMAND]) from error
        return before if self._named_default() == chosen else chosen

    def rename_sticky_default(self, before: ProfileName, after: ProfileName) -> None:
        """Each of the two files at once; what there is to go back to first, as when the default is chosen."""
        try:
            lines = _head(self._previous).splitlines()
        except (OSError, UnicodeDecodeError):  # missing or damaged: it was only a convenience
            lines = []
        if before.text in lines:
            renamed = [after.text if line == before.text else line for line in lines]
            write_atomic(self._previous, "".join(f"{line}\n" for line in renamed).encode())
        if self._named_default() == before:
            write_atomic(self._sticky, f"{after}\n".encode(), STICKY_MODE)

    def _named_default(self) -> ProfileName:
        """The name in the file, whether or not it is that of a home; `default` when there is no name in it."""
        try:
            return ProfileName.parse(_head(self._sticky))
        except (OSError, UnicodeDecodeError, HermesError):  # whatever is wrong with it: it names nobody
            return ProfileName(DEFAULT)

    def _refuse_removal(self, home: Home) -> None:
        if home.name.is_default:
            raise ArgumentInvalid("cannot remove the home of 'default': it holds every other profile")
        if self.find(home.name) != home:
            raise ProfileNotFound(f"cannot remove '{home.name}': its home is gone", profile=str(home.name))

    def _take_away(self, home: Home, destination: Path) -> None:
        self._refuse_removal(home)
        with translating(home.path, "remove"):
            ensure_private(destination.parent)
            rename_exclusive(home.path, destination)
            sync_directory(destination.parent)
            sync_directory(home.path.parent)

    def _path(self, name: ProfileName) -> Path:
        return self._root if name.is_default else self._profiles / name.text

    def _named(self) -> Iterator[ProfileName]:
        for name in _names(self._profiles):
            if NAME_PATTERN.fullmatch(name) and name != DEFAULT:
                yield ProfileName(name)

    def _find(self, name: ProfileName) -> Home | None:
        path = self._path(name)
        try:
            entry = identify(path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # where nobody can look there is no home
            return None
        if not stat.S_ISDIR(entry.mode) and not os.path.isdir(path):  # noqa: PTH112 - what leads astray is no home
            return None
        return Home(name, path, _identity(entry))

    @contextmanager
    def _building(self, name: ProfileName) -> Iterator[Path]:
        ensure_private(self._new)
        building = self._new / f"{name}-{new_id()}"
        try:
            yield building
        finally:
            remove_tree(building)  # published by now, unless making it failed


def _failure(litter: Path) -> OSError | HermesError | None:
    """Removes something; returns why it could not be."""
    try:
        remove_tree(litter)
    except (OSError, HermesError) as error:
        return error
    return None


def _exists(name: ProfileName, target: Path) -> ProfileExists:
    return ProfileExists(f"cannot create '{name}': {target} exists", profile=str(name))


def _identity(entry: Entry) -> HomeIdentity:
    """Identifies the entry itself: two links to one directory are two homes, each with an id of its own."""
    return HomeIdentity(entry.device, entry.inode, entry.birth_ns)


def _head(path: Path) -> str:
    """The beginning of a plain file; nothing of anything else, for opening a pipe would wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, STICKY_READ_BYTES).decode() if is_file else ""
    finally:
        os.close(descriptor)


def _entries(directory: Path) -> list[Path]:
    """What lies in a directory, by name; nothing if there is no such directory."""
    return [directory / name for name in _names(directory)]


def _names(directory: Path) -> list[str]:
    """The same without the way there."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names are wanted, hundreds of them
    except (FileNotFoundError, NotADirectoryError):
        return []
