"""The history and those who watch it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import pytest

from hermesd.domain.errors import DiskFull
from hermesd.domain.operation import Happening
from hermesd.domain.ports import EVENTS_KEPT
from hermesd.services.events import BACKLOG, LONGEST_TEXT, MOST_LISTED, Events
from tests.fakes.store import MemoryStore
from tests.services.house import House
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.fast, pytest.mark.services]

Watch = AsyncIterator[Happening | int]


@pytest.fixture
def events(house: House) -> Events:
    """The daemon's history."""
    return house.services.events


async def happen(events: Events, count: int, kind: str = "test.fact", profile: str = "") -> None:
    """Something happens so often."""
    for number in range(count):
        await events.record(kind, str(number), profile=profile)


async def newest(events: Events) -> int:
    """The newest token."""
    return (await events.recent(profile="", limit=1))[-1].token


async def take(watch: Watch, count: int) -> list[Happening | int]:
    """The next `count` items of a watch."""
    return [await asyncio.wait_for(anext(watch), DEADLINE_S) for _ in range(count)]


async def tokens(watch: Watch, count: int) -> list[int]:
    """The tokens of the next `count` items, all of which must be events."""
    items = await take(watch, count)
    assert all(isinstance(item, Happening) for item in items)
    return [item.token for item in items if isinstance(item, Happening)]


async def begin(house: House, watch: Watch) -> "asyncio.Future[Happening | int]":
    """Lets a watch begin to wait for its next item."""
    waiting = asyncio.ensure_future(anext(watch))
    await house.clock.settle()
    assert not waiting.done()
    return waiting


async def test_a_watch_resumes_behind_its_token(events: Events) -> None:
    """After a broken connection nothing is missed and nothing comes twice."""
    await happen(events, 1)
    last = await newest(events)
    await happen(events, 2)
    assert await tokens(events.watch(after=last, profile=""), 2) == [last + 1, last + 2]


async def test_a_watch_resumes_with_another_daemon(house: House) -> None:
    """The history is the same, and what happened before anybody watched is in it."""
    await happen(house.services.events, 3)
    last = await newest(house.services.events)
    await happen(house.services.events, 2)
    await house.reopen()
    watch = house.services.events.watch(after=last, profile="")
    assert await tokens(watch, 2) == [last + 1, last + 2]
    await happen(house.services.events, 1)
    assert await tokens(watch, 1) == [last + 3]


async def test_without_a_token_a_watch_begins_with_the_next_event(house: House, events: Events) -> None:
    """Whatever the history holds."""
    await happen(events, 3)
    last = await newest(events)
    waiting = await begin(house, events.watch(after=0, profile=""))
    await happen(events, 1)
    first = await waiting
    assert isinstance(first, Happening)
    assert first.token == last + 1


async def test_a_watch_of_some_hears_of_no_other(house: House, events: Events) -> None:
    """By profile, kind or noun; what is left out is no gap, however much of it there is."""
    await happen(events, 1)
    last = await newest(events)
    watch = events.watch(after=last, profile="coder", kinds=["gateway", "profile.used"])
    waiting = await begin(house, watch)
    for kind, profile in (
        ("gateway.ready", "other"),
        ("profile.used", "coder"),
        ("profile.soul", "coder"),
        ("gateway.exited", "coder"),
    ):
        await events.record(kind, "", profile=profile)
    await happen(events, BACKLOG + 10, profile="coder")
    await events.record("gateway.ready", "", profile="coder")
    assert [await waiting, *await take(watch, 2)] == [
        one
        for one in await house.store.events(
            after=last, profile="coder", limit=99, kinds=["gateway", "profile.used"]
        )
        if isinstance(one, Happening)
    ]
    missed = events.watch(after=last, profile="coder", kinds=["gateway"])
    assert len(await tokens(missed, 2)) == 2


async def test_a_reader_that_never_reads_learns_of_the_gap_when_it_does(house: House, events: Events) -> None:
    """Also if nothing happens any more: events beyond the backlog are gone, and the newest come after the hole."""
    await happen(events, 1)
    last = await newest(events)
    watch = events.watch(after=last, profile="")
    await happen(events, 1)
    assert await tokens(watch, 1) == [last + 1]
    await happen(events, BACKLOG + 50)
    (gap,) = await take(watch, 1)
    assert gap == last + 52
    assert await tokens(watch, BACKLOG) == [*range(gap, gap + BACKLOG)]
    waiting = await begin(house, watch)
    await happen(events, 1)
    assert isinstance(await waiting, Happening)


async def test_a_reader_that_is_a_little_late_misses_nothing(events: Events) -> None:
    """It is behind by no more than is kept for it."""
    await happen(events, 1)
    last = await newest(events)
    watch = events.watch(after=last, profile="")
    for _ in range(3):
        await happen(events, BACKLOG)
        assert await tokens(watch, BACKLOG) == [*range(last + 1, last + 1 + BACKLOG)]
        last += BACKLOG


