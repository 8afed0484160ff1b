"""Failures at a chosen step of a write.

Owns: counting the calls that change a file system, and failing the one asked for. Must not know what is written.
A crash is told apart from an error by what follows: after an error the code may clean up, after a crash every
further call is refused too, as if the process were gone.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters import atomic, homes, skillstaging, skillswaps, skillworks, syscalls, trash

CALLS = ("open", "write", "fsync", "mkdir", "chmod", "fchmod", "rename", "replace", "unlink", "rmdir")
FILLING = frozenset({"open", "write", "fsync", "mkdir", "rename", "replace", "rename_exclusive"})
"""Calls that a full disk can fail."""


class Crash(BaseException):
    """The process is gone. No `except` of the code under test may catch this."""


class Injector:
    """Fails the `number`-th call, counted from 1."""

    def __init__(self, number: int, error: BaseException, *, only: frozenset[str] | None = None) -> None:
        self.has_fired = False
        self._left = number
        self._error = error
        self._only = only

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, counted."""

        def counted(*arguments: Any, **options: Any) -> Any:
            if self._is_due(name, arguments):
                if name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise self._error
            return None if name == "fsync" else call(*arguments, **options)

        return counted

    def _is_due(self, name: str, arguments: tuple[Any, ...]) -> bool:
        if self.has_fired:
            return isinstance(self._error, Crash)
        if self._only is not None and name not in self._only:
            return False
        if name == "open" and not arguments[1] & os.O_CREAT:
            return False
        self._left -= 1
        self.has_fired = self._left == 0
        return self.has_fired


@contextmanager
def injected(injector: Injector) -> Iterator[None]:
    """Every call that changes the file system goes through the injector."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, injector.wrap(name, getattr(os, name)))
        for module in (atomic, homes, skillswaps, trash):
            patch.setattr(module, "rename_exclusive", injector.wrap("rename_exclusive", module.rename_exclusive))
        patch.setattr(skillswaps, "exchange", injector.wrap("exchange", syscalls.exchange))
        for flushing in (skillstaging, skillworks):
            patch.setattr(flushing, "sync_file_system", injector.wrap("fsync", flushing.sync_file_system))
        yield


def crash_at(number: int, work: Callable[[], object], *, only: frozenset[str] | None = None) -> bool:
    """Runs `work` up to its `number`-th step, of all or of some kinds. Returns whether it had that many."""
    injector = Injector(number, Crash(), only=only)
    with injected(injector):
        try:
            work()
        except Crash:
            return True
    return injector.has_fired


def fill_disk_at(number: int, work: Callable[[], object], failure: type[Exception]) -> bool:
    """Runs `work` with a disk that is full at one step; it must say so. Returns whether it had that many."""
    injector = Injector(number, OSError(errno.ENOSPC, "full"), only=FILLING)
    with injected(injector):
        try:
            work()
        except failure:
            assert injector.has_fired
            return True
    assert not injector.has_fired, "a full disk was passed over in silence"
    return False


def snapshot(directory: Path) -> dict[str, tuple[str, bytes]]:
    """Everything below a directory: mode, and content or link target, by relative path."""
    return {str(path.relative_to(directory)): _describe(path) for path in sorted(directory.rglob("*"))}


def _describe(path: Path) -> tuple[str, bytes]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return stat.filemode(mode), os.fsencode(path.readlink())
    return stat.filemode(mode), path.read_bytes() if stat.S_ISREG(mode) else b""
