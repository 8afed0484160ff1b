"""Scheduled jobs of a hermes-agent home.

Owns: how `cron/jobs.json` says that a job is active or paused (hermes-agent 0.19.0: the scheduler only looks at
`enabled`, the list of jobs only at `state`). Must not know why jobs are paused.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from hermesd.adapters import jsontext
from hermesd.adapters.agents.hermes_moves import JOBS, Move, move_paths
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.textfile import invalid, read_text

_BYTE_ORDER_MARK = "\ufeff"


def count_active(home: Path) -> int:
    """How many jobs the scheduler would run.

    Raises:
        ConfigInvalid: nobody can tell, the agent neither.
    """
    return sum(map(_is_active, _jobs(_read(home / JOBS))))


def adapt_jobs(home: Path, move: Move, *, keeps_active: bool) -> int:
    """Brings a clone's jobs to its own place, and pauses them; returns how many.

    Raises:
        ConfigInvalid: nobody can tell, the agent neither.
        DiskFull, NotPermitted: the file cannot be written.
    """
    path = home / JOBS
    data = _read(path)
    jobs = _jobs(data)
    paused = 0
    for job in jobs:
        for claim in ("run_claim", "fire_claim"):
            if job.get(claim) is not None:  # of a gateway that runs it for the source
                job[claim] = None
        if _is_active(job) and not keeps_active:
            _pause(job, f"cloned from {move.before}")
            paused += 1
    move_paths(move, {"jobs": jobs})
    if jobs:
        write_atomic(path, jsontext.rendered(data))
    return paused


def pause_jobs(home: Path, reason: str) -> list[str]:
    """Pauses every job of a home that nobody uses yet; returns what each active one was to do, when.

    Raises:
        ConfigInvalid: nobody can tell, the agent neither.
        DiskFull, NotPermitted: the file cannot be written.
    """
    path = home / JOBS
    data = _read(path)
    active = [job for job in _jobs(data) if _is_active(job)]
    for job in active:
        _pause(job, reason)
    if active:
        write_atomic(path, jsontext.rendered(data))
    return [_told(job) for job in active]


def _told(job: dict[str, Any]) -> str:
    name = str(job.get("name") or job.get("id") or "without a name")
    when = str(job.get("schedule_display") or "")
    task = " ".join(str(job.get("prompt") or job.get("script") or "").split())
    return ": ".join(part for part in (name, when, task) if part)


def _read(path: Path) -> Any:
    """The document as the agent reads it, which forgives raw control characters."""
    text = read_text(path).removeprefix(_BYTE_ORDER_MARK)
    try:
        data = jsontext.parse(text, is_strict=False) if text else {}
    except ValueError as error:
        raise invalid(path, "it is not JSON") from error
    if not isinstance(data, dict | list):
        raise invalid(path, "it is not a list of jobs")
    return data


def _jobs(data: Any) -> list[dict[str, Any]]:
    """The jobs of either form; the agent takes a bare list too."""
    jobs = data.get("jobs") if isinstance(data, dict) else data
    return [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []


def _is_active(job: dict[str, Any]) -> bool:
    return bool(job.get("enabled", True))


def _pause(job: dict[str, Any], reason: str) -> None:
    """As `hermes cron pause` does it, so that `hermes cron resume` undoes it."""
    now = datetime.now().astimezone().isoformat()
    job |= {"enabled": False, "state": "paused", "paused_at": now, "paused_reason": reason}
