"""Homes, looked at from outside.

Owns: finding what is wrong with modes, owners and parts, and mending it without following a link or replacing
anything. Must not know how bad it is. No database is opened, and of files only those that people write are read.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from hermesd.adapters.atomic import sync_directory, write_atomic
from hermesd.adapters.dotenvfile import unclear_lines
from hermesd.adapters.oserrors import translating
from hermesd.adapters.privacy import keep_private
from hermesd.adapters.reach import Reach
from hermesd.adapters.textfile import read_text
from hermesd.adapters.trees import make_private
from hermesd.domain.conditions import (
    CONFIG_NAMES,
    HOLDS_KEY,
    OTHERS,
    Exposed,
    HomeCondition,
    Matter,
    OwnedByOthers,
    matter_of,
)
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.layout import DIRECTORIES, MARKS, fresh_files
from hermesd.domain.profile import Home

MOST_ENTRIES = 200_000
"""Entries of one home whose owner is looked at; a home that has more is not searched to its end."""

EXAMPLES = 3

NOT_OF_THE_HOME = frozenset({"profiles", "hermes-agent", "node_modules", ".worktrees"})
"""What lies in the root beside the default profile (hermes-agent 0.19.0)."""

CONFIG = "config.yaml"
CORRUPT = "config.yaml.corrupt.*.bak"
"""How hermes-agent 0.19.0 calls the copy of a configuration that it could not read."""

Found = tuple[Path, os.stat_result]


class HomeInspectorOnDisk:
    """Homes (port `HomeInspector`) wherever they lie."""

    def look(self, home: Home) -> HomeCondition:
        """Looks at the entries of the home itself, and at the owners of all that lies below."""
        try:
            reach = Reach(Path(os.path.realpath(home.path)))
            owned_by_others = _owned_by_others(home)
            if not os.access(home.path, os.R_OK | os.W_OK | os.X_OK):
                return HomeCondition(is_closed=True, owned_by_others=owned_by_others)
            entries = list(_entries(home.path))
        except OSError:  # gone meanwhile
            return HomeCondition()
        missing, obstructed = _parts(home)
        return HomeCondition(
            is_link=home.path.is_symlink(),
            exposed=tuple(_exposed(home, entries, reach)),
            owned_by_others=owned_by_others,
            missing=missing,
            obstructed=obstructed,
            is_half=not home.name.is_default and not any(path.name in MARKS for path, _ in entries),
            set_aside=_set_aside(home.path),
            unclear_lines=_unclear_lines(home.path / ".env"),
        )

    def make_private(self, home: Home, paths: Sequence[Path]) -> None:
        """Entries first: the home, once it is closed, closes them all."""
        if home.path.is_symlink():
            return
        inside = [path for path in paths if path.parent == home.path]
        for path in [*inside, *(path for path in paths if path == home.path)]:
            keep_private(path)

    def make_missing(self, home: Home) -> None:
        """Makes what `look` tells to be missing. Somebody who is faster keeps what they made."""
        if home.path.is_symlink():
            return
        texts = fresh_files(description="", with_skills=True)
        for name in _parts(home)[0]:
            path = home.path / name
            try:
                if name in texts:
                    write_atomic(path, texts[name].encode(), exclusive=True)
                    continue
                with translating(path, "make"):
                    make_private(path)
                    sync_directory(home.path)
            except FileExistsError:
                continue


def _entries(directory: Path) -> Iterator[Found]:
    with os.scandir(directory) as found:
        for entry in found:
            with suppress(FileNotFoundError):  # whoever works in the home has just removed it
                yield Path(entry.path), entry.stat(follow_symlinks=False)


def _exposed(home: Home, entries: Sequence[Found], reach: Reach) -> Iterator[Exposed]:
    """Behind a private home only secrets have to be private themselves."""
    top = stat.S_IMODE(home.path.stat().st_mode)
    if top & OTHERS:
        yield Exposed(home.path, top, None, is_reachable=reach.is_open)
    for path, entry in sorted(entries):
        mode = stat.S_IMODE(entry.st_mode)
        is_plain = stat.S_ISREG(entry.st_mode) or stat.S_ISDIR(entry.st_mode)
        matter = _matter(path, entry) if is_plain and mode & OTHERS else None
        if matter is None:
            continue
        is_reachable = reach.is_open and reach.may_use(entry)
        if is_reachable or matter is Matter.SECRET or top & OTHERS:
            yield Exposed(path, mode, matter, is_reachable=is_reachable)


def _matter(path: Path, entry: os.stat_result) -> Matter | None:
    """What an entry is worth. Nobody minds an empty directory, or a file that has nothing in it."""
    is_directory = stat.S_ISDIR(entry.st_mode)
    has_content = any(_names(path)) if is_directory else entry.st_size > 0
    holds_key = not is_directory and path.name.startswith(CONFIG_NAMES) and _holds_key(path)
    return matter_of(path.name, is_directory=is_directory, holds_key=holds_key) if has_content else None


def _holds_key(path: Path) -> bool:
    try:
        return HOLDS_KEY.search(read_text(path)) is not None
    except ConfigInvalid:  # who cannot tell, takes care
        return True


def _owned_by_others(home: Home) -> OwnedByOthers:
    own, count, is_in_the_way = os.geteuid(), 0, False
    owners: set[int] = set()
    examples: list[Path] = []
    for path, found in islice(_tree(home), MOST_ENTRIES):
        if found.st_uid == own:
            continue
        count += 1
        owners.add(found.st_uid)
        examples = [*examples, path][:EXAMPLES]
        rights = os.R_OK | os.W_OK | (os.X_OK if stat.S_ISDIR(found.st_mode) else 0)
        is_link = stat.S_ISLNK(found.st_mode)
        is_in_the_way = is_in_the_way or (not is_link and not os.access(path, rights))
    return OwnedByOthers(count, tuple(sorted(owners)), tuple(examples), is_in_the_way)


def _tree(home: Home) -> Iterator[Found]:
    """The home and all below it, links and other file systems not entered."""
    top = home.path.stat()
    yield home.path, top
    skipped = NOT_OF_THE_HOME if home.name.is_default else frozenset()
    left = [home.path]
    while left:
        directory = left.pop()
        try:
            entries = list(_entries(directory))
        except OSError:  # its own owner has been told of already
            continue
        for path, found in sorted(entries):
            if directory == home.path and path.name in skipped:
                continue
            yield path, found
            if stat.S_ISDIR(found.st_mode) and found.st_dev == top.st_dev:
                left.append(path)


def _parts(home: Home) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing, and in whose place there is something else; the root need not be like a profile's home."""
    if home.name.is_default:
        return (), ()
    missing: list[str] = []
    obstructed: list[str] = []
    for name in (*DIRECTORIES, *fresh_files(description="", with_skills=True)):
        path = home.path / name
        is_there = os.path.isdir(path) if name in DIRECTORIES else os.path.isfile(path)  # noqa: PTH112, PTH113
        if not is_there:
            (obstructed if os.path.lexists(path) else missing).append(name)
    return tuple(missing), tuple(obstructed)


def _set_aside(home: Path) -> tuple[Path, ...]:
    """Copies that are no older than the configuration: since they were made nobody has changed it."""
    try:
        changed_s = (home / CONFIG).stat().st_mtime
    except OSError:
        changed_s = 0.0
    return tuple(path for path in sorted(home.glob(CORRUPT)) if path.lstat().st_mtime >= changed_s)


def _unclear_lines(path: Path) -> tuple[int, ...]:
    try:
        return tuple(unclear_lines(read_text(path)))
    except ConfigInvalid:  # who reads the settings of the home tells of that
        return ()


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are wanted
    except OSError:
        return []
