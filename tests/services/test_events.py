"""The history and those who watch it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hermesd.domain.operation import Happening
from hermesd.services.events import BACKLOG
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]


async def take(watch: AsyncIterator[Happening | int], count: int) -> list[Happening | int]:
    """The next `count` items of a watch."""
    return [await asyncio.wait_for(anext(watch), 1) for _ in range(count)]


async def test_a_watch_resumes_behind_its_token(house: House) -> None:
    """After a broken connection nothing is missed and nothing comes twice."""
    events = house.services.events
    await events.record("test.first", "first")
    (last,) = await events.recent(profile="", limit=1)
    await events.record("test.second", "second", profile="coder")
    await events.record("test.third", "third")
    watch = events.watch(after=last.token, profile="")
    kinds = [item.kind for item in await take(watch, 2) if isinstance(item, Happening)]
    assert kinds == ["test.second", "test.third"]


async def test_a_watch_of_one_profile_hears_of_no_other(house: House) -> None:
    """Filtering by profile leaves no gap notice for what belongs to others."""
    events = house.services.events
    await events.record("test.start", "start")
    (last,) = await events.recent(profile="", limit=1)
    for name in ("coder", "other", "coder"):
        await events.record("test.fact", "fact", profile=name)
    watch = events.watch(after=last.token, profile="coder")
    assert [item.profile for item in await take(watch, 2) if isinstance(item, Happening)] == ["coder"] * 2


async def test_a_reader_that_never_reads_gets_a_gap_and_blocks_nobody(house: House) -> None:
    """Events beyond the backlog are dropped for the slow one, who is told where to go on."""
    events = house.services.events
    await events.record("test.start", "start")
    watch = events.watch(after=0, profile="")
    first = asyncio.ensure_future(anext(watch))
    await house.clock.settle()
    for number in range(BACKLOG + 50):
        await events.record("test.fact", str(number))
    items = [await first, *await take(watch, BACKLOG - 1)]
    assert all(isinstance(item, Happening) for item in items)
    next_item = asyncio.ensure_future(anext(watch))
    await house.clock.settle()
    await events.record("test.fact", "after the hole")
    gap = await next_item
    assert isinstance(gap, int)
    (after,) = await take(watch, 1)
    assert isinstance(after, Happening)
    assert after.token == gap
    assert after.message == "after the hole"


async def test_a_token_older_than_the_history_gets_a_gap(house: House) -> None:
    """Who comes back after too long learns that something is missing."""
    events = house.services.events
    for number in range(BACKLOG + 10):
        await events.record("test.fact", str(number))
    watch = events.watch(after=1, profile="")
    (gap,) = await take(watch, 1)
    assert isinstance(gap, int)
