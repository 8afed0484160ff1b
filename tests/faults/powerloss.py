"""A disk that forgets: what is left of a tree when the power fails before all of it was flushed.

Owns: what of the calls that change a file system is durable at each moment, and every state that may be found
after a power cut. Must not know what is written, or by whom.

The rules, stricter than any one file system and no stricter than what all of them promise:

- the bytes of a file are durable as of its last fsync; the rest may be lost, or not;
- an entry of a directory (made, renamed, removed) is durable once that directory was flushed, and a rename once
  the directory that it leads to was: it is one step, so nothing is ever in both places or in none;
- what was not flushed may survive all the same, but in no directory without what came before it.
"""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

import pytest

from hermesd.adapters import syscalls
from hermesd.adapters.syscalls import Entry
from tests.faults.injection import Crash

Key = tuple[int, int]
Tree = dict[str, tuple[str, bytes]]
"""As from `snapshot`: mode, and content or link target, by relative path."""


@dataclass(eq=False)
class Node:
    """A file, directory or link as the disk has it for certain."""

    mode: int
    identity: Entry
    data: bytes = b""
    """As of the last flush, or the target of a link."""
    entries: dict[str, "Node"] = field(default_factory=dict)
    latest_mode: int = 0
    latest: bytes | None = None
    """What the kernel has of it, once that is known to differ or the power is gone."""


@dataclass(frozen=True, eq=False)
class Change:
    """One step that entries of directories took."""

    what: str
    removed: Sequence[tuple[Node, str]]
    added: Sequence[tuple[Node, str, Node]]
    place: Node
    """Whose flush makes it durable."""

    @property
    def directories(self) -> Collection[Node]:
        """Every directory whose order it is part of."""
        return {one for one, _ in self.removed} | {one for one, _, _ in self.added}


@dataclass(frozen=True)
class Survival:
    """What of the unflushed survives a power cut."""

    title: str
    changes: frozenset[Change]
    has_data: bool
    """Whether unflushed bytes do."""


