"""The locks that hermes-agent's gateways take themselves: who has a claim that hermesd did not give.

Owns: where those files lie and what proves that one is somebody's (hermes-agent 0.18.2 and 0.19.0). They are only
read: the agent takes, replaces and removes them. Must not know whose gateways are whose.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hermesd.adapters import jsontext, procfs
from hermesd.domain.claims import Claim

DIRECTORY_VARIABLE = "HERMES_GATEWAY_LOCK_DIR"
_GATEWAY = b"gateway"


def read_holders(claims: Iterable[Claim], environment: Mapping[str, str]) -> dict[str, int]:
    """Pids of the living processes that have claims by the agent's own locks, by key; ours are among them.

    `environment` is a gateway's of ours. Gateways that a person started keep their locks where that person's
    variables say, so every directory that some living gateway was told counts as well. Never raises.
    """
    locked = [claim for claim in claims if claim.agents_lock]
    if not locked:
        return {}
    directories = _directories(environment)
    found = {claim.key: _owner(directories, claim.agents_lock) for claim in locked}
    return {key: pid for key, pid in found.items() if pid is not None}


def lock_directory(environment: Mapping[str, str]) -> Path:
    """Where a gateway with this environment keeps its locks."""
    if said := environment.get(DIRECTORY_VARIABLE):
        return Path(said)
    state = environment.get("XDG_STATE_HOME")
    base = Path(environment.get("HOME", "/"), ".local", "state") if state is None else Path(state)
    return base / "hermes" / "gateway-locks"


def _directories(environment: Mapping[str, str]) -> list[Path]:
    found = [lock_directory(environment), *(lock_directory(one) for one in _gateways())]
    return list(dict.fromkeys(found))


def _gateways() -> Iterator[Mapping[str, str]]:
    """What processes of ours were told whose command line has to do with a gateway; many are none."""
    for pid in procfs.pids():
        if _GATEWAY in (procfs.command_line(pid) or b"") and procfs.owner(pid) == os.geteuid():
            said = procfs.environ_of(pid)
            if said is not None and any(name in said for name in (DIRECTORY_VARIABLE, "XDG_STATE_HOME")):
                yield said


def _owner(directories: Iterable[Path], name: str) -> int | None:
    owners = (_living(_read_json(directory / name)) for directory in directories)
    return next((pid for pid in owners if pid is not None), None)


def _living(record: Any) -> int | None:
    """The process of a record if it lives: its pid, started when the record says, and no zombie.

    A record without a start time proves nothing on Linux, where the agent always writes one.
    """
    pid = record.get("pid") if isinstance(record, dict) else None
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return None
    found = procfs.stat(pid)
    is_it = found is not None and found.is_alive and found.start_ticks == record.get("start_time")
    return pid if is_it else None


def _read_json(path: Path) -> Any:
    """What a file says; `None` for one that is missing, half written or not for us."""
    try:
        return jsontext.parse(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError):
        return None
