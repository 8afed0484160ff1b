"""The history of what happened: recorded first, then told to whoever watches.

Owns: order, and what a slow watcher gets. Must not know who watches or what an event means.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hermesd.domain.operation import Happening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hermesd.domain.ports import Clock, Store

BACKLOG = 1000
"""Events a watcher may be behind before it gets a gap instead."""


class Events:
    """Records events and feeds watchers."""

    def __init__(self, store: "Store", clock: "Clock") -> None:
        self._store = store
        self._clock = clock
        self._watchers: set[asyncio.Queue[Happening]] = set()

    async def record(self, kind: str, message: str, *, profile: str = "", **facts: str) -> None:
        """Adds an event to the history and tells the watchers. Raises what the store raises."""
        event = await self._store.append_event(
            kind=kind, profile=profile, message=message, facts=facts, at_s=self._clock.now_s()
        )
        for queue in self._watchers:
            if not queue.full():
                queue.put_nowait(event)

    async def recent(self, *, profile: str, limit: int) -> list[Happening]:
        """The newest events, oldest first."""
        return await self._store.events(after=0, profile=profile, limit=limit)

    async def watch(self, *, after: int, profile: str) -> AsyncIterator[Happening | int]:
        """Yields events as they happen, beginning behind token `after` (0: with the next one).

        An `int` says that events are missing: it is the token of the first one after the hole. A watcher is
        fed from a bounded queue, so one that never reads costs nothing but its own events.
        """
        with self._subscription() as queue:
            last = after
            for event in await self._missed(after):
                if event.token > last + 1 and last:
                    yield event.token
                last = event.token
                if profile in ("", event.profile):
                    yield event
            while True:
                event = await queue.get()
                if event.token <= last:
                    continue
                if last and event.token > last + 1:
                    yield event.token
                last = event.token
                if profile in ("", event.profile):
                    yield event

    async def _missed(self, after: int) -> list[Happening]:
        return await self._store.events(after=after, profile="", limit=BACKLOG) if after else []

    @contextmanager
    def _subscription(self) -> "Iterator[asyncio.Queue[Happening]]":
        queue: asyncio.Queue[Happening] = asyncio.Queue(BACKLOG)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)
