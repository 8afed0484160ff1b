"""What a hermes-agent gateway reports of itself while it lives, and what it left behind when it ended.

Owns: `gateway_state.json` and the stop marker (hermes-agent 0.18.2 and 0.19.0). A report counts
only if it carries the pid and start time of the process in question: the file is merged at every start and
outlives its writer. Must not know how processes are started.
"""

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hermesd.adapters import jsontext, procfs
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.domain.gateway import Event
from hermesd.domain.masking import Masking, mask
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus, ProcessIdentity

REPORT = "gateway_state.json"
_DATABASE = "state.db"
_STOP_MARKER = ".gateway-planned-stop.json"
_RESTART_CODE = 75
_CONFIGURATION_CODE = 78
CONNECTED = "connected"
RETRYING = "retrying"
FATAL = "fatal"
RECONNECTING = "reconnecting"
"""Our own word for a platform that the agent calls connected while it tries to reach it again."""

REJECTED = "rejected"
"""Ours too, where it calls connected what has been told to go away, and obeys."""

GIVEN_UP = "given up"
"""Ours too, where it calls retrying what it never tries again."""

_WORKING = frozenset({CONNECTED, "disabled"})
"""The second is a platform that was left on purpose, as a relay that was opted out of."""
_TAKEN = re.compile(r"(?:port|address)\b.*\b(?:in use|taken)", re.IGNORECASE)
_CLOCK_SLACK_S = 1.0
"""The moment of boot is known to the second."""

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_DETAIL_CHARACTERS = 300


@dataclass(frozen=True)
class Platform:
    """One messaging platform in a report."""

    name: str
    state: str
    message: str
    updated_at_s: float
    """Seconds since the epoch; 0 when not said."""
    code: str = ""
    """What kind of trouble it is, in a word of the agent's."""

    @property
    def is_troubled(self) -> bool:
        """Whether it is enabled but does not work; whatever a later version may say of one counts as trouble."""
        return self.state not in _WORKING


@dataclass(frozen=True)
class Report:
    """A gateway's report of itself."""

    state: str
    exit_reason: str
    is_restart_requested: bool
    platforms: tuple[Platform, ...]
    active_turns: int = 0
    """Turns under way; those of its HTTP API are not counted (0.19.0)."""


def read_report(home: Path, process: ProcessIdentity, masking: Masking) -> Report | None:
    """The report of this very process; `None` if there is none yet. Platforms of earlier runs are left out.

    It tells no secret that `masking` hides, although the agent does.
    """
    said = read_json(home / REPORT)
    if (
        not isinstance(said, dict)
        or said.get("pid") != process.pid
        or said.get("start_time") != process.start_ticks
    ):
        return None
    earliest_s = started_at_s(process) - _CLOCK_SLACK_S
    entries = said.get("platforms")
    platforms = (
        [_platform(name, entry, masking) for name, entry in entries.items()] if isinstance(entries, dict) else []
    )
    return Report(
        state=one_line(said.get("gateway_state")),
        exit_reason=one_line(said.get("exit_reason"), masking),
        is_restart_requested=said.get("restart_requested") is True,
        platforms=tuple(platform for platform in platforms if platform.updated_at_s >= earliest_s),
        active_turns=_count(said.get("active_agents")),
    )


def started_at_s(process: ProcessIdentity) -> float:
    """When a process started, seconds since the epoch by today's clock; good to a second."""
    return procfs.booted_at_s() + process.start_ticks / TICKS_PER_S


def is_lived_in(home: Path) -> bool:
    """Whether an agent has worked here, by its database or a gateway's report, which fresh homes and clones lack.

    Both are only looked for, never opened.
    """
    return any(os.path.exists(home / name) for name in (_DATABASE, REPORT))  # noqa: PTH110 - it never raises


def announce_stop(home: Path, process: ProcessIdentity) -> None:
    """Leaves the marker that makes the gateway end with 0 at the SIGTERM that must follow at once.

    A home that was removed meanwhile has nobody to leave it for. Raises `DiskFull`, `NotPermitted`.
    """
    if not home.is_dir():
        return
    marker = {
        "target_pid": process.pid,
        "target_start_time": process.start_ticks,
        "stopper_pid": os.getpid(),
        "written_at": datetime.now(UTC).isoformat(),
    }
    replace_link(home / _STOP_MARKER)
    write_atomic(home / _STOP_MARKER, json.dumps(marker).encode())


def replace_link(path: Path) -> None:
    """Makes room for a file of the home's own where there is a link, which would be followed to wherever it leads.

    Raises `NotPermitted`.
    """
    with translating(path, "remove"):
        if path.is_symlink():
            path.unlink(missing_ok=True)


def explain_exit(home: Path, process: ProcessIdentity, status: ExitStatus, masking: Masking) -> ExitReport:
    """What an end means; 0 is a crash too, for nobody asked."""
    report = read_report(home, process, masking)
    reason = report.exit_reason if report is not None else ""
    code = status.code if status != ExitStatus() else _code_from(report)
    if code == _RESTART_CODE:
        return ExitReport(Event.RESTART_REQUESTED, ExitCause.RESTART_REQUESTED, reason)
    if code == _CONFIGURATION_CODE and _TAKEN.search(reason):
        return ExitReport(Event.PORT_TAKEN, ExitCause.PORT_TAKEN, reason)
    if code == _CONFIGURATION_CODE:
        return ExitReport(Event.MISCONFIGURED, ExitCause.MISCONFIGURED, reason)
    cause = ExitCause.UNKNOWN if status == ExitStatus() else ExitCause.CRASHED
    return ExitReport(Event.CRASHED, cause, reason)


def read_json(path: Path) -> Any:
    """What a file says; `None` for one that is missing, half written or not for us."""
    try:
        return jsontext.parse(path.read_bytes())
    except (OSError, ValueError):
        return None


def one_line(said: Any, masking: Masking = mask) -> str:
    """Text of the agent's as one bounded line of printable characters; empty if it is no text.

    It is masked before it is bounded: of half a token nobody knows what it is.
    """
    if not isinstance(said, str):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in said)
    return masking(" ".join(printable.split()))[:_DETAIL_CHARACTERS]


def _platform(name: object, entry: Any, masking: Masking) -> Platform:
    said = entry if isinstance(entry, dict) else {}
    return Platform(
        name=one_line(str(name)),
        state=one_line(said.get("state")),
        message=one_line(said.get("error_message"), masking),
        updated_at_s=_epoch_s(said.get("updated_at")),
        code=one_line(said.get("error_code")),
    )


def _count(said: Any) -> int:
    return said if isinstance(said, int) and said > 0 else 0


def _epoch_s(said: Any) -> float:
    """A time as the agent writes it: ISO text, or a number since the epoch."""
    try:
        if isinstance(said, int | float):
            return float(said)
        moment = datetime.fromisoformat(str(said))
    except (ValueError, OverflowError):  # a number beyond all bounds is no moment
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _code_from(report: Report | None) -> int | None:
    """The exit code that a report implies, for when the kernel no longer tells."""
    if report is None:
        return None
    if report.state == "startup_failed":
        return _CONFIGURATION_CODE
    return _RESTART_CODE if report.state == "stopped" and report.is_restart_requested else None
