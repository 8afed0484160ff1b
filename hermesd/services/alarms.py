"""The one timer of a gateway: how long its state lasts if nothing else happens.

Owns: which timer is set, and until when. Must not know what follows when it is over: that is a fact like others.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from hermesd.domain.gateway import Event, Gateway, State, Timer, timer
from hermesd.domain.policy import Policy, delay_s
from hermesd.domain.ports import Ports
from hermesd.domain.record import GatewayRecord
from hermesd.services.effects import Effects
from hermesd.services.endings import Endings
from hermesd.services.facts import Fact, Post
from hermesd.services.ledgers import Ledger
from hermesd.services.starts import Starts
from hermesd.services.tasks import background

if TYPE_CHECKING:
    import asyncio


class Alarm:
    """Rings when a state has lasted long enough."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        effects: Effects,
        ledger: Ledger,
        starts: Starts,
        endings: Endings,
        post: Post,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._effects = effects
        self._ledger = ledger
        self._starts = starts
        self._endings = endings
        self._post = post
        self._waiting: asyncio.Task[None] | None = None
        self._arming = 0
        """How often it was set or taken back: one that rang before is stale."""

    async def wait_s(self, gateway: Gateway, *, until_s: float | None = None) -> float | None:
        """Seconds until a state's timer rings, at most until a moment that is known; `None` if it has no timer."""
        kind = timer(gateway)
        if kind is None or (kind is Timer.START_LIMIT and self._starts.is_in_line):
            return None
        can_drain = kind is Timer.GRACE and self._endings.can_drain
        drain_s = await self._effects.drain_s(self._ledger.home) if can_drain else 0.0
        seconds = delay_s(self._policy, gateway, kind, drain_s=drain_s, roll=self._ports.roll())
        if kind is Timer.BUDGET and until_s is None:
            until_s = self._starts.possible_at_s
        if until_s is not None:
            seconds = min(max(until_s - self._ports.clock.now_s(), 0.0), seconds)
        return seconds

    def scheduled(self, record: GatewayRecord, wait_s: float | None) -> GatewayRecord:
        """The record with the moment of the next start, if it waits for one."""
        if wait_s is None or record.gateway.state not in (State.BACKOFF, State.PARKED):
            return record
        return replace(record, next_start_at_s=self._ports.clock.now_s() + wait_s)

    def arm(self, wait_s: float | None) -> None:
        """Sets the timer anew; `None` leaves it off."""
        self.disarm()
        if wait_s is not None:
            self._waiting = background(self._ring_after(wait_s, self._arming), f"timer {self._ledger.home.name}")

    def disarm(self) -> None:
        """Takes the timer back, even if it has just rung."""
        self._arming += 1
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def is_stale(self, fact: Fact) -> bool:
        """Whether the timer that this TIMER tells of was taken back since."""
        return fact.arming != self._arming

    async def _ring_after(self, seconds: float, arming: int) -> None:
        await self._ports.clock.sleep_s(seconds)
        self._post(Fact(Event.TIMER, arming=arming))
