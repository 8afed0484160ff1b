"""What gateways use, as the daemon looks at it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

import pytest

from hermesd.domain.errors import DiskFull, ProfileNotFound
from hermesd.domain.profile import ProfileName
from hermesd.services.samples import NamedSample, Samples
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, WRITER = ProfileName("coder"), ProfileName("writer")
GREEDY_CPU_S = 30.0
Moments = AsyncGenerator[Sequence[NamedSample], None]


@pytest.fixture
async def samples(house: House) -> Samples:
    """The service, looking; `coder` and `writer` run."""
    await house.furnish("writer")
    await house.start("coder")
    await house.start("writer")
    house.services.samples.open()
    await house.clock.settle()
    return house.services.samples


async def newest(house: House, moments: Moments) -> Sequence[NamedSample]:
    """What a reader gets next without time going by."""
    waiting = asyncio.ensure_future(anext(moments))
    await house.clock.settle()
    assert waiting.done(), "nothing is told"
    return waiting.result()


async def names(house: House, moments: Moments) -> list[str]:
    """Whose samples a reader gets next."""
    return [one.profile.text for one in await newest(house, moments)]


def pid_of(house: House, name: str) -> int:
    """Pid of a gateway, without asking to be shown it."""
    (pid,) = [
        record.process.pid
        for home, record in house.services.keepers.living()
        if home.name.text == name and record.process is not None
    ]
    return pid


async def use(house: House, name: str, cpu_s: float) -> None:
    """Lets a gateway have used so much since it began."""
    house.meter.set((await house.process(name)).pid, cpu_s=cpu_s)


async def test_all_that_runs_is_looked_at_once_a_minute_in_one_call(house: House, samples: Samples) -> None:
    """However many gateways there are, and nothing else is looked at while nobody watches."""
    both = [(await house.process(name)).pid for name in ("coder", "writer")]
    await house.clock.advance(300.0)
    assert house.meter.looks == [both] * 6
    assert house.clock.sleepers >= 1


async def test_minutes_are_kept_of_who_ran_all_along(house: House, samples: Samples) -> None:
    """The first look is only where the first minute begins."""
    await use(house, "coder", 1.0)
    await house.clock.advance(1.0)
    await use(house, "coder", 1.0 + GREEDY_CPU_S)
    await house.clock.advance(120.0)
    found = await samples.all(CODER)
    assert [(one.profile, one.sample.step_s, one.sample.cpu_cores) for one in found] == [
        (CODER, 60.0, 0.5),
        (CODER, 60.0, 0.0),
    ]
    assert await samples.all(CODER, since_s=found[1].sample.at_s) == found[1:]
    with pytest.raises(ProfileNotFound):
        await samples.all(ProfileName("nobody"))


async def test_the_latest_is_shown_with_the_gateway(house: House, samples: Samples) -> None:
    """Also of a process that is younger than a minute, and nothing of one that has ended."""
    await house.clock.advance(60.0)
    usage = (await house.services.views.get(CODER)).usage
    assert usage is not None
    assert usage.step_s == 60.0
    await house.restart("coder")
    house.meter.set(pid_of(house, "coder"), rss_bytes=4096)
    fresh = (await house.services.views.get(CODER)).usage
    assert fresh is not None
    assert (fresh.step_s, fresh.rss_bytes) == (0.0, 4096)
    looks = len(house.meter.looks)
    await house.services.views.get(CODER)
    assert len(house.meter.looks) == looks
    assert (await house.services.views.get(ProfileName("default"))).usage is None


async def test_who_watches_gets_the_first_at_once_and_one_a_second(house: House, samples: Samples) -> None:
    """Of everybody who runs, by name."""
    await house.clock.advance(20.0)
    moments = samples.watch(None)
    first = await newest(house, moments)
    assert [(one.profile, one.sample.step_s) for one in first] == [(CODER, 20.0), (WRITER, 20.0)]
    await use(house, "coder", 1.75)
    await house.clock.advance(1.0)
    second = await newest(house, moments)
    assert [(one.sample.step_s, one.sample.cpu_cores) for one in second] == [(1.0, 0.75), (1.0, 0.0)]
    usage = (await house.services.views.get(CODER)).usage
    assert usage == second[0].sample
    await moments.aclose()


async def test_nothing_is_read_every_second_once_the_last_watcher_left(house: House, samples: Samples) -> None:
    """Two may watch, and come again."""
    one, other = samples.watch(None), samples.watch(None)
    for moments in (one, other):
        await newest(house, moments)
    await one.aclose()
    looks = len(house.meter.looks)
    await house.clock.advance(5.0)
    assert len(house.meter.looks) == looks + 5
    await other.aclose()
    await house.clock.advance(50.0)
    assert len(house.meter.looks) == looks + 5
    again = samples.watch(None)
    assert await names(house, again) == ["coder", "writer"]
    await again.aclose()


async def test_only_what_is_watched_is_read_every_second(house: House, samples: Samples) -> None:
    """Everybody else is looked at once a minute as ever, with steps of their own."""
    moments = samples.watch(WRITER)
    assert await names(house, moments) == ["writer"]
    await house.clock.advance(130.0)
    writer = (await house.process("writer")).pid
    assert [looked for looked in house.meter.looks if len(looked) == 1] == [[writer]] * 131
    coder = (await house.services.views.get(CODER)).usage
    assert coder is not None
    assert coder.step_s == 60.0
    await moments.aclose()
    with pytest.raises(ProfileNotFound):
        await anext(samples.watch(ProfileName("nobody")))


async def test_a_slow_reader_gets_the_newest_and_holds_up_nobody(house: House, samples: Samples) -> None:
    """Ninety-nine read, one does not; what it missed is gone."""
    slow = samples.watch(None)
    quick = [samples.watch(CODER) for _ in range(99)]
    await newest(house, slow)
    for moments in quick:
        await newest(house, moments)
    for _ in range(30):
        await house.clock.advance(1.0)
        for moments in quick:
            assert len(await newest(house, moments)) == 1
    (sample, _) = await newest(house, slow)
    assert sample.sample.at_s == house.clock.now_s()
    for moments in (slow, *quick):
        await moments.aclose()


async def test_what_is_stopped_and_started_is_not_mixed_up(house: House, samples: Samples) -> None:
    """A stopped gateway is left out, a new process begins at nothing."""
    moments = samples.watch(None)
    await use(house, "coder", 500.0)
    assert await names(house, moments) == ["coder", "writer"]
    await house.stop("coder")
    await house.clock.advance(1.0)
    assert await names(house, moments) == ["writer"]
    await house.start("coder")
    house.meter.set(pid_of(house, "coder"), cpu_s=0.1, age_s=0.5)
    await house.clock.advance(1.0)
    coder = next(one for one in await newest(house, moments) if one.profile == CODER)
    assert (coder.sample.step_s, coder.sample.cpu_cores) == (0.5, 0.2)
    await moments.aclose()


async def test_who_ends_while_it_is_looked_is_left_out(house: House, samples: Samples) -> None:
    """The kernel knows it before we do."""
    moments = samples.watch(None)
    await newest(house, moments)
    house.meter.gone.add((await house.process("coder")).pid)
    await house.clock.advance(1.0)
    assert await names(house, moments) == ["writer"]
    await moments.aclose()


async def test_seconds_are_listed_where_there_are_some(house: House, samples: Samples) -> None:
    """Between minutes, as long as they are kept; of who has stopped too."""
    await house.clock.advance(60.0)
    moments = samples.watch(None)
    await newest(house, moments)
    await house.clock.advance(10.0)
    await moments.aclose()
    await house.clock.advance(170.0)
    await house.stop("coder")
    steps = [one.sample.step_s for one in await samples.all(CODER)]
    assert steps == [60.0, *[1.0] * 10, 60.0, 60.0, 60.0]
    await house.clock.advance(700.0)
    assert {one.sample.step_s for one in await samples.all(CODER)} == {60.0}


async def test_samples_that_cannot_be_kept_are_lost_and_told_once(
    house: House, samples: Samples, caplog: pytest.LogCaptureFixture
) -> None:
    """Who watches goes on; so does keeping once there is room again."""
    house.samples.faults.arm("add", DiskFull("cannot write samples: the file system is full"))
    with caplog.at_level(logging.WARNING):
        await house.clock.advance(300.0)
    assert caplog.text.count("the file system is full") == 1
    moments = samples.watch(None)
    assert await names(house, moments) == ["coder", "writer"]
    await moments.aclose()
    house.samples.faults.disarm("add")
    await house.clock.advance(60.0)
    assert len(await samples.all(CODER)) == 1
    house.samples.faults.arm("add", DiskFull("cannot write samples: the file system is full"))
    with caplog.at_level(logging.WARNING):
        await house.clock.advance(120.0)
    assert caplog.text.count("the file system is full") == 2


async def test_a_renamed_profile_keeps_its_samples(house: House, samples: Samples) -> None:
    """They go by its id, and are told under its name of now."""
    await house.clock.advance(120.0)
    before = [one.sample for one in await samples.all(CODER)]
    await house.now(await house.services.renames.rename(CODER, ProfileName("dev"), REQUESTER))
    after = await samples.all(ProfileName("dev"))
    assert before
    assert [one.sample for one in after] == before
    assert {one.profile.text for one in after} == {"dev"}


@pytest.mark.parametrize("is_first_in_the_trash", [False, True])
async def test_a_profile_that_is_gone_for_good_has_no_samples(
    house: House, samples: Samples, is_first_in_the_trash: bool
) -> None:
    """While it lies in the trash it keeps them; emptying that drops them."""
    await house.clock.advance(120.0)
    profile_id = (await house.services.profiles.get(CODER)).known.id
    purge = not is_first_in_the_trash
    await house.now(await house.services.profiles.delete(CODER, purge=purge, requester=REQUESTER))
    assert bool(await house.samples.all(profile_id)) is is_first_in_the_trash
    if is_first_in_the_trash:
        (entry,) = await house.services.trash.all(with_sizes=False)
        await house.now(await house.services.trash.empty([entry.entry.note.id], REQUESTER))
        assert await house.samples.all(profile_id) == []


async def test_samples_that_cannot_be_dropped_keep_nothing_in_the_trash(house: House, samples: Samples) -> None:
    """They go when they are old."""
    await house.clock.advance(120.0)
    await house.now(await house.services.profiles.delete(CODER, purge=False, requester=REQUESTER))
    house.samples.faults.arm("forget", DiskFull("cannot write samples: the file system is full"))
    (entry,) = await house.services.trash.all(with_sizes=False)
    await house.now(await house.services.trash.empty([entry.entry.note.id], REQUESTER))
    assert await house.services.trash.all(with_sizes=False) == []
