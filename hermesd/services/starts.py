"""One gateway's start on its way to a process: its budget, its place in line, its turn.

Owns: whether a start may be made now, and whether one was tried since it was recorded. Must not know how a process
is made: when a turn comes that was waited for, it says so to whoever keeps the gateway.
"""

from dataclasses import replace

from hermesd.domain.budget import Budget, frees_at_s, recent
from hermesd.domain.errors import BudgetSpent
from hermesd.domain.gateway import Event, State
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home
from hermesd.domain.record import GatewayRecord
from hermesd.services.facts import COMMANDS, Fact, Post, TurnCame
from hermesd.services.ledgers import Ledger
from hermesd.services.tokenstarts import TokenStarts
from hermesd.services.turns import WAITING, Place, Turns


class Starts:
    """The starts of one gateway, of which there is at most one at a time."""

    def __init__(
        self, ports: Ports, policy: Policy, turns: Turns, ledger: Ledger, post: Post, tokens: TokenStarts
    ) -> None:
        self.possible_at_s = 0.0
        """From when on the budget allows the start that is recorded, seconds since the epoch."""
        self.has_begun = True
        """Whether there was an attempt to make a process for the start that is recorded."""
        self._ports = ports
        self._policy = policy
        self._turns = turns
        self._ledger = ledger
        self._post = post
        self._tokens = tokens
        self._place: Place | None = None
        """In line for a start, or taking its turn."""

    @property
    def is_in_line(self) -> bool:
        """Whether the start that is recorded waits for its turn."""
        return self._place is not None and self._place.is_waiting

    @property
    def is_over_budget(self) -> bool:
        """Whether the start that is recorded must not be made now."""
        return self.possible_at_s > self._ports.clock.now_s()

    def announced(self, record: GatewayRecord, fact: Fact) -> GatewayRecord:
        """The record with a start that `fact` led to: charged to the budget, and in line unless a turn is free.

        One that the budget does not allow stands in no line. `leave` takes it back.
        """
        now_s = self._ports.clock.now_s()
        before = self._ledger.record.gateway.state
        record, self.possible_at_s = _charged(record, self._policy.budget, now_s=now_s)
        record = _with_start(record, before, fact, spawn_id=self._ports.new_id(), home=self._ledger.home)
        if self.possible_at_s <= now_s:
            record = self._in_line(record, is_awaited=_is_awaited(before, fact))
        return record

    def occupy(self) -> None:
        """An adopted gateway that is starting keeps others waiting like any other."""
        self.leave()
        self.has_begun = True
        record = self._ledger.record
        if record.gateway.state is State.STARTING:
            name = self._ledger.home.name.text
            self._place = Place(name, record.start_order, is_asked_for=False, begin=_nothing)
            self._turns.occupy(self._place)

    def follow(self, fact: Fact) -> None:
        """Ends a turn, or the wait for it, with the state that it was for; whom a person waits for goes first."""
        if self._ledger.record.gateway.state is not State.STARTING:
            self.leave()
        elif self._place is not None and fact.recorded is not None:
            self._turns.prefer(self._place)

    def leave(self) -> None:
        """Ends a turn, or the wait for it. Once more changes nothing."""
        if self._place is not None:
            place, self._place = self._place, None
            self._turns.leave(place)

    def is_due(self, turn: TurnCame) -> bool:
        """Whether the start whose turn has come is still wanted and was not tried."""
        record = self._ledger.record
        is_current = record.spawn_id == turn.spawn_id and record.gateway.state is State.STARTING
        return is_current and not self.has_begun

    def out_of_budget(self) -> tuple[BudgetSpent, Fact]:
        """That no start is left, for whoever waits for one and for the machine."""
        detail = f"started too often: at most {self._policy.budget}"
        return self._spent("it was started too often"), Fact(Event.BUDGET_SPENT, detail=detail)

    async def charge_bots(self) -> None:
        """Counts the start that is about to be made for every bot that it claims, whoever had it before.

        Raises:
            BudgetSpent: one of them was started too often, and nothing is counted.
        """
        record = self._ledger.record
        if spent := self._tokens.spent(record.claims):
            bot, self.possible_at_s = spent
            self._ledger.amend(replace(record, starts_s=record.starts_s[:-1]))
            raise self._spent(f"{bot} was started too often, by all gateways that had it")
        await self._tokens.charge(record.claims)

    async def refund_bots(self) -> None:
        """Takes that back, for nothing of the start reached a platform."""
        await self._tokens.refund(self._ledger.record.claims)

    def _spent(self, why: str) -> BudgetSpent:
        name, budget = self._ledger.home.name, self._policy.budget
        return BudgetSpent(
            f"gateway '{name}' was not started: {why}",
            hint=f"at most {budget} protect its tokens; it starts by itself when the next one is allowed",
            fixes=[f"hermesctl gateway why {name}"],
            profile=name.text,
        )

    def _in_line(self, record: GatewayRecord, *, is_awaited: bool) -> GatewayRecord:
        """The record of a start that takes its turn now if one is free, else waits for it."""
        self.leave()
        self.has_begun = False
        turn = TurnCame(record.spawn_id)
        name = self._ledger.home.name.text
        self._place = Place(name, record.start_order, is_awaited, begin=lambda: self._post(turn))
        self._turns.take(self._place)
        return replace(record, detail=WAITING) if self.is_in_line else record


def _nothing() -> None:
    return None


def _with_start(record: GatewayRecord, before: State, fact: Fact, *, spawn_id: str, home: Home) -> GatewayRecord:
    """The record with a start under way that `fact` led to, from state `before`."""
    is_first = fact.event in (*COMMANDS, Event.CHANNEL_FOUND, Event.CLAIM_FREED)
    is_asked_for = is_first or before in (State.STOPPING, State.KILLING)
    restarts = record.restarts + (0 if is_asked_for else 1)
    return replace(record, spawn_id=spawn_id, home=home, process=None, restarts=restarts)


def _is_awaited(before: State, fact: Fact) -> bool:
    """Whether a person waits for the start that `fact` led to, from state `before`: they go first in line."""
    return fact.recorded is not None or before in (State.STOPPING, State.KILLING)


def _charged(record: GatewayRecord, budget: Budget, *, now_s: float) -> tuple[GatewayRecord, float]:
    """The record with a start charged to its budget, and when a start is possible, seconds since the epoch.

    If that is later than now, nothing is charged: nothing may be started.
    """
    starts_s = recent(record.starts_s, now_s)
    possible_at_s = frees_at_s(budget, starts_s, now_s)
    if possible_at_s <= now_s:
        starts_s = (*starts_s, now_s)
    return replace(record, starts_s=starts_s), possible_at_s
