"""Facts about one gateway on their way to its machine, and what is remembered of each.

Owns: which fact belongs to which start, and how a step changes the record. Must not know what is done about it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hermesd.domain.errors import HermesError
from hermesd.domain.gateway import LIVE, Event, Gateway, ParkedFor, State
from hermesd.domain.process import ExitReport, ExitStatus, LastExit
from hermesd.domain.profile import Home
from hermesd.domain.record import GatewayRecord

COMMANDS = frozenset({Event.START, Event.STOP, Event.RESTART})
"""What people post."""

DETAILED = frozenset(
    {
        Event.HUNG,
        Event.UNWELL,
        Event.PORT_TAKEN,
        Event.SPAWN_FAILED,
        Event.SPAWN_IMPOSSIBLE,
        Event.BUDGET_SPENT,
        Event.CLAIM_DENIED,
        Event.NO_CHANNEL,
    }
)
"""Facts whose detail says what the gateway waits for or suffers from."""


@dataclass
class Fact:
    """Something that happened to a gateway."""

    event: Event
    spawn_id: str = ""
    """The start it belongs to; a fact about an earlier one is dropped. Empty: it concerns the gateway as such."""
    last_exit: LastExit | None = None
    detail: str = ""
    recorded: asyncio.Future[None] | None = None
    """Resolved once the step is recorded; only commands have one."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """Who posted it, as facts of the events that come of it; empty for what happens by itself."""
    arming: int = 0
    """For TIMER: which arming of the timer rang. One that has been disarmed since is dropped."""
    is_boot: bool = False
    """Whether the daemon brings up what is wanted, which nobody may have changed since it looked."""

    @classmethod
    def of_end(cls, report: ExitReport, spawn_id: str, status: ExitStatus, *, now_s: float) -> "Fact":
        """That the process of a start has ended."""
        end = LastExit(report.cause, status, report.detail, now_s)
        return cls(report.event, spawn_id, end, report.detail)

    def __str__(self) -> str:
        return self.event.value

    def accept(self) -> None:
        """Tells whoever still waits that the step is recorded."""
        if self.recorded is not None and not self.recorded.done():
            self.recorded.set_result(None)

    def refuse(self, error: HermesError) -> None:
        """Tells whoever still waits that nothing has changed, and why."""
        if self.recorded is not None and not self.recorded.done():
            self.recorded.set_exception(error)


@dataclass(frozen=True)
class TurnCame:
    """A start that stood in line may begin. No step of the machine: it has been starting all along."""

    spawn_id: str

    def __str__(self) -> str:
        return "turn"

    def refuse(self, error: HermesError) -> None:
        """Nobody waits for it to be recorded."""


Post = Callable[[Fact | TurnCame], None]
"""Puts something that happened behind what has happened before. Never waits."""


def remembered(before: GatewayRecord, gateway: Gateway, fact: Fact, *, now_s: float) -> GatewayRecord:
    """The record after a step that made the gateway into `gateway`."""
    record = replace(before, gateway=gateway)
    if gateway.state is not before.gateway.state:
        record = replace(record, since_s=now_s, next_start_at_s=None, detail="")
    if gateway.state not in LIVE:
        record = replace(record, spawn_id="", home=None, process=None)
    if fact.event in COMMANDS:
        record = replace(record, restarts=0)
    if fact.event in DETAILED:
        record = replace(record, detail=fact.detail)
    if fact.last_exit is not None:
        record = replace(record, last_exit=fact.last_exit)
    if fact.event is Event.CLAIM_DENIED:
        record = replace(record, starts_s=record.starts_s[:-1])  # nothing was started that a platform could count
    return _claiming(record, now_s=now_s)


def at_rest(record: GatewayRecord, gateway: Gateway) -> GatewayRecord:
    """The record without a process, and without a next start."""
    resting = replace(record, gateway=gateway, spawn_id="", home=None, process=None, next_start_at_s=None)
    return resting if gateway.wanted_up else replace(resting, wished_at_s=None, claims=())


def _claiming(record: GatewayRecord, *, now_s: float) -> GatewayRecord:
    """The record with the age of its wish, and with what it claims as long as it comes back by itself."""
    gateway = record.gateway
    comes_back = gateway.wanted_up and gateway.state is not State.FAILED
    wished_at_s = (now_s if record.wished_at_s is None else record.wished_at_s) if comes_back else None
    keeps = gateway.state in LIVE or (comes_back and gateway.parked_for is not ParkedFor.CLAIM)
    return replace(record, wished_at_s=wished_at_s, claims=record.claims if keeps else ())


def is_to_boot(gateway: Gateway) -> bool:
    """Whether the daemon that comes up has to start it, if anything can reach it."""
    is_waiting = gateway.state is State.STOPPED or gateway.parked_for is ParkedFor.CHANNEL
    return gateway.wanted_up and is_waiting


def has_lost_home(record: GatewayRecord, home: Home | None) -> bool:
    """Whether what runs was started in a home that is gone, though another may stand under its name: `home`."""
    if record.gateway.state not in LIVE:
        return False
    return home is None or (record.home is not None and record.home.identity != home.identity)