class Disk:
    """The disk below one directory, of which everything is durable that lies there when it is made."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._nodes: dict[Key, Node] = {}
        self._pending: list[Change] = []
        self._identities: dict[Entry, Entry] = {}
        self._lock = RLock()
        self._left: int | None = None
        self._when_cut: Callable[[], None] = lambda: None
        self.is_off = False
        self.steps = 0
        """Taken so far."""
        self.root = self._take_in(place)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Every call that changes the file system is a step on this disk."""
        with pytest.MonkeyPatch.context() as patch:
            for name in STEPS:
                patch.setattr(os, name, self._wrapped(getattr(os, name), STEPS[name]))
            patch.setattr(os, "remove", os.unlink)
            for name, method in LIBRARY_STEPS.items():
                _patch_everywhere(patch, name, partial(self._wrapped, method=method))
            yield

    @contextmanager
    def remembered(self) -> Iterator[None]:
        """What `materialise` made has the identity of what it stands for, as it would on a real disk."""
        with pytest.MonkeyPatch.context() as patch:
            _patch_everywhere(patch, "identify", lambda call: lambda path: self._identified(call(path)))
            yield

    def cut_at(self, step: int, when_cut: Callable[[], None]) -> None:
        """Fails the power just before the `step`-th step from now, counted from 1, and every one after it."""
        self._left, self._when_cut = step, when_cut

    def cut(self) -> None:
        """Fails the power now, unless it has failed."""
        if not self.is_off:
            self.is_off = True
            self._look_around()
            self._when_cut()

    def survivals(self) -> list[Survival]:
        """What may be found: nothing or all of the unflushed, every beginning of it, every directory's own."""
        everything = frozenset(self._pending)
        found = [
            Survival("all, with its data", everything, has_data=True),
            Survival("nothing", frozenset(), has_data=False),
            Survival("all, without data", everything, has_data=False),
        ]
        found += [
            Survival(f"the first {number}", frozenset(self._pending[:number]), has_data=False)
            for number in range(1, len(self._pending))
        ]
        for place in {change.place: None for change in self._pending}:
            kept = frozenset(self._needed([one for one in self._pending if one.place is place]))
            if kept != everything:
                found.append(Survival(f"the directory of {next(iter(kept)).what}", kept, has_data=False))
        return found

    def tree(self, survival: Survival) -> Tree:
        """What is found then."""
        self._settle(survival)
        return dict(_described(self.root, "", survival))

    def materialise(self, survival: Survival) -> None:
        """Makes the directory what it would be after the cut. Once: the disk has nothing unflushed any more."""
        self._settle(survival)
        for path in self._place.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self._write_out(self.root, self._place, survival)

    def _write_out(self, node: Node, path: Path, survival: Survival) -> None:
        for name, child in node.entries.items():
            below, mode = path / name, child.latest_mode if survival.has_data else child.mode
            if stat.S_ISLNK(mode):
                below.symlink_to(os.fsdecode(child.data))
            elif stat.S_ISDIR(mode):
                below.mkdir()
                self._write_out(child, below, survival)
                below.chmod(stat.S_IMODE(mode))
            else:
                below.write_bytes(_content(child, survival))
                below.chmod(stat.S_IMODE(mode))
            self._identities[syscalls.identify(below)] = child.identity

    def _take_in(self, path: Path) -> Node:
        """Everything that is there, as durable."""
        node = self._known(path)
        node.latest_mode = node.mode
        if stat.S_ISDIR(node.mode):
            node.entries = {child.name: self._take_in(child) for child in path.iterdir()}
        elif stat.S_ISREG(node.mode):
            node.data = path.read_bytes()
        return node

    def _known(self, path: Path) -> Node:
        """A node for what has just appeared under a path."""
        found = path.lstat()
        node = Node(found.st_mode, syscalls.identify(path), latest_mode=found.st_mode)
        if stat.S_ISLNK(found.st_mode):
            node.data = os.fsencode(path.readlink())
        self._nodes[found.st_dev, found.st_ino] = node
        return node

    def _at(self, path: Path) -> Node | None:
        """What a path names, links not followed; `None` for what is not on this disk."""
        found = path.lstat()
        return self._nodes.get((found.st_dev, found.st_ino))

    def _identified(self, entry: Entry) -> Entry:
        return self._identities.get(entry, entry)

    def _wrapped(self, call: Callable[..., Any], method: "Step") -> Callable[..., Any]:
        def stepped(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                change = method(self, arguments, options)
                if change is None:
                    return call(*arguments, **options)
                self._consume()
                result = call(*arguments, **options)
                change()
                return result

        return stepped

    def _consume(self) -> None:
        self.steps += 1
        if self._left is not None and not self.is_off:
            self._left -= 1
            if self._left == 0:
                self.cut()
        if self.is_off:
            raise Crash

    def _look_around(self) -> None:
        """Takes down what the kernel has, for it may survive."""
        for directory, names, files in os.walk(self._place):
            for name in (*names, *files):
                path = Path(directory, name)
                if node := self._at(path):
                    node.latest_mode = path.lstat().st_mode
                    if stat.S_ISREG(node.latest_mode):
                        node.latest = path.read_bytes()

    def _record(self, change: Change) -> None:
        self._pending.append(change)

    def _flush(self, directory: Node) -> None:
        """Makes durable what was done to a directory."""
        durable = self._needed([one for one in self._pending if one.place is directory])
        self._apply(durable)
        self._pending = [one for one in self._pending if one not in durable]

    def _needed(self, wanted: Sequence[Change]) -> list[Change]:
        """These changes and all that must have happened before any of them, in order."""
        kept: set[Change] = set(wanted)
        touched: set[Node] = set()
        for change in reversed(self._pending):
            if change in kept or touched & set(change.directories):
                kept.add(change)
                touched |= set(change.directories)
        return [one for one in self._pending if one in kept]

    def _settle(self, survival: Survival) -> None:
        assert self.is_off
        self._apply([one for one in self._pending if one in survival.changes])
        self._pending.clear()

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for directory, name in change.removed:
                directory.entries.pop(name, None)
            for directory, name, node in change.added:
                directory.entries[name] = node

    # What each call does to the disk: `None` if it changes nothing here, else what to note once it is done.

    def _open(self, arguments: Any, options: Any) -> Callable[[], None] | None:
        flags = arguments[1]
        path = _path(arguments[0], options.get("dir_fd"))
        parent = self._at(path.parent) if path.parent.exists() else None
        if parent is None or not flags & (os.O_CREAT | os.O_TRUNC) or os.path.lexists(path):
            return None
        return lambda: self._record(
            Change(f"open {path.name}", [], [(parent, path.name, self._known(path))], parent)
        )

    def _write(self, arguments: Any, _: Any) -> Callable[[], None] | None:
        return _nothing if self._of(arguments[0]) is not None else None

    def _fsync(self, arguments: Any, _: Any) -> Callable[[], None] | None:
        node = self._of(arguments[0])
        if node is None:
            return None

        def flush() -> None:
            node.mode = node.latest_mode = os.fstat(arguments[0]).st_mode
            if stat.S_ISDIR(node.mode):
                self._flush(node)
            else:
                node.data = Path(f"/proc/self/fd/{arguments[0]}").read_bytes()

        return flush

    def _of(self, descriptor: int) -> Node | None:
        found = os.fstat(descriptor)
        return self._nodes.get((found.st_dev, found.st_ino))

    def _sync_all(self, arguments: Any, _: Any) -> Callable[[], None] | None:
        def flush() -> None:
            self._look_around()
            for node in self._nodes.values():
                node.mode = node.latest_mode
                node.data = node.data if node.latest is None else node.latest
            self._apply(self._pending)
            self._pending.clear()

        return flush

    def _rename(self, arguments: Any, options: Any) -> Callable[[], None] | None:
        source = _path(arguments[0], options.get("src_dir_fd"))
        target = _path(arguments[1], options.get("dst_dir_fd"))
        parents = [self._at(path.parent) if path.parent.exists() else None for path in (source, target)]
        if None in parents or not os.path.lexists(source):
            return None
        node, (before, after) = self._at(source), parents
        if node is None or before is None or after is None:
            return None
        self._remember(target)
        change = Change(f"rename {source.name}", [(before, source.name)], [(after, target.name, node)], after)
        return lambda: self._record(change)

    def _mkdir(self, arguments: Any, options: Any) -> Callable[[], None] | None:
        path = _path(arguments[0], options.get("dir_fd"))
        parent = self._at(path.parent) if path.parent.exists() else None
        if parent is None or os.path.lexists(path):
            return None
        return lambda: self._record(
            Change(f"make {path.name}", [], [(parent, path.name, self._known(path))], parent)
        )

    def _link(self, arguments: Any, options: Any) -> Callable[[], None] | None:
        source, path = _path(arguments[0], None), _path(arguments[1], options.get("dir_fd"))
        parent = self._at(path.parent)
        node = self._at(source)
        if parent is None or node is None or os.path.lexists(path):
            return None
        return lambda: self._record(Change(f"link {path.name}", [], [(parent, path.name, node)], parent))

    def _symlink(self, arguments: Any, options: Any) -> Callable[[], None] | None:
        return self._mkdir(arguments[1:], options)

    def _remove(self, arguments: Any, options: Any) -> Callable[[], None] | None:
        path = _path(arguments[0], options.get("dir_fd"))
        if not os.path.lexists(path) or (parent := self._at(path.parent)) is None:
            return None
        self._remember(path)
        return lambda: self._record(Change(f"remove {path.name}", [(parent, path.name)], [], parent))

    def _chmod(self, arguments: Any, options: Any) -> Callable[[], None] | None:
        if isinstance(arguments[0], int):
            return self._write(arguments, options)
        path = _path(arguments[0], options.get("dir_fd"))
        return _nothing if os.path.lexists(path) and self._at(path) is not None else None

    def _remember(self, path: Path) -> None:
        """What is about to lose its name may survive, with what the kernel has of it."""
        if os.path.lexists(path) and (node := self._at(path)) is not None:
            node.latest_mode = path.lstat().st_mode
            if stat.S_ISREG(node.latest_mode):
                node.latest = path.read_bytes()


Step = Callable[[Disk, Any, Any], Callable[[], None] | None]
"""What a call is to a disk, by its arguments and options."""

STEPS: dict[str, Step] = {
    "open": Disk._open,
    "write": Disk._write,
    "fsync": Disk._fsync,
    "fdatasync": Disk._fsync,
    "rename": Disk._rename,
    "replace": Disk._rename,
    "mkdir": Disk._mkdir,
    "rmdir": Disk._remove,
    "unlink": Disk._remove,
    "link": Disk._link,
    "symlink": Disk._symlink,
    "chmod": Disk._chmod,
    "fchmod": Disk._chmod,
    "truncate": Disk._chmod,
    "ftruncate": Disk._write,
    "copy_file_range": lambda disk, arguments, options: disk._write(arguments[1:], options),
    "sync": Disk._sync_all,
}
"""Calls of `os`, and what they are on the disk."""

LIBRARY_STEPS: dict[str, Step] = {
    "rename_exclusive": Disk._rename,
    "sync_file_system": Disk._sync_all,
    "sync_file_system_of": Disk._sync_all,
}
"""The same of our own calls, in every adapter that has them."""


def _patch_everywhere(patch: pytest.MonkeyPatch, name: str, replaced: Callable[[Any], Any]) -> None:
    """Replaces a call that modules have by name."""
    original = getattr(syscalls, name, None)
    for title, module in list(sys.modules.items()):
        is_adapter = title.startswith("hermesd.adapters.") and title != syscalls.__name__
        if is_adapter and original is not None and getattr(module, name, None) is original:
            patch.setattr(module, name, replaced(original))


def _path(path: Any, dir_fd: int | None) -> Path:
    """Where a call leads; the way there is followed, the last name is not."""
    base = Path(f"/proc/self/fd/{dir_fd}").readlink() if dir_fd is not None else Path("/")
    given = base / os.fsdecode(path)
    return Path(os.path.realpath(given.parent)) / given.name


def _nothing() -> None:
    """A step that changes bytes only, which nobody counts on before they are flushed."""


def _content(node: Node, survival: Survival) -> bytes:
    return node.latest if survival.has_data and node.latest is not None else node.data


def _described(node: Node, prefix: str, survival: Survival) -> Iterator[tuple[str, tuple[str, bytes]]]:
    for name, child in sorted(node.entries.items()):
        mode = child.latest_mode if survival.has_data else child.mode
        yield f"{prefix}{name}", (stat.filemode(mode), _content(child, survival))
        yield from _described(child, f"{prefix}{name}/", survival)
