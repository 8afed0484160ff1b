"""Processes as the kernel and our own record identify them, and how they end.

Owns: what identifies a process and what an end means. Must not know how a process is started or watched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hermesd.domain.claims import ClaimLock
from hermesd.domain.gateway import Event
from hermesd.domain.limits import Limits

SPAWN_ID_VARIABLE = "HERMESD_SPAWN_ID"
"""Environment variable that marks every process of a gateway's tree with the start it comes from."""

HOME_VARIABLE = "HERMES_HOME"
"""Environment variable that tells an agent its home; who has another home there works for another profile."""


@dataclass(frozen=True)
class ProcessIdentity:
    """One process and no other: a pid alone is reused, a start time alone repeats after a reboot."""

    boot_id: str
    pid: int
    start_ticks: int
    """Start time in clock ticks since boot: field 22 of /proc/PID/stat."""
    spawn_id: str


@dataclass(frozen=True)
class SpawnSpec:
    """All that a new gateway process gets. Nothing else reaches it."""

    name: str
    """Name of the profile, which a service manager's unit is named after."""
    spawn_id: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    """The whole environment; the spawn id is added to it."""
    working_directory: Path
    log_path: Path
    """Receives standard output and error, appended."""
    lock_path: Path
    """Locked before the start and inherited, so that it stays locked while any of the tree lives."""
    claims: tuple[ClaimLock, ...] = ()
    """Locked and inherited likewise, all or none: what no other gateway may use while any of the tree lives."""
    limits: Limits = field(default_factory=dict)
    """What the tree is to be held to, as far as the backend can; see `Backend.limits`."""


@dataclass(frozen=True)
class ExitStatus:
    """How a process ended. Both fields are `None` when the kernel no longer tells."""

    code: int | None = None
    signal: int | None = None

    def __str__(self) -> str:
        if self.signal is not None:
            return f"signal {self.signal}"
        return "unknown" if self.code is None else f"exit code {self.code}"


class ExitCause(StrEnum):
    """Why a gateway's process ended, as people are told."""

    STOPPED = "stopped"
    CRASHED = "crashed"
    RESTART_REQUESTED = "restart_requested"
    MISCONFIGURED = "misconfigured"
    PORT_TAKEN = "port_taken"
    START_TIMEOUT = "start_timeout"
    UNKNOWN = "unknown"
    NOT_LAUNCHED = "not_launched"
    HUNG = "hung"
    UNWELL = "unwell"


@dataclass(frozen=True)
class ExitReport:
    """What an agent's end means: the event for the machine, and the story for people."""

    event: Event
    cause: ExitCause
    detail: str = ""


@dataclass(frozen=True)
class LastExit:
    """The last end of a gateway, as it is recorded and shown."""

    cause: ExitCause
    status: ExitStatus
    detail: str
    at_s: float
    """Seconds since the epoch."""


class Phase(StrEnum):
    """How far an agent has come since its start."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"


@dataclass(frozen=True)
class Sign:
    """What can be seen of one layer of a running agent: its HTTP API, a messaging platform."""

    name: str
    """`api_server`, or the platform's."""
    is_well: bool
    word: str
    """What is seen, in a word or two: "answers", "connected", "retrying"."""
    detail: str = ""
    """What is known of a trouble beyond that."""
    at_s: float | None = None
    """When the agent said so, seconds since the epoch; `None` for what was seen just now."""
    is_platform: bool = False
    is_mended_by_restart: bool = False
    """Whether a restart may mend what is wrong, because the agent does not try to by itself."""
    polled_at_s: float | None = None
    """When the platform was last polled, where the agent tells, by whatever clock: only that it moves counts."""
    poll_every_s: float | None = None
    """How often it is polled; `None` where that cannot be seen."""


@dataclass(frozen=True)
class Probe:
    """What an agent says of itself."""

    phase: Phase
    detail: str = ""
    """What it waits for or suffers from; empty when ready."""
    signs: tuple[Sign, ...] = ()
    """What can be seen of each layer once it is up. Whatever keeps it from being ready is among them."""
    beats: Mapping[str, float] = field(default_factory=dict)
    """When its event loop last left a sign of life, by where, in seconds of this machine's monotonic clock."""
    is_draining: bool = False
    """Whether it finishes its turns and takes no new ones."""
    active_turns: int = 0
    """Turns under way, as far as it says."""


@dataclass(frozen=True)
class Foreign:
    """A gateway that hermesd did not start."""

    pid: int
    owner: str = ""
    """The account it belongs to, or that account's number."""
    started_at_s: float | None = None
    """Seconds since the epoch."""
    unit: str = ""
    """The service unit that keeps it; empty if none does."""
    tty: str = ""
    """The terminal it was started on; empty for none."""
    resolution: str = ""
    """The line that ends it where it was started."""
    is_proven: bool = True
    """Whether it was seen to be of this home; else only its record says so."""
