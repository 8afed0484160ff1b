"""Logs as people ask for them, on fakes."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from hermesd.domain.errors import ArgumentInvalid, HermesError, ProfileNotFound
from hermesd.domain.logs import Level, LogFile, Source, Wanted
from hermesd.domain.profile import ProfileName
from hermesd.services import logs as logs_module
from hermesd.services.logs import Batch, Question
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

AT_S = 1_795_424_400.0
"""2026-11-23 09:00:00 in UTC."""
EVERY = frozenset(Source)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Two profiles."""
    made = House()
    made.agent.logs = (
        LogFile(Source.AGENT, "logs/agent.log"),
        LogFile(Source.GATEWAY, "logs/gateway.log"),
        LogFile(Source.ERRORS, "logs/errors.log"),
    )
    await made.open()
    await made.furnish("coder", "worker")
    yield made
    await made.close()


def question(
    *names: str,
    sources: Iterable[Source] = EVERY,
    wanted: Wanted | None = None,
    lines: int | None = None,
    is_following: bool = False,
) -> Question:
    """What is asked."""
    return Question(
        [ProfileName(name) for name in names], frozenset(sources), wanted or Wanted(), lines, is_following
    )


def line(second: int, text: str, level: str = "INFO") -> str:
    """A line as an agent writes it."""
    return f"2026-11-23 09:00:{second:02},000 {level} x: {text}\n"


async def read(house: House, asked: Question) -> list[Batch]:
    """Every answer."""
    return [batch async for batch in house.services.logs.read(asked)]


def texts(batches: Sequence[Batch]) -> list[str]:
    """What the records say."""
    return [f"{record.profile}: {record.text}" for batch in batches for record in batch.records]


async def test_profiles_and_sources_are_one_stream(house: House) -> None:
    """In order, and what stands in several files once."""
    house.log_reader.write("coder/logs/agent.log", line(1, "a") + line(3, "odd", "WARNING"))
    house.log_reader.write("coder/logs/errors.log", line(3, "odd", "WARNING"))
    house.log_reader.write("worker/logs/agent.log", line(2, "b") + line(4, "d"))
    house.log_reader.write("daemon", "2026-11-23T09:00:05.000Z INFO     d profile=worker to=up\n")
    house.log_reader.write("daemon", "2026-11-23T09:00:06.000Z INFO     d profile=other to=up\n")
    expected = ["coder: a", "worker: b", "coder: odd", "worker: d", "worker: profile=worker to=up"]
    assert texts(await read(house, question("coder", "worker", "coder"))) == expected
    assert texts(await read(house, question("coder", "worker", lines=3))) == expected[-3:]
    assert texts(await read(house, question("coder", lines=0))) == []


async def test_only_the_sources_that_are_asked_for_are_opened(house: House) -> None:
    """Captured output is the gateway's, as is the agent's log of it."""
    known = await house.services.profiles.get(ProfileName("coder"))
    for sources, expected in (
        ({Source.ERRORS}, ["coder/logs/errors.log"]),
        ({Source.GATEWAY}, ["coder/logs/gateway.log", f"captured/{known.known.id}"]),
        ({Source.DAEMON}, ["daemon"]),
    ):
        house.log_reader.opened.clear()
        await read(house, question("coder", sources=sources))
        assert house.log_reader.opened == expected


async def test_the_daemons_log_needs_no_profile(house: House) -> None:
    """All of it is read then."""
    house.log_reader.write("daemon", "2026-11-23T09:00:05.000Z INFO     d profile=other x\n")
    house.log_reader.write("daemon", "2026-11-23T09:00:05.000Z INFO     d y\n")
    assert texts(await read(house, question(sources={Source.DAEMON}))) == ["other: profile=other x", ": y"]


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (question("ghost"), ProfileNotFound),
        (question(), ArgumentInvalid),
        (question(sources={Source.AGENT}), ArgumentInvalid),
        (question("coder", lines=100_001), ArgumentInvalid),
        (question("coder", wanted=Wanted(until_s=AT_S), is_following=True), ArgumentInvalid),
    ],
)
async def test_what_makes_no_sense_is_refused(house: House, asked: Question, kind: type[HermesError]) -> None:
    """Before anything is sent."""
    with pytest.raises(kind):
        await read(house, asked)


async def test_problems_are_told(house: House) -> None:
    """Of whose log, with what could be read."""
    house.log_reader.text("coder/logs/errors.log").problems.append("it is a link")
    house.log_reader.write("coder/logs/agent.log", line(1, "a"))
    for lines in (None, 5):
        house.log_reader.text("coder/logs/errors.log").problems[:] = ["it is a link"]
        batches = await read(house, question("coder", lines=lines))
        assert texts(batches) == ["coder: a"]
        assert [(one.profile, one.message) for one in batches[0].notices] == [("coder", "it is a link")]


