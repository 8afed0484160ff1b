"""Whether a hermes-agent gateway still tries to reach a platform that it says it is retrying.

Owns: how long it may take between two attempts. The agent writes a platform's entry anew with each attempt, at
most 330 s apart (300 s of waiting, 30 s of trying). Where the adapter itself gave up after ten network errors,
though, the entry says "retrying" and there is never another attempt (0.19.0): then only a restart mends it. Must
not know what is made of it.

An entry counts as old by the time for which it was watched unchanged, and not by what it says: a wall clock that
jumps makes no entry old, and neither does a machine that slept, or a daemon that did.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters.agents.hermes_state import RETRYING, Platform
from hermesd.domain.process import ProcessIdentity

GIVEN_UP_S = 2 * 330.0
_MOST_GAP_S = 75.0
"""What the time between two looks counts at most: beyond that, somebody may have stood still."""


@dataclass(frozen=True)
class _Watched:
    """What is known of one process."""

    process: ProcessIdentity
    looked_at_s: float
    unchanged_s: dict[tuple[str, float], float]
    """For how long each entry has been watched, by platform and the moment that it says."""


class Retries:
    """Watches the attempts of gateways. For one thread at a time per home."""

    def __init__(self) -> None:
        self._watched: dict[Path, _Watched] = {}

    def given_up(
        self, home: Path, process: ProcessIdentity, platforms: Iterable[Platform], now_s: float | None = None
    ) -> frozenset[str]:
        """Names of those that it does not try to reach any more. `now_s` is by the monotonic clock."""
        now_s = time.monotonic() if now_s is None else now_s
        before = self._watched.get(home)
        if before is None or before.process != process:
            before = _Watched(process, now_s, {})
        watched_s = min(now_s - before.looked_at_s, _MOST_GAP_S)
        known = before.unchanged_s
        entries = [(one.name, one.updated_at_s) for one in platforms if one.state == RETRYING]
        unchanged_s = {entry: known[entry] + watched_s if entry in known else 0.0 for entry in entries}
        self._watched[home] = _Watched(process, now_s, unchanged_s)
        return frozenset(name for (name, _), seen_s in unchanged_s.items() if seen_s >= GIVEN_UP_S)