async def test_a_hundred_watchers_of_whom_one_never_reads(house: House, events: Events) -> None:
    """Ninety-nine get every event, at once; the last one costs nothing and hinders nobody."""
    await happen(events, 1)
    last = await newest(events)
    heard: list[list[int]] = [[] for _ in range(99)]

    async def read(into: list[int]) -> None:
        async for item in events.watch(after=last, profile=""):
            into += [item.token if isinstance(item, Happening) else -1]

    sleeper = events.watch(after=last, profile="")
    readers = [asyncio.create_task(read(into)) for into in heard]
    await happen(events, 1)
    assert await tokens(sleeper, 1) == [last + 1]
    for _ in range(12):
        await happen(events, 100)
        await house.clock.settle()
    assert all(into == [*range(last + 1, last + 1202)] for into in heard)
    assert isinstance((await take(sleeper, 1))[0], int)
    events.close()
    await asyncio.wait_for(asyncio.gather(*readers), DEADLINE_S)


async def test_nothing_is_lost_or_doubled_where_history_and_news_meet(house: House) -> None:
    """Events go on while watches begin at every place of the history, before and behind what is in memory."""
    store = MemoryStore()
    await happen(Events(store, house.clock), 30)
    events = Events(store, house.clock)

    async def read(after: int) -> list[int]:
        async with aclosing(
            cast("AsyncGenerator[Happening | int, None]", events.watch(after=after, profile=""))
        ) as w:
            return await tokens(w, 100 - after)

    readers = []
    for after in range(1, 60, 7):
        readers.append(asyncio.create_task(read(after)))
        await happen(events, 5)
        await asyncio.sleep(0)
    await happen(events, 60)
    for after, found in zip(range(1, 60, 7), await asyncio.gather(*readers), strict=True):
        assert found == [*range(after + 1, 101)]


async def test_a_token_older_than_the_history_gets_a_gap(events: Events) -> None:
    """Who comes back after too long learns what is missing, even if nothing of it may have been meant."""
    await happen(events, EVENTS_KEPT + 10)
    last = await newest(events)
    watch = events.watch(after=1, profile="")
    (gap,) = await take(watch, 1)
    assert gap == last + 1 - BACKLOG
    assert await tokens(watch, 2) == [gap, gap + 1]
    assert await take(events.watch(after=1, profile="coder", kinds=["gateway"]), 1) == [last + 1 - EVENTS_KEPT]


@pytest.mark.parametrize("beyond", [1, 1000, 2**63, 2**64 - 99])
async def test_a_token_of_another_history_gets_a_gap_and_this_history(events: Events, beyond: int) -> None:
    """The store was lost: all that it holds is news to whoever comes from another one."""
    await happen(events, 7)
    last = await newest(events)
    watch = events.watch(after=last + beyond, profile="")
    (gap,) = await take(watch, 1)
    assert gap == 1
    assert await tokens(watch, last) == [*range(1, last + 1)]


async def test_a_token_of_another_history_gets_a_gap_although_nothing_happened_yet(house: House) -> None:
    """It is told at once, not with the first event."""
    events = Events(MemoryStore(), house.clock)
    watch = events.watch(after=5, profile="")
    assert await take(watch, 1) == [1]
    waiting = await begin(house, watch)
    await happen(events, 1)
    assert isinstance(await waiting, Happening)


async def test_an_event_whose_teller_was_cancelled_is_told(house: House, events: Events) -> None:
    """It has happened: a caller that goes away in that moment keeps it from nobody."""
    await happen(events, 1)
    waiting = await begin(house, events.watch(after=await newest(events), profile=""))
    telling = asyncio.create_task(events.record("test.fact", "told"))
    await asyncio.sleep(0)
    telling.cancel()
    assert isinstance(await asyncio.wait_for(waiting, DEADLINE_S), Happening)
    assert telling.cancelled()


async def test_an_event_that_was_not_recorded_is_not_told(house: House, events: Events) -> None:
    """Nor is it a gap."""
    await happen(events, 1)
    watch = events.watch(after=await newest(events), profile="")
    waiting = await begin(house, watch)
    house.store.faults.arm("append_event", DiskFull("full"))
    with pytest.raises(DiskFull):
        await happen(events, 1)
    house.store.faults.disarm("append_event")
    await happen(events, 1)
    assert isinstance(await waiting, Happening)


async def test_watches_end_with_the_daemon(house: House, events: Events) -> None:
    """Those that wait at once, and those that are behind with what they were about to be told."""
    await happen(events, 3)
    last = await newest(events)
    late = events.watch(after=last - 2, profile="")
    assert await tokens(late, 1) == [last - 1]
    waiting = await begin(house, events.watch(after=0, profile=""))
    events.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert await tokens(late, 1) == [last]
    with pytest.raises(StopAsyncIteration):
        await anext(late)


async def test_a_list_fits_into_one_answer(events: Events) -> None:
    """Texts and numbers of events are bounded, whatever somebody calls themselves or an agent complains about."""
    last = await newest(events)
    await events.record("test.fact", "ä" * 9999, detail="x" * 9999, short="y", requester="", operation="")
    (told,) = await events.recent(profile="", limit=1)
    assert told.message == "ä" * ((LONGEST_TEXT - 3) // 2) + "…"
    assert told.facts == {"detail": "x" * (LONGEST_TEXT - 3) + "…", "short": "y"}
    await happen(events, MOST_LISTED)
    assert len(await events.recent(profile="", limit=10 * MOST_LISTED)) == MOST_LISTED
    assert [one.token for one in await events.recent(profile="", limit=9, before=last + 2)][-2:] == [
        last,
        last + 1,
    ]
