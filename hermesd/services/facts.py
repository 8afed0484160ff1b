"""Facts about one gateway on their way to its machine, and what is remembered of each.

Owns: which fact belongs to which start, and how a step changes the record. Must not know what is done about it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hermesd.domain.budget import Budget, frees_at_s, recent
from hermesd.domain.errors import BudgetSpent
from hermesd.domain.gateway import LIVE, Event, Gateway, ParkedFor, State
from hermesd.domain.ports import GatewayRecord
from hermesd.domain.process import LastExit
from hermesd.domain.profile import Home

SETTLED = frozenset({State.STOPPED, State.RUNNING, State.BACKOFF, State.PARKED, State.FAILED})
"""States in which a command has come to its end: what happens next, nobody asked for."""

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
    return record


def with_start(record: GatewayRecord, before: State, fact: Fact, *, spawn_id: str, home: Home) -> GatewayRecord:
    """The record with a start under way that `fact` led to, from state `before`."""
    is_first = fact.event in (*COMMANDS, Event.CHANNEL_FOUND)
    is_asked_for = is_first or before in (State.STOPPING, State.KILLING)
    restarts = record.restarts + (0 if is_asked_for else 1)
    return replace(record, spawn_id=spawn_id, home=home, process=None, restarts=restarts)


def is_awaited(before: State, fact: Fact) -> bool:
    """Whether a person waits for the start that `fact` led to, from state `before`: they go first in line."""
    return fact.recorded is not None or before in (State.STOPPING, State.KILLING)


def is_to_boot(gateway: Gateway) -> bool:
    """Whether the daemon that comes up has to start it, if anything can reach it."""
    is_waiting = gateway.state is State.STOPPED or gateway.parked_for is ParkedFor.CHANNEL
    return gateway.wanted_up and is_waiting


def has_lost_home(record: GatewayRecord, home: Home | None) -> bool:
    """Whether what runs was started in a home that is gone, though another may stand under its name: `home`."""
    if record.gateway.state not in LIVE:
        return False
    return home is None or (record.home is not None and record.home.identity != home.identity)


def charged(record: GatewayRecord, budget: Budget, *, now_s: float) -> tuple[GatewayRecord, float]:
    """The record with a start charged to its budget, and when a start is possible, seconds since the epoch.

    If that is later than now, nothing is charged: nothing may be started.
    """
    starts_s = recent(record.starts_s, now_s)
    possible_at_s = frees_at_s(budget, starts_s, now_s)
    if possible_at_s <= now_s:
        starts_s = (*starts_s, now_s)
    return replace(record, starts_s=starts_s), possible_at_s


def out_of_budget(home: Home, budget: Budget) -> tuple[BudgetSpent, Fact]:
    """That no start is left, for whoever waits for one and for the machine."""
    limits = f"{budget.per_hour} starts an hour and {budget.per_day} a day"
    error = BudgetSpent(
        f"gateway '{home.name}' was not started: it was started too often",
        hint=f"at most {limits} protect its tokens; it starts by itself when the next one is allowed",
        fixes=[f"hermesctl gateway why {home.name}"],
        profile=home.name.text,
    )
    return error, Fact(Event.BUDGET_SPENT, detail=f"started too often: at most {limits}")
