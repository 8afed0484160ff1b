"""Captured output in memory.

Owns: what gateways wrote and who follows it. Must not know a file system; nothing is ever rotated away.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

from tests.fakes.faults import Faults


class MemoryLogs:
    """Logs (port `Logs`) that a test writes with `write`."""

    def __init__(self, directory: Path = Path("/nowhere/logs/gateways")) -> None:
        self.faults = Faults()
        self.rotated: list[str] = []
        """Profile ids for which `rotate` was called, in order."""
        self.marked: list[str] = []
        """Profile ids for which `mark` was called, in order."""
        self._directory = directory
        self._text: dict[str, str] = defaultdict(str)
        self._followers: dict[str, list[asyncio.Queue[str]]] = defaultdict(list)

    def write(self, profile_id: str, text: str) -> None:
        """The gateway writes `text`; followers see a line once it has its end."""
        before = self._text[profile_id].count("\n")
        self._text[profile_id] += text
        for line in self._text[profile_id].split("\n")[before:-1]:
            for follower in self._followers[profile_id]:
                follower.put_nowait(line)

    def path(self, profile_id: str) -> Path:
        return self._directory / f"{profile_id}.log"

    def tail(self, profile_id: str, lines: int) -> list[str]:
        self.faults.trip("tail")
        text = self._text[profile_id]
        return _last(text if text.endswith("\n") or not text else f"{text}\n", lines)

    async def follow(self, profile_id: str, lines: int) -> AsyncIterator[str]:
        self.faults.trip("follow")
        arrivals: asyncio.Queue[str] = asyncio.Queue()
        complete, end, _ = self._text[profile_id].rpartition("\n")
        self._followers[profile_id].append(arrivals)
        try:
            for line in _last(complete + end, lines):
                yield line
            while True:
                yield await arrivals.get()
        finally:
            self._followers[profile_id].remove(arrivals)

    def mark(self, profile_id: str) -> None:
        self.faults.trip("mark")
        self.marked.append(profile_id)

    def rotate(self, profile_id: str) -> None:
        self.faults.trip("rotate")
        self.rotated.append(profile_id)

    def remove(self, profile_id: str) -> None:
        self.faults.trip("remove")
        self._text.pop(profile_id, None)


def _last(text: str, lines: int) -> list[str]:
    """The last lines of a text that is empty or ends with a line end."""
    every = text.split("\n")[:-1]
    return every[max(len(every) - lines, 0) :]
