"""Time that a test moves by hand.

Owns: the time and who sleeps. Must not know real time.
"""

import asyncio
import heapq
from dataclasses import dataclass, field
from itertools import count

SETTLING_ROUNDS = 1000
"""Turns of the event loop that woken tasks get at most: more than any chain of awaits needs."""


@dataclass(order=True)
class _Sleeper:
    wakes_at_s: float
    turn: int
    woken: "asyncio.Future[None]" = field(compare=False)


class ManualClock:
    """A clock (port `Clock`) that stands still until `advance` is awaited."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self._now_s = now_s
        self._monotonic_s = 0.0
        self._sleepers: list[_Sleeper] = []
        self._turns = count()
        self._settlers = 0

    def now_s(self) -> float:
        """Seconds since the epoch; moved by `advance`, `stall` and `jump`."""
        return self._now_s

    def monotonic_s(self) -> float:
        """Seconds since the clock was made; moved by `advance` and `stall`."""
        return self._monotonic_s

    async def sleep_s(self, seconds: float) -> None:
        """Returns when the clock has been advanced by `seconds`; at once if they are not positive."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, _Sleeper(self._monotonic_s + seconds, next(self._turns), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many tasks sleep on this clock."""
        return sum(not sleeper.woken.done() for sleeper in self._sleepers)

    @property
    def next_wake_s(self) -> float | None:
        """Seconds until the next sleeper is due; `None` if nobody sleeps."""
        due = [sleeper.wakes_at_s for sleeper in self._sleepers if not sleeper.woken.done()]
        return min(due) - self._monotonic_s if due else None

    def jump(self, seconds: float) -> None:
        """Sets the wall clock forward or back, as an administrator or a time server does; nobody wakes."""
        self._now_s += seconds

    def stall(self, seconds: float) -> None:
        """Moves time while nobody gets a turn, as when the whole program stands still; who is due wakes later."""
        self._move_to(self._monotonic_s + seconds)

    async def advance(self, seconds: float) -> None:
        """Moves time by `seconds`, waking sleepers in the order they are due.

        Each woken task runs until it waits again before time moves on, so that a sleep begun on the way
        is honoured too. Work in threads is not waited for.
        """
        await self.settle()
        end_s = self._monotonic_s + seconds
        while self._sleepers and self._sleepers[0].wakes_at_s <= end_s:
            sleeper = heapq.heappop(self._sleepers)
            if sleeper.woken.done():
                continue
            self._move_to(max(sleeper.wakes_at_s, self._monotonic_s))
            sleeper.woken.set_result(None)
            await self.settle()
        self._move_to(end_s)
        await self.settle()

    async def settle(self) -> None:
        """Lets every task that can run do so, without moving time.

        Asyncio does not say whether anything else could run, so its queue is looked at: many thousand virtual
        moments are worth it. Who settles at the same time is not waited for.
        """
        runnable = getattr(asyncio.get_running_loop(), "_ready")  # noqa: B009 - it is private
        self._settlers += 1
        try:
            for _ in range(SETTLING_ROUNDS):
                await asyncio.sleep(0)
                if len(runnable) < self._settlers:
                    return
        finally:
            self._settlers -= 1

    def _move_to(self, monotonic_s: float) -> None:
        self._now_s += monotonic_s - self._monotonic_s
        self._monotonic_s = monotonic_s
