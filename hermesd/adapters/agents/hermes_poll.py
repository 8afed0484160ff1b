"""Whether a hermes-agent gateway has lost Telegram without saying so in its report.

Owns: the lines of its logs that tell (hermes-agent 0.18.2 and 0.19.0). No version logs its polls, and its report
goes on saying "connected" while it tries to poll again, for seven minutes and more, and for ever once Telegram no
longer takes its token. Each look reads only what was logged since the last one, and never more than the end of
that. Must not know what is made of it.
"""

import os
import re
import stat
import time
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

PLATFORM = "telegram"
LOG = Path("logs") / "gateway.log"
ERRORS = Path("logs") / "errors.log"
"""The library that polls is no part of the gateway, so that its errors are here, among few others."""

MOST_BYTES = 65_536
"""What is read of a log at once: a few minutes' worth, if it says anything of Telegram at all."""


class Trouble(StrEnum):
    """What keeps a gateway that calls itself connected from hearing Telegram."""

    NONE = ""
    LOST = "it cannot poll Telegram and tries again"
    TAKEN = "another program polls with its token"
    REJECTED = "Telegram no longer takes its token, and it has stopped polling for good"


_MOMENT = rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* "
_BEGINNING = _MOMENT + rb"[A-Z]+(?: \[[^\]\n]*\])? \S*telegram\S*: \[[^\]\n]*\] "
_TOLD = re.compile(
    _BEGINNING + rb"(?:(?P<found>Connected to Telegram \()"
    rb"|(?P<tried>Telegram polling (?:restarted|resumed) after)"
    rb"|(?P<taken>Telegram polling (?:bootstrap )?conflict)"
    rb"|(?P<lost>Telegram network error|Telegram polling degraded|Connected in degraded Telegram mode"
    rb"|Telegram polling reconnect failed|Telegram polling heartbeat: \d+ update\(s\) queued))",
    re.MULTILINE,
)
_REJECTED = re.compile(
    _MOMENT
    + rb"ERROR(?: \[[^\]\n]*\])? telegram\.ext\S*: Network Retry Loop \(Polling Updates\): Invalid token\b",
    re.MULTILINE,
)
_TROUBLES = {"lost": Trouble.LOST, "taken": Trouble.TAKEN}
_LONGEST_STEP_S = 300.0
"""The agent gives up a step of its attempts by then, and logs the next: a silence means that it has recovered."""

_PROVEN_S = 150.0
"""How long after it polls again a next trouble would have been logged: its own probes are 90 s apart (0.19.0)."""

_SLACK_S = 1.0
"""A log says a moment to the second that counts here."""


@dataclass(frozen=True)
class _Read:
    """How far a log was read."""

    inode: int = 0
    offset: int = 0
    text: bytes = b""
    """The whole lines that were read last."""
    written_s: float = 0.0
    """When the log was last written, seconds since the epoch."""


@dataclass(frozen=True)
class _Told:
    """What the logs of a home have told so far."""

    log: _Read = _Read()
    errors: _Read = _Read()
    trouble: Trouble = Trouble.NONE
    ends_at_s: float = 0.0
    """When that is over if nothing more is logged, by the monotonic clock."""
    rejected_at_s: float = 0.0
    """When the token was last rejected for good, seconds since the epoch."""


class Polls:
    """Reads logs of gateways on. For one thread at a time per home."""

    def __init__(self) -> None:
        self._told: dict[Path, _Told] = {}

    def trouble(self, home: Path, connected_at_s: float) -> Trouble:
        """What keeps a gateway from hearing Telegram that says that it has been connected since a moment.

        A rejection ends the polls of that connection and of no later one. Both moments are the agent's own.
        """
        told = self._told.get(home, _Told())
        told = _with_log(told, _read_on(home / LOG, told.log))
        told = self._told[home] = _with_errors(told, _read_on(home / ERRORS, told.errors))
        if told.rejected_at_s and told.rejected_at_s >= connected_at_s - _SLACK_S:
            return Trouble.REJECTED
        return told.trouble if time.monotonic() < told.ends_at_s else Trouble.NONE


def _with_log(before: _Told, log: _Read) -> _Told:
    """What counts is the last line, but that polls which were begun again are not proven to be answered."""
    told = replace(before, log=replace(log, text=b""))
    is_first = before.log == _Read()
    for found in _TOLD.finditer(log.text):
        began_s = time.monotonic() - _age_s(log.written_s, _epoch_s(found[1]) if is_first else 0.0)
        match found.lastgroup:
            case "found":
                told = replace(told, trouble=Trouble.NONE)
            case "tried":
                told = replace(told, trouble=told.trouble or Trouble.LOST, ends_at_s=began_s + _PROVEN_S)
            case kind:
                told = replace(told, trouble=_TROUBLES[kind or ""], ends_at_s=began_s + _LONGEST_STEP_S)
    return told


def _with_errors(before: _Told, errors: _Read) -> _Told:
    moments = [found[1] for found in _REJECTED.finditer(errors.text)]
    rejected_at_s = _epoch_s(moments[-1]) if moments else before.rejected_at_s
    return replace(before, errors=replace(errors, text=b""), rejected_at_s=rejected_at_s)


def _age_s(written_s: float, said_s: float) -> float:
    """How old a line is: not younger than its log's last; of those that were there before us, as it says."""
    now_s = time.time()
    return max(0.0, now_s - written_s, now_s - said_s if said_s else 0.0)


def _epoch_s(moment: bytes) -> float:
    """Local time as the agent writes it; 0 if there is no such moment."""
    try:
        return datetime.fromisoformat(moment.decode()).timestamp()
    except ValueError:
        return 0.0


def _read_on(path: Path, before: _Read) -> _Read:
    """The next whole lines; what is not whole yet is read again. No log, or none for us, tells nothing."""
    try:
        found = path.lstat()
        is_same = before.inode == found.st_ino and before.offset <= found.st_size
        if (is_same and before.offset == found.st_size) or not stat.S_ISREG(found.st_mode):
            return _Read(found.st_ino, found.st_size)
        offset = max(before.offset if is_same else 0, found.st_size - MOST_BYTES)
        text = _between(path, offset, found.st_size)
    except OSError:
        return replace(before, text=b"")
    whole, newline, _ = text.rpartition(b"\n")
    end = offset + len(whole) + len(newline)
    return _Read(found.st_ino, end, whole, found.st_mtime)


def _between(path: Path, start: int, end: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.pread(descriptor, end - start, start)
    finally:
        os.close(descriptor)
