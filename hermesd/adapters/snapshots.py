"""Snapshots of databases, taken by a program of their own: the daemon never opens a profile's database.

Owns: the child, its end when nobody wants the result any more, and what it says. Must not know whose the databases
are.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hermesd.domain.errors import Cancelled, HermesError

PROGRAM = Path(__file__).with_name("snapshot_program.py")
_POLL_S = 0.1
"""How soon a request to stop is noticed."""

Pair = tuple[Path, Path]
"""A database, and where its copy is to be."""


class Snapshots:
    """Copies of databases in the making. As a context manager it leaves no process behind."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        """They are begun with the block."""
        self._pairs = pairs
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._pairs:
            self._child = self._begun()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def finish(self, is_cancelled: Callable[[], bool]) -> list[tuple[Path, str]]:
        """Waits for all of them. Returns each database whose copy is not what it should be, and why.

        Raises:
            Cancelled: it was asked to stop.
            OSError: a copy could not be written.
            HermesError: the program failed.
        """
        if self._child is None:
            return []
        said, complaint = self._outcome(self._child, is_cancelled)
        lines = said.decode("utf-8", "replace").splitlines()
        told = [
            (source, why) for (source, _), line in zip(self._pairs, lines, strict=False) if (why := _meaning(line))
        ]
        if len(lines) != len(self._pairs):
            last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise HermesError(f"cannot copy {self._pairs[len(lines)][0]}: {last or 'its program was ended'}")
        return told

    def _begun(self) -> "subprocess.Popen[bytes]":
        """Starts the program with all it is to do in a file in memory: neither side ever waits for the other."""
        words = os.memfd_create("pairs")
        try:
            rest = memoryview(b"".join(os.fsencode(path) + b"\0" for pair in self._pairs for path in pair))
            while rest:
                rest = rest[os.write(words, rest) :]
            os.lseek(words, 0, os.SEEK_SET)
            argv = [sys.executable, "-I", "-S", str(PROGRAM)]
            pipe = subprocess.PIPE
            return subprocess.Popen(argv, stdin=words, stdout=pipe, stderr=pipe, env={}, start_new_session=True)
        finally:
            os.close(words)

    def _outcome(self, child: "subprocess.Popen[bytes]", is_cancelled: Callable[[], bool]) -> tuple[bytes, bytes]:
        while True:
            try:
                return child.communicate(timeout=_POLL_S)
            except subprocess.TimeoutExpired as error:
                if is_cancelled():
                    raise Cancelled("copying was cancelled") from error


def _meaning(line: str) -> str:
    """What a line says to people; nothing for a copy that is whole."""
    word, _, rest = line.partition("\t")
    if word == "errno":
        number, _, side = rest.partition("\t")
        code = int(number)
        if side == "target":
            raise OSError(code, os.strerror(code))
        return "" if code == errno.ENOENT else f"it cannot be read: {os.strerror(code)}"
    if word == "bytes":
        return f"it is damaged and was copied as it is: {rest}"
    return "" if word == "whole" else "it was written all the while: its copy may be of two moments"
