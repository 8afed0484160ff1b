"""A hundred watchers on one server, of whom one never reads."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hermesd.v1 import events_pb2 as v1
from hermesd.v1.events_pb2_grpc import EventsServiceStub
from tests.api.serving import Served
from tests.tiers import sampled
from tests.waiting import DEADLINE_S, until

if TYPE_CHECKING:
    import grpc

    Watch = grpc.aio.UnaryStreamCall[v1.WatchEventsRequest, v1.WatchEventsResponse]

pytestmark = pytest.mark.api

GROUP = 500
"""Events that happen before readers are waited for: in life, the disk is no faster."""

TEXT = "x" * 900
"""Much, for some of what nobody reads lies between a server and its client, a few megabytes at most."""

LARGE = 10_000
"""So many do not lie there; a watcher that missed so many misses them."""

GROWTH_MB = 40
"""What this process, which is the daemon and its clients, may grow by meanwhile."""


class Reader:
    """A watcher that reads."""

    def __init__(self, watch: "Watch") -> None:
        self.watch = watch
        self.tokens: list[int] = []
        """Of events; where a gap ended, negative."""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for answer in self.watch:
            self.tokens.append(answer.event.token if answer.HasField("event") else -answer.gap.next_token)

    async def has(self, count: int) -> None:
        """Returns once it got so many."""
        await until(lambda: len(self.tokens) >= count, f"event {count} of {len(self.tokens)}")

    async def leave(self) -> None:
        """Goes away."""
        self.watch.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@pytest.mark.parametrize("flood", sampled([3_000, 20_000], few=1))
async def test_a_watcher_that_never_reads_hinders_nobody(served: Served, flood: int) -> None:
    """Others get all that is theirs, calls are answered, memory does not grow; then it is told what it missed."""
    service, events = EventsServiceStub(served.channel), served.house.services.events
    await events.record("test.first", "")
    last = (await service.ListEvents(v1.ListEventsRequest(page_size=1))).events[0].token
    sleeper = service.WatchEvents(v1.WatchEventsRequest(resume_token=last))
    reader = Reader(service.WatchEvents(v1.WatchEventsRequest(resume_token=last)))
    others = [
        Reader(service.WatchEvents(v1.WatchEventsRequest(resume_token=last, kinds=["gateway"]))) for _ in range(98)
    ]
    before_mb = _resident_mb()
    for group in range(1, flood // GROUP + 1):
        for number in range(GROUP - 1):
            await events.record("test.fact", f"{number} {TEXT}")
        await events.record("gateway.ready", "", profile="coder")
        await reader.has(group * GROUP)
        assert await service.ListEvents(v1.ListEventsRequest(page_size=1), timeout=DEADLINE_S)
    for other in others:
        await other.has(flood // GROUP)
        assert other.tokens == [*range(last + GROUP, last + flood + 1, GROUP)]
    assert reader.tokens == [*range(last + 1, last + flood + 1)]
    assert _resident_mb() - before_mb < GROWTH_MB
    await asyncio.gather(*(one.leave() for one in [reader, *others]))
    late = Reader(sleeper)
    await until(lambda: late.tokens and late.tokens[-1] == last + flood, "the newest event")
    is_complete = late.tokens == reader.tokens
    assert not (is_complete and flood >= LARGE)
    assert sum(token < 0 for token in late.tokens) == (0 if is_complete else 1)
    await late.leave()


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
