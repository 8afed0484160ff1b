"""Whose turn it is to start: many gateways that start together take the whole machine, and are ready later.

Owns: who has a turn, who waits in line, and how long a turn keeps others waiting. Must not know what a start is:
it tells who waits that the turn has come.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hermesd.domain.policy import Policy
from hermesd.domain.ports import Clock
from hermesd.services.tasks import background

if TYPE_CHECKING:
    import asyncio

WAITING = "waits for its turn"
"""Detail of a gateway that stands in line. Recorded without a process, it says that nothing was started yet."""


@dataclass(eq=False)
class Place:
    """One start's place in line, and then its turn."""

    name: str
    """Of the profile."""
    start_order: int
    is_asked_for: bool
    """Whether a person waits for it."""
    begin: Callable[[], None]
    """Told, once, that the turn has come, unless there was one at once. Must not wait."""
    ends_at_s: float | None = None
    """When the turn keeps nobody waiting any more, by the clock that never jumps; `None` while it waits."""

    @property
    def is_waiting(self) -> bool:
        """Whether its turn has not come."""
        return self.ends_at_s is None

    @property
    def rank(self) -> tuple[bool, int, str]:
        """Its place in line: lower first."""
        return not self.is_asked_for, self.start_order, self.name


class Turns:
    """Turns of all gateways of one daemon. Nothing in here waits, so that a turn that is free costs nothing."""

    def __init__(self, clock: Clock, policy: Policy) -> None:
        self._clock = clock
        self._at_once = policy.starts_at_once
        self._turn_s = policy.turn_s
        self._taken: set[Place] = set()
        self._line: list[Place] = []
        """By rank."""
        self._alarm: asyncio.Task[None] | None = None

    def take(self, place: Place) -> None:
        """Gives a turn if one is free, else a place in line."""
        self._end_overdue()
        if len(self._taken) < self._at_once:
            self._give(place)
            return
        self._stand_in_line(place)

    def occupy(self, place: Place) -> None:
        """Counts a start that is under way already, whether or not a turn is free."""
        self._give(place)

    def prefer(self, place: Place) -> None:
        """Moves a place forward in line, for a person waits for it now."""
        if place in self._line and not place.is_asked_for:
            self._line.remove(place)
            place.is_asked_for = True
            self._stand_in_line(place)

    def leave(self, place: Place) -> None:
        """Ends a turn, or a wait. Once more changes nothing."""
        if place in self._line:
            self._line.remove(place)
        self._taken.discard(place)
        self._call_next()

    def close(self) -> None:
        """Calls nobody any more."""
        self._line.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _give(self, place: Place) -> None:
        place.ends_at_s = self._clock.monotonic_s() + self._turn_s
        self._taken.add(place)

    def _stand_in_line(self, place: Place) -> None:
        insort(self._line, place, key=lambda one: one.rank)
        if self._alarm is None or self._alarm.done():
            self._alarm = background(self._watch_overdue(), "turns")

    def _end_overdue(self) -> None:
        now_s = self._clock.monotonic_s()
        for place in [one for one in self._taken if one.ends_at_s is not None and one.ends_at_s <= now_s]:
            self._taken.discard(place)
        self._call_next()

    def _call_next(self) -> None:
        while self._line and len(self._taken) < self._at_once:
            place = self._line.pop(0)
            self._give(place)
            place.begin()

    async def _watch_overdue(self) -> None:
        """Ends turns that take too long, while anybody waits."""
        while self._line:
            ends_s = [one.ends_at_s for one in self._taken if one.ends_at_s is not None]
            await self._clock.sleep_s(max(min(ends_s) - self._clock.monotonic_s(), 0.0))
            self._end_overdue()
