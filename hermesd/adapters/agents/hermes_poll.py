"""Whether a hermes-agent gateway has lost Telegram without saying so in its report.

Owns: the lines of its log that tell (hermes-agent 0.18.2 and 0.19.0). No version logs its polls, and its report
goes on saying "connected" while it tries to poll again, for seven minutes and more. Each look reads only what was
logged since the last one, and never more than the end of that. Must not know what is made of it.
"""

import os
import re
import stat
import time
from dataclasses import dataclass, replace
from pathlib import Path

PLATFORM = "telegram"
LOG = Path("logs") / "gateway.log"
MOST_BYTES = 65_536
"""What is read of a log at once: a few minutes' worth, if it says anything of Telegram at all."""

_BEGINNING = rb"^\S+ \S+ [A-Z]+(?: \[[^\]\n]*\])? \S*telegram\S*: \[[^\]\n]*\] "
_TOLD = re.compile(
    _BEGINNING + rb"(?:(?P<found>Telegram polling (?:restarted|resumed) after|Connected to Telegram \()"
    rb"|(?P<taken>Telegram polling (?:bootstrap )?conflict)"
    rb"|(?P<lost>Telegram network error|Telegram polling degraded|Connected in degraded Telegram mode))",
    re.MULTILINE,
)
_TROUBLES = {"lost": "it cannot poll Telegram and tries again", "taken": "another program polls with its token"}
_LONGEST_STEP_S = 300.0
"""The agent gives up a step of its attempts by then, and logs the next: a silence means that it has recovered."""


@dataclass(frozen=True)
class _Read:
    """How far a log was read, and the last that it told."""

    inode: int
    offset: int
    trouble: str = ""
    told_at_s: float = 0.0
    """By the monotonic clock."""


class Polls:
    """Reads logs of gateways on. For one thread at a time per home."""

    def __init__(self) -> None:
        self._read: dict[Path, _Read] = {}

    def trouble(self, home: Path) -> str:
        """What keeps a gateway that calls itself connected from hearing Telegram; empty if nothing does."""
        try:
            read = self._read[home] = _read_on(home / LOG, self._read.get(home))
        except OSError:  # no log, or none for us: the report has to do
            return ""
        return read.trouble if time.monotonic() - read.told_at_s < _LONGEST_STEP_S else ""


def _read_on(path: Path, before: _Read | None) -> _Read:
    found = path.lstat()
    if before is not None and (before.inode, before.offset) == (found.st_ino, found.st_size):
        return before
    if not stat.S_ISREG(found.st_mode):
        return _Read(found.st_ino, found.st_size)
    is_same = before is not None and before.inode == found.st_ino and before.offset <= found.st_size
    start = before if is_same and before is not None else _Read(found.st_ino, 0)
    offset = max(start.offset, found.st_size - MOST_BYTES)
    text = _between(path, offset, found.st_size)
    whole, newline, _ = text.rpartition(b"\n")  # what is not whole yet is read again
    read = replace(start, offset=offset + len(whole) + len(newline))
    told = None
    for told in _TOLD.finditer(whole):  # noqa: B007 - the last one counts
        pass
    if told is None:
        return read
    age_s = max(0.0, time.time() - found.st_mtime)  # at least: the line may be older than the log's last
    return replace(read, trouble=_TROUBLES.get(told.lastgroup or "", ""), told_at_s=time.monotonic() - age_s)


def _between(path: Path, start: int, end: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.pread(descriptor, end - start, start)
    finally:
        os.close(descriptor)
