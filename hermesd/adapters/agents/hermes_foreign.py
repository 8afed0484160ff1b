"""Gateways of hermes-agent that hermesd did not start.

Owns: what proves one (hermes-agent 0.18.2 and 0.19.0): a record in the home of a living process with that start
time, which holds the lock on this very home's `gateway.lock`. A record alone proves nothing, for it outlives its
process and is copied with a home. Asking hermes-agent itself is no way: it tries the lock, and a gateway that is
just starting may fail for that. Must not know what is done about one.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hermesd.adapters import heldlocks, procfs
from hermesd.adapters.agents.hermes_state import REPORT, read_json, replace_link
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.heldlocks import Evidence
from hermesd.adapters.origins import origin_of
from hermesd.domain.process import Foreign, ProcessIdentity

LOCK = "gateway.lock"
RECORDS = ("gateway.pid", LOCK, REPORT)
"""The first two go if somebody asks hermes-agent at the wrong moment whether the gateway runs (0.19.0)."""

Record = tuple[int, int | None]
"""A pid, and the start time that goes with it, in clock ticks since boot, where it is told."""


def foreign_gateway(home: Path, own: ProcessIdentity | None) -> Foreign | None:
    """See the port."""
    for pid, start_ticks in _records(home):
        if own is not None and (pid, start_ticks or own.start_ticks) == (own.pid, own.start_ticks):
            continue
        found = _seen_as_is(pid, start_ticks, home / LOCK) or _seen_from_outside(pid, start_ticks, home / LOCK)
        if found is not None and (own is None or found[0] != own.pid):
            gateway, is_proven = found
            return _described(gateway, is_proven=is_proven)
    return None


def disown(home: Path) -> None:
    """Takes out of a home's report a process that lives and is not its gateway; all else in it stays.

    A home that was copied while its gateway ran names the original's. hermes-agent (0.18.2 and 0.19.0) takes any
    living gateway that a report names for that home's own, and refuses to start another; a stop with it would end
    the original. Raises `DiskFull`, `NotPermitted`.
    """
    said = read_json(home / REPORT)
    record = _parse(said) if isinstance(said, dict) else None
    if record is None or not _is_alive(*record) or foreign_gateway(home, None) is not None:
        return
    kept = {name: value for name, value in said.items() if name not in ("pid", "start_time")}
    replace_link(home / REPORT)
    write_atomic(home / REPORT, json.dumps(kept).encode())


def _seen_as_is(pid: int, start_ticks: int | None, lock: Path) -> tuple[int, bool] | None:
    """The recorded process, and whether its lock was seen; `None` if it is no gateway of this home."""
    if not _is_alive(pid, start_ticks):
        return None
    match heldlocks.evidence(pid, lock):
        case Evidence.HELD:
            return pid, True
        case Evidence.UNKNOWN:
            return pid, False
        case Evidence.NOT_HELD:
            return (pid, True) if procfs.holds_removed(pid, lock) else None


def _seen_from_outside(pid: int, start_ticks: int | None, lock: Path) -> tuple[int, bool] | None:
    """The same, of a process that has that pid in a container, or is hidden from us but for its lock."""
    for taker in heldlocks.takers(lock):
        if taker == pid and procfs.stat(pid) is None:
            return taker, True
        if taker != pid and procfs.inner_pid(taker) == pid and _is_alive(taker, start_ticks):
            return taker, True
    return None


def _is_alive(pid: int, start_ticks: int | None) -> bool:
    found = procfs.stat(pid)
    return found is not None and found.is_alive and start_ticks in (None, found.start_ticks)


def _described(pid: int, *, is_proven: bool) -> Foreign:
    origin = origin_of(pid)
    return Foreign(
        pid,
        owner=origin.owner,
        started_at_s=origin.started_at_s,
        unit=origin.unit,
        tty=origin.tty,
        resolution=origin.resolution,
        is_proven=is_proven,
    )


def _records(home: Path) -> Iterator[Record]:
    """What the home says, each once; nothing of what is damaged."""
    told: set[Record] = set()
    for name in RECORDS:
        record = _parse(read_json(home / name))
        if record is not None and record not in told:
            told.add(record)
            yield record


def _parse(said: Any) -> Record | None:
    """A record as a gateway writes it: with its start time, or just its pid."""
    fields = said if isinstance(said, dict) else {"pid": said}
    pid, start_ticks = fields.get("pid"), fields.get("start_time")
    if type(pid) is not int or pid <= 0:
        return None
    return (pid, start_ticks) if start_ticks is None or type(start_ticks) is int else None
