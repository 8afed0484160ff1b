"""The heartbeat of a hermes-agent gateway: a file that its loop rewrites every 30 s (0.19.0; 0.18.2 has none).

Owns: which heartbeat is of which process. Pids return, in a container even the same one after every restart, and
the file outlives its writer, its boot and a change to an agent that writes none; so a heartbeat of a stranger
would look like a loop that stands still. Clocks jump, so a moment that does not fit proves nothing while the heart
beats. Must not know what a silence means.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters.agents.hermes_state import TICKS_PER_S, read_json, started_at_s
from hermesd.domain.process import ProcessIdentity

HEARTBEAT = Path("state") / "gateway.heartbeat"
_IMPORTING_S = 120.0
"""The agent notes its start once it is loaded, which takes a slow machine a while."""

_SLACK_S = 1.0


@dataclass(frozen=True)
class _First:
    """The first heartbeat that was seen with a process's pid."""

    process: ProcessIdentity
    beat_s: float


class Heartbeats:
    """Reads heartbeats, and remembers the first of each process. For one thread at a time per home."""

    def __init__(self) -> None:
        self._first: dict[Path, _First] = {}

    def last_s(self, home: Path, process: ProcessIdentity) -> float | None:
        """When the process's loop last left its heartbeat, by the monotonic clock; `None` if it never did."""
        said = read_json(home / HEARTBEAT)
        if not isinstance(said, dict) or said.get("pid") != process.pid:
            return None
        beat_s, noted_s = _number(said.get("monotonic")), _number(said.get("start_time"))
        if beat_s is None or not _earliest_s(process) <= beat_s <= time.monotonic() + _SLACK_S:
            return None
        first = self._first.get(home)
        if first is None or first.process != process:
            first = self._first[home] = _First(process, beat_s)
        is_known = beat_s != first.beat_s or (noted_s is not None and _fits(noted_s, process))
        return beat_s if is_known else None


def _earliest_s(process: ProcessIdentity) -> float:
    """Before this, by the monotonic clock, the process was not there: that clock stands still in a suspend, and
    the kernel's start times go on."""
    suspended_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return process.start_ticks / TICKS_PER_S - suspended_s - _SLACK_S


def _fits(noted_s: float, process: ProcessIdentity) -> bool:
    return -_SLACK_S <= noted_s - started_at_s(process) + _SLACK_S <= _IMPORTING_S


def _number(said: object) -> float | None:
    try:
        return float(said) if isinstance(said, int | float) else None
    except OverflowError:
        return None
