"""The history of what happened: recorded first, then told to whoever watches.

Owns: order, and what a slow watcher gets. Must not know who watches or what an event means.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from hermesd.domain.masking import mask
from hermesd.domain.operation import Happening, is_one_of

if TYPE_CHECKING:
    from hermesd.domain.ports import Clock, Store

BACKLOG = 1000
"""Events of its own that a watcher may be behind before it gets a gap instead."""

MOST_LISTED = 500
"""Events that are listed at once."""

LONGEST_TEXT = 1024
"""Bytes that are kept of each text of an event, so that as many as are listed at once fit into one answer."""


@dataclass(frozen=True)
class _Page:
    """What a watcher gets next."""

    events: list[Happening]
    """Those that it asked for, oldest first."""
    gap: int | None
    """Where a hole before them ends; `None` if there is none."""
    end: int
    """Token up to which nothing is left."""


class Events:
    """Records events and feeds watchers.

    Watchers have no queues. Each knows how far it has come, and takes what is new from the newest events, which
    are kept in memory once for all, or from the history where it is behind those. So one that never reads costs
    nothing, and learns what it missed when it reads again.
    """

    def __init__(self, store: "Store", clock: "Clock") -> None:
        self._store = store
        self._clock = clock
        self._newest: deque[Happening] = deque(maxlen=BACKLOG)
        """Without a hole."""
        self._change = asyncio.Event()
        self._is_closed = False

    async def record(self, kind: str, message: str, *, profile: str = "", **facts: str) -> None:
        """Adds an event to the history and tells the watchers. Raises what the store raises.

        Whoever is cancelled meanwhile has it recorded and told all the same, for it has happened.
        """
        bounded = {name: _bounded(value) for name, value in facts.items() if value or name not in ASKED}
        await asyncio.shield(self._record(kind, _bounded(message), profile, bounded))

    async def recent(
        self,
        *,
        profile: str,
        limit: int,
        kinds: Collection[str] = (),
        since_s: float | None = None,
        until_s: float | None = None,
        before: int | None = None,
    ) -> list[Happening]:
        """The newest events of what is asked for as in `Store.events`, oldest first; `MOST_LISTED` at most."""
        return await self._store.events(
            after=0,
            profile=profile,
            limit=min(limit, MOST_LISTED),
            kinds=kinds,
            since_s=since_s,
            until_s=until_s,
            before=before,
        )

    async def watch(
        self, *, after: int, profile: str, kinds: Collection[str] = ()
    ) -> AsyncIterator[Happening | int]:
        """Yields events as they happen, beginning behind token `after` (0: with the next one), until `close`.

        An `int` says that events are missing: it is the token of the first one after the hole. If this history has
        never come as far as `after`, it is another one than the watcher knows, and begins anew.
        """
        kept = await self._store.event_tokens()
        last = after or kept.stop - 1
        if last >= kept.stop:
            last = kept.start - 1
            yield kept.start
        while not self._is_closed:
            change = self._change
            page = await self._behind(last, profile, kinds)
            if page.gap is not None:
                yield page.gap
            for event in page.events:
                yield event
            last = page.end
            await change.wait()

    def close(self) -> None:
        """Ends every watch."""
        self._is_closed = True
        self._wake()

    async def _record(self, kind: str, message: str, profile: str, facts: dict[str, str]) -> None:
        event = await self._store.append_event(
            kind=kind, profile=profile, message=message, facts=facts, at_s=self._clock.now_s()
        )
        if self._newest and event.token != self._newest[-1].token + 1:
            self._newest.clear()
        self._newest.append(event)
        self._wake()

    def _wake(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def _behind(self, last: int, profile: str, kinds: Collection[str]) -> _Page:
        """What there is behind a token."""
        if not self._newest or self._newest[0].token > last + 1:
            return await self._from_history(last, profile, kinds)
        new = [*takewhile(lambda one: one.token > last, reversed(self._newest))]
        asked = [one for one in reversed(new) if profile in ("", one.profile) and is_one_of(one.kind, kinds)]
        return _Page(asked, None, new[0].token if new else last)

    async def _from_history(self, last: int, profile: str, kinds: Collection[str]) -> _Page:
        """The same for who is far behind. What nobody can tell any more, or are too many to be told, is a hole."""
        end = (await self._store.event_tokens()).stop
        found = await self._store.events(after=last, before=end, profile=profile, kinds=kinds, limit=BACKLOG + 1)
        oldest = (await self._store.event_tokens()).start  # last, for the oldest may have gone meanwhile
        is_cut = len(found) > BACKLOG
        found = found[-BACKLOG:]
        resumes = found[0].token if is_cut else min([oldest, *(one.token for one in found[:1])])
        return _Page(found, resumes if resumes > last + 1 else None, max(last, end - 1))


ASKED = frozenset({"requester", "operation"})
"""Facts that are left out where nobody asked."""


def _bounded(text: str) -> str:
    """As much of a text as is kept, without any credential that it may quote."""
    text = mask(text)
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= LONGEST_TEXT:
        return text
    return encoded[: LONGEST_TEXT - 3].decode("utf-8", "ignore") + "…"
