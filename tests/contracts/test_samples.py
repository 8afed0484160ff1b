"""What every store of samples does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.adapters.samplestore import SqliteSamples
from hermesd.domain.ports import SampleStore
from hermesd.domain.samples import HALF_HOUR_S, MINUTES_KEPT, Sample
from tests.fakes.samples import MemorySamples

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BEGAN_S = 1_000_000 * HALF_HOUR_S
FIRST = Sample(
    at_s=BEGAN_S + 60.0,
    step_s=60.0,
    cpu_cores=0.25,
    rss_bytes=80 * 1024 * 1024,
    descriptors=30,
    threads=5,
    processes=2,
    restarts=0,
)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SampleStore]:
    """An empty store, in memory and then in a file."""
    if request.param == "memory":
        yield MemorySamples()
        return
    opened = SqliteSamples(tmp_path / "samples.db")
    yield opened
    await opened.close()


def minute(number: int, **changes: float) -> Sample:
    """The sample of a minute, the first being number 0."""
    return replace(FIRST, at_s=FIRST.at_s + 60 * number, **changes)  # type: ignore[arg-type]


async def test_a_sample_is_read_as_it_was_added(store: SampleStore) -> None:
    """Also one of a profile that began later, and of a process that uses much."""
    large = replace(FIRST, cpu_cores=63.5, rss_bytes=2**41, descriptors=1_000_000, threads=40_000, restarts=9)
    await store.add({"a": FIRST})
    await store.add({"a": minute(1), "b": large})
    assert await store.all("a") == [FIRST, minute(1)]
    assert await store.all("b") == [large]


async def test_nothing_is_known_of_whom_nothing_was_added(store: SampleStore) -> None:
    """Whether others were, or nobody was."""
    await store.add({})
    assert await store.all("a") == []
    await store.add({"b": FIRST})
    assert await store.all("a") == []


async def test_only_what_ended_later_can_be_asked_for(store: SampleStore) -> None:
    """The moment itself counts."""
    for number in range(4):
        await store.add({"a": minute(number)})
    assert await store.all("a", since_s=minute(2).at_s) == [minute(2), minute(3)]


async def test_a_forgotten_profile_has_no_samples(store: SampleStore) -> None:
    """Others keep theirs, and it may begin anew."""
    for number in range(40):
        await store.add({"a": minute(number), "b": minute(number)})
    await store.forget("a")
    await store.forget("unknown")
    assert await store.all("a") == []
    assert len(await store.all("b")) == 40
    await store.add({"a": minute(50)})
    assert await store.all("a") == [minute(50)]


async def test_who_was_the_only_one_may_begin_anew(store: SampleStore) -> None:
    """What comes then is again kept by the minute and by the half hour."""
    for number in range(40):
        await store.add({"a": minute(number)})
    await store.forget("a")
    for number in range(MINUTES_KEPT + 40):
        await store.add({"a": minute(100 + number)})
    found = await store.all("a")
    assert [one for one in found if one.step_s == 60] == [minute(140 + number) for number in range(MINUTES_KEPT)]


async def test_half_hours_stand_for_minutes_that_are_too_old(store: SampleStore) -> None:
    """With the mean of processor time, by how long each step was, and the most of everything else."""
    for number in range(30):
        await store.add({"a": minute(number, cpu_cores=0.1)})
    peak = minute(3, cpu_cores=1.0, rss_bytes=2**30, descriptors=90, threads=70, processes=9)
    await store.add({"a": replace(peak, at_s=minute(30).at_s, step_s=600.0)})
    for number in range(31, MINUTES_KEPT + 60):
        await store.add({"a": minute(number, cpu_cores=0.1, restarts=2)})
    first, second, *rest = await store.all("a")
    assert (first.at_s, first.step_s, first.restarts) == (minute(28).at_s, 29 * 60, 0)
    assert first.cpu_cores == pytest.approx(0.1)
    assert (second.at_s, second.step_s, second.restarts) == (minute(58).at_s, 29 * 60 + 600, 2)
    assert second.cpu_cores == pytest.approx((29 * 60 * 0.1 + 600) / (29 * 60 + 600), abs=1e-5)
    assert (second.rss_bytes, second.descriptors, second.threads, second.processes) == (2**30, 90, 70, 9)
    assert [one.at_s for one in rest] == [minute(number).at_s for number in range(60, MINUTES_KEPT + 60)]


async def test_a_clock_that_jumps_takes_nothing_away(store: SampleStore) -> None:
    """Neither far ahead and back, as before a machine has asked for the time, nor back for good."""
    moments = [0.0, 60.0, 40_000_000.0, 40_000_060.0, 120.0, 180.0, -86_400.0]
    for moment in moments:
        await store.add({"a": replace(FIRST, at_s=FIRST.at_s + moment)})
    found = await store.all("a")
    assert sorted({one.at_s - FIRST.at_s for one in found}) == sorted(moments)


async def test_who_ran_for_a_moment_has_a_short_half_hour(store: SampleStore) -> None:
    """Its step is how long it was looked at."""
    await store.add({"a": minute(2), "b": minute(2)})
    for number in range(3, MINUTES_KEPT + 40):
        await store.add({"a": minute(number)})
    assert await store.all("b") == [minute(2)]
