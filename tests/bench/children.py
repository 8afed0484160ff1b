"""Trivial children, the same for every supervisor, which tell themselves that they are up.

Owns: what is supervised in a bench, when each child began and which of them live. A child writes its number and
pid into a FIFO and becomes a `sleep` that bears its number, so nobody polls for a start and no supervisor is
believed. Must not know the supervisors.
"""

import os
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Birth:
    """A child that came up."""

    number: int
    pid: int
    at_s: float
    """On the clock of `time.perf_counter`."""


class Children:
    """The children of one supervisor."""

    def __init__(self, directory: Path) -> None:
        self._sleeper = directory / "sleeper"
        self._script = directory / "child"
        self._fifo = directory / "births"
        shutil.copy(shutil.which("sleep") or "/bin/sleep", self._sleeper)
        self._script.write_text(self._lines('"$1"'))
        os.mkfifo(self._fifo, 0o600)
        self._births: list[Birth] = []
        self._changed = threading.Condition()
        # Open for writing too, so that it never ends while no child has it open.
        self._reading = os.fdopen(os.open(self._fifo, os.O_RDWR), "rb", buffering=0)
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def command(self, number: int) -> list[str]:
        """What a supervisor runs for this child."""
        return ["/bin/sh", str(self._script), str(number)]

    def script(self, number: int) -> str:
        """The same as the text of a program of its own, for supervisors that want one."""
        return f"#!/bin/sh\n{self._lines(str(number))}"

    def wait(self, numbers: Collection[int], since_s: float, limit_s: float) -> float:
        """When the last of these children came up, counting only what came up after `since_s`.

        Raises:
            TimeoutError: not all of them did within `limit_s` of now.
        """
        deadline_s = time.perf_counter() + limit_s
        with self._changed:
            while missing := set(numbers) - {birth.number for birth in self._since(since_s)}:
                left_s = deadline_s - time.perf_counter()
                if left_s <= 0:
                    raise TimeoutError(f"{len(missing)} of {len(numbers)} children did not come up")
                self._changed.wait(left_s)
            first = {birth.number: birth.at_s for birth in reversed(list(self._since(since_s)))}
        return max(first[number] for number in numbers)

    def living(self) -> dict[int, list[int]]:
        """Pids of every living child by number; two under one number are doubles."""
        found: dict[int, list[int]] = {}
        for entry in PROC.iterdir():
            if entry.name.isdecimal() and (number := self._number_of(entry)) is not None:
                found.setdefault(number, []).append(int(entry.name))
        return found

    def close(self) -> None:
        """Stops listening."""
        with self._fifo.open("ab", buffering=0) as writing:
            writing.write(b"end\n")
        self._reader.join()
        self._reading.close()

    def _lines(self, number: str) -> str:
        return f'echo {number} $$ >>"{self._fifo}"\nexec "{self._sleeper}" infinity {number}\n'

    def _since(self, since_s: float) -> Iterator[Birth]:
        return (birth for birth in self._births if birth.at_s >= since_s)

    def _number_of(self, entry: Path) -> int | None:
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        return int(words[2]) if words[0] == os.fsencode(self._sleeper) else None

    def _listen(self) -> None:
        partial = b""
        while True:
            *lines, partial = (partial + self._reading.read(65536)).split(b"\n")
            now_s = time.perf_counter()
            if b"end" in lines:
                return
            with self._changed:
                self._births += [_birth(line, now_s) for line in lines]
                self._changed.notify_all()


def _birth(line: bytes, at_s: float) -> Birth:
    number, pid = line.split()
    return Birth(int(number), int(pid), at_s)