async def test_the_last_records_have_bounded_text(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer of them are sent then, and that is said."""
    monkeypatch.setattr(logs_module, "TAIL_CHARACTERS", 250)
    for second in range(5):
        house.log_reader.write("coder/logs/agent.log", line(second, "x" * 100))
    (batch,) = await read(house, question("coder", lines=5))
    assert len(batch.records) == 2
    assert [(one.is_gap, "only the last 2" in one.message) for one in batch.notices] == [(True, True)]


async def test_answers_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In records and in text, and no record is in two of them."""
    monkeypatch.setattr(logs_module, "BATCH_RECORDS", 7)
    monkeypatch.setattr(logs_module, "BATCH_CHARACTERS", 250)
    for second in range(50):
        house.log_reader.write("coder/logs/agent.log", line(second, f"{second} " + "x" * (second % 9) * 20))
    for lines in (None, 45):
        batches = await read(house, question("coder", lines=lines))
        sent = [record.at_s - AT_S for batch in batches for record in batch.records]
        assert sent == list(range(0 if lines is None else 5, 50))
        assert all(len(batch.records) <= 7 for batch in batches)
        assert all(sum(len(one.text) for one in batch.records) <= 250 + 170 for batch in batches)


class Follower:
    """Somebody who follows, and what they have seen."""

    def __init__(self, house: House, asked: Question) -> None:
        self.seen: list[Batch] = []
        self._house = house
        self._task = asyncio.ensure_future(self._follow(asked))

    async def _follow(self, asked: Question) -> None:
        async with aclosing(self._house.services.logs.read(asked)) as answers:
            async for batch in answers:
                self.seen.append(batch)

    async def wait(self) -> list[str]:
        """What was seen since the last call, after a while."""
        await self._house.clock.advance(1.0)
        await self._house.clock.settle()
        found = texts(self.seen)
        self.seen.clear()
        return found

    async def leave(self) -> None:
        """Goes away."""
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_followers_see_what_is_new(house: House) -> None:
    """After what was there, and told where that ends."""
    house.log_reader.write("coder/logs/agent.log", line(1, "old") + line(2, "last"))
    follower = Follower(house, question("coder", lines=1, is_following=True))
    await house.clock.settle()
    assert [batch.is_caught_up for batch in follower.seen] == [False, True]
    assert await follower.wait() == ["coder: last"]
    house.log_reader.write("coder/logs/agent.log", line(3, "new", "ERROR"))
    house.log_reader.write("coder/logs/errors.log", line(3, "new", "ERROR"))
    assert await follower.wait() == ["coder: new"]
    house.log_reader.write("coder/logs/errors.log", line(2, "last"))
    assert await follower.wait() == []
    others = house.clock.sleepers - 1
    await follower.leave()
    assert house.clock.sleepers == others


async def test_followers_go_on_under_a_new_name(house: House) -> None:
    """Nothing of a renamed profile is missed, and its records carry the name that it has by then."""
    home = house.homes.find(ProfileName("coder"))
    assert home is not None
    follower = Follower(house, question("coder", is_following=True))
    await follower.wait()
    house.homes.move(home, ProfileName("smith"))
    house.log_reader.write("coder/logs/agent.log", line(1, "before anybody looked"))
    assert await follower.wait() == ["coder: before anybody looked"]
    await house.clock.advance(logs_module.HOMES_S)
    house.log_reader.write("coder/logs/agent.log", line(2, "after"))
    house.log_reader.write("daemon", line(3, "profile=smith started"))
    assert sorted(await follower.wait()) == ["smith: after", "smith: profile=smith started"]
    await follower.leave()


async def test_new_profiles_are_followed_where_all_are_meant(house: House) -> None:
    """From their first line on; one that is removed is left, and where some are named no other is followed."""
    everybody = Follower(house, replace(question("coder", is_following=True), has_new_profiles=True))
    one = Follower(house, question("coder", is_following=True))
    await everybody.wait()
    await one.wait()
    house.homes.add("fresh")
    house.log_reader.write("fresh/logs/agent.log", line(1, "hello"))
    await house.clock.advance(logs_module.HOMES_S)
    assert (await everybody.wait(), await one.wait()) == (["fresh: hello"], [])
    house.log_reader.write("fresh/logs/agent.log", line(2, "more"))
    assert await everybody.wait() == ["fresh: more"]
    await everybody.leave()
    await one.leave()


async def test_followers_are_told_of_losses(house: House) -> None:
    """As a hole, which a problem is not."""
    follower = Follower(house, question("coder", sources={Source.AGENT}, is_following=True))
    await follower.wait()
    house.log_reader.text("coder/logs/agent.log").losses = 1
    await house.clock.advance(1.0)
    (notice,) = [notice for batch in follower.seen for notice in batch.notices]
    assert (notice.profile, notice.is_gap) == ("coder", True)
    await follower.leave()


async def test_followers_get_only_what_they_want(house: House) -> None:
    """Before and after."""
    asked = question("coder", wanted=Wanted(level=Level.ERROR), is_following=True)
    follower = Follower(house, asked)
    house.log_reader.write("coder/logs/agent.log", line(1, "fine"))
    house.log_reader.write("coder/logs/agent.log", line(2, "bad", "ERROR"))
    assert await follower.wait() == ["coder: bad"]
    await follower.leave()


async def test_a_reader_that_never_reads_costs_nothing(house: House) -> None:
    """Nothing is read for it until it asks."""
    house.log_reader.write("coder/logs/agent.log", line(1, "a"))
    others = house.clock.sleepers
    answers = house.services.logs.read(question("coder", is_following=True))
    await anext(answers)
    for second in range(50):
        house.log_reader.write("coder/logs/agent.log", line(second, "more"))
    await house.clock.advance(10)
    assert house.clock.sleepers == others
    await answers.aclose()
