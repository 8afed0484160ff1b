"""The health of gateways that are up: what is told, what is restarted, and above all what is let be."""

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.errors import DiskFull
from hermesd.domain.gateway import State
from hermesd.domain.health import Condition
from hermesd.domain.operation import Happening
from hermesd.domain.policy import Policy
from hermesd.domain.ports import EVENTS_KEPT
from hermesd.domain.process import ExitCause, LastExit, Phase, Probe, ProcessIdentity, Sign
from hermesd.domain.profile import Home
from hermesd.domain.settings import Settings
from hermesd.services.rounds import SLOW_S
from tests.services.house import InlineExecutor
from tests.services.patients import HEARTBEAT, Ward

pytestmark = [pytest.mark.fast, pytest.mark.services]

POLICY = Policy()
HANG_S = POLICY.hung_after_s + 2 * POLICY.look_s
"""By then a silence is noticed for sure."""

MINUTE_S, HOUR_S, DAY_S, YEAR_S = 60.0, 3600.0, 86_400.0, 31_536_000.0
TELEGRAM = Sign("telegram", is_well=False, word="retrying", detail="timed out", is_platform=True)


@pytest_asyncio.fixture
async def ward() -> AsyncIterator[Ward]:
    """A daemon on fakes, and one profile whose gateway runs and beats."""
    ward = Ward()
    await ward.open()
    await ward.furnish("coder")
    await ward.start("coder")
    yield ward
    await ward.close()


async def told(ward: Ward, kind: str, name: str = "coder") -> list[Happening]:
    """The events of one kind so far."""
    events = await ward.store.events(after=0, profile=name, limit=EVENTS_KEPT)
    return [event for event in events if event.kind == f"gateway.{kind}"]


async def kinds(ward: Ward, *wanted: str) -> list[str]:
    """The events of the gateway so far that are of these kinds."""
    events = await ward.store.events(after=0, profile="coder", limit=EVENTS_KEPT)
    return [event.kind.removeprefix("gateway.") for event in events if event.kind.partition(".")[2] in wanted]


async def conditions(ward: Ward) -> list[str]:
    """Every change of condition that was told."""
    return await kinds(ward, *Condition)


async def last_exit(ward: Ward) -> LastExit:
    """How its last process ended, which there must be."""
    end = (await ward.record("coder")).last_exit
    assert end is not None
    return end


async def assert_untouched(ward: Ward, process: ProcessIdentity) -> None:
    """The process is the one that it was, and nothing was told of it."""
    assert (await ward.process("coder"), await ward.state("coder")) == (process, State.RUNNING)
    assert (ward.backend.terminated, ward.backend.killed) == ([], [])
    assert await conditions(ward) == []


async def test_a_loop_that_stops_is_noticed_told_and_restarted(ward: Ward) -> None:
    """The exit says why; the history says what was seen before it says what was done."""
    process = await ward.process("coder")
    ward.patient.is_frozen = True
    await ward.clock.advance(POLICY.hung_after_s - 1)
    assert await ward.process("coder") == process
    await ward.clock.advance(HANG_S - POLICY.hung_after_s)
    end = await last_exit(ward)
    assert (end.cause, end.detail) == (ExitCause.HUNG, "its event loop gives no sign of life")
    ward.patient.is_frozen = False
    await ward.clock.advance(10)
    assert await ward.state("coder") is State.RUNNING
    assert await ward.process("coder") != process
    story = await kinds(ward, "ready", "hung", "stopping", "exited", "backoff", "starting")
    assert story == ["starting", "ready", "hung", "stopping", "exited", "backoff", "starting", "ready"]


async def test_what_cannot_be_recorded_is_restarted_all_the_same(ward: Ward) -> None:
    """A full disk must not silence a bot for longer than it takes to notice."""
    for method in ("save_gateway", "append_event"):
        ward.store.faults.arm(method, DiskFull("no space is left"))
    process = await ward.process("coder")
    ward.patient.is_frozen = True
    await ward.clock.advance(HANG_S + 5)
    assert await ward.process("coder") != process


async def test_a_process_that_hears_no_signal_is_killed(ward: Ward) -> None:
    """What is stopped, or spins, takes no SIGTERM and finishes no turn; the cause stays the same."""
    ward.patient.known_facts["coder"] = ProfileFacts(drain_s=HOUR_S)
    ward.backend.ends_on_terminate = None
    ward.patient.is_frozen = True
    await ward.clock.advance(HANG_S + POLICY.grace_extra_s)
    assert len(ward.backend.killed) == 1
    assert (await last_exit(ward)).cause is ExitCause.HUNG


async def test_a_watchdog_that_went_silent_for_good_means_nothing_while_the_heartbeat_goes_on(ward: Ward) -> None:
    """hermes-agent's never comes back after one late tick, as after SIGCONT; its loop goes round all the same."""
    process = await ward.process("coder")
    ward.notices.say(process, "WATCHDOG=1")
    await ward.clock.advance(MINUTE_S)
    ward.notices.say(process, "STATUS=its loop was late")
    await ward.clock.advance(DAY_S)
    await assert_untouched(ward, process)
    parts = {part.name: part for part in (await ward.health("coder")).parts}
    assert (parts["watchdog"].word, parts["watchdog"].is_well) == ("silent", True)
    assert parts["watchdog"].detail == "its loop was late"
    assert parts[HEARTBEAT].word == "beats"


async def test_a_heartbeat_that_stopped_means_nothing_while_the_watchdog_goes_on(ward: Ward) -> None:
    """A full disk ends the one, and not the loop."""
    process = await ward.process("coder")
    ward.patient.is_frozen = True
    for _ in range(60):
        ward.notices.say(process, "WATCHDOG=1")
        await ward.clock.advance(MINUTE_S)
    await assert_untouched(ward, process)


async def test_after_an_adoption_a_watchdogs_silence_means_nothing_until_it_was_heard(ward: Ward) -> None:
    """It may have been silent for good before; from the first beat on it counts."""
    ward.patient.has_heartbeat = False
    process = await ward.process("coder")
    ward.notices.say(process, "WATCHDOG=1")
    await ward.clock.settle()
    await ward.reopen()
    await ward.clock.advance(DAY_S)
    await assert_untouched(ward, process)
    ward.notices.say(process, "WATCHDOG=1")
    await ward.clock.advance(HANG_S)
    assert await conditions(ward) == ["hung"]


async def test_who_says_that_it_ends_needs_no_watchdog_any_more(ward: Ward) -> None:
    """hermes-agent stops its watchdog before it finishes its turns, which may take long."""
    ward.patient.has_heartbeat = False
    process = await ward.process("coder")
    for text in ("WATCHDOG=1", "STOPPING=1"):
        ward.notices.say(process, text)
    await ward.clock.advance(HOUR_S)
    await assert_untouched(ward, process)


async def test_another_process_beats_for_itself(ward: Ward) -> None:
    """A child with the inherited address hides no hang of its parent."""
    process = await ward.process("coder")
    ward.patient.is_frozen = True
    for _ in range(6):
        ward.notices.say(replace(process, pid=process.pid + 1), "WATCHDOG=1")
        await ward.clock.advance(MINUTE_S / 2)
    assert await conditions(ward) == ["hung"]


async def test_one_that_hangs_again_and_again_slows_down_and_never_stops(ward: Ward) -> None:
    """It is stable each time, so that only its relapses are left to slow it down."""
    ward.patient.hangs_after_s = 5 * MINUTE_S
    started: Counter[int] = Counter()
    for hour in range(24):
        before = len(ward.backend.specs)
        await ward.clock.advance(HOUR_S)
        started[hour] = len(ward.backend.specs) - before
    assert all(1 <= started[hour] <= 4 for hour in range(2, 24)), started
    assert await kinds(ward, "alert") == ["alert"]
    assert (await last_exit(ward)).cause is ExitCause.HUNG


async def test_one_that_was_well_for_long_begins_anew(ward: Ward) -> None:
    """Relapses are forgotten, so that a hang once a day is mended within seconds."""
    for _ in range(15):
        ward.patient.is_frozen = True
        await ward.clock.advance(HANG_S)
        ward.patient.is_frozen = False
        before_s = ward.clock.monotonic_s()
        while await ward.state("coder") is not State.RUNNING:
            await ward.clock.advance(1)
        assert ward.clock.monotonic_s() - before_s <= 5
        await ward.clock.advance(2 * HOUR_S)
    assert (await ward.record("coder")).gateway.relapses == 0


async def test_a_healthy_idle_gateway_is_never_touched(ward: Ward) -> None:
    """Its report is as old as its start, its loop beats: a week goes by, with a night's sleep and new clocks."""
    old = replace(TELEGRAM, is_well=True, word="connected", detail="", at_s=ward.clock.now_s())
    ward.patient.own_signs = (old,)
    process = await ward.process("coder")
    for jump_s in (0.0, 8 * HOUR_S, 3 * YEAR_S, -6 * YEAR_S):
        ward.clock.jump(jump_s)
        await ward.clock.advance(42 * HOUR_S)
    await assert_untouched(ward, process)
    assert all(part.is_well and (part.age_s or 0) >= 0 for part in (await ward.health("coder")).parts)


@pytest.mark.parametrize("seconds", [70.0, 10 * MINUTE_S, DAY_S])
async def test_time_that_was_not_watched_counts_for_nothing(ward: Ward, seconds: float) -> None:
    """While hermesd stands still again and again, no silence is long enough to be sure."""
    process = await ward.process("coder")
    ward.patient.is_frozen = True
    for _ in range(20):
        await ward.clock.advance(POLICY.look_s - 1)
        ward.clock.stall(seconds)
    await ward.clock.advance(POLICY.look_s)
    await assert_untouched(ward, process)


async def test_what_stood_still_together_with_us_gets_its_time(ward: Ward) -> None:
    """A machine that was frozen and goes on: the loop beats only after a while."""
    process = await ward.process("coder")
    ward.patient.is_frozen = True
    await ward.clock.advance(MINUTE_S)
    ward.clock.stall(10 * MINUTE_S)
    await ward.clock.advance(MINUTE_S / 2)
    ward.patient.is_frozen = False
    await ward.clock.advance(HOUR_S)
    await assert_untouched(ward, process)


async def test_a_hang_is_only_told_if_the_settings_say_so() -> None:
    """Told once, and once more when it is over."""
    ward = Ward(Settings(Policy(restart_hung=False)))
    await ward.open()
    await ward.furnish("coder")
    await ward.start("coder")
    process = await ward.process("coder")
    ward.patient.is_frozen = True
    await ward.clock.advance(DAY_S)
    assert (await ward.process("coder"), await conditions(ward)) == (process, ["hung"])
    assert (await ward.health("coder")).condition is Condition.HUNG
    begun = await ward.start("coder")
    assert begun.warnings == ("up, but hung: its event loop gives no sign of life",)
    ward.patient.is_frozen = False
    await ward.clock.advance(MINUTE_S)
    assert await conditions(ward) == ["hung", "well"]
    await ward.close()


async def test_a_platform_that_fails_is_told_once_and_left_to_its_agent(
    ward: Ward, caplog: pytest.LogCaptureFixture
) -> None:
    """It tries by itself; a restart would only cost the others."""
    caplog.set_level(logging.WARNING)
    process = await ward.process("coder")
    ward.patient.own_signs = (TELEGRAM,)
    await ward.clock.advance(POLICY.unwell_after_s)
    assert await conditions(ward) == []
    await ward.clock.advance(DAY_S)
    assert (await ward.process("coder"), await conditions(ward)) == (process, ["degraded"])
    (event,) = await told(ward, "degraded")
    assert event.message == "gateway of coder: degraded: telegram: timed out"
    assert event.facts == {"from": "well", "to": "degraded", "detail": "telegram: timed out"}
    assert caplog.text.count("to=degraded") == 1
    ward.patient.own_signs = (replace(TELEGRAM, is_well=True, word="connected"),)
    await ward.clock.advance(MINUTE_S)
    assert await conditions(ward) == ["degraded", "well"]


async def test_what_its_agent_gave_up_is_mended_by_a_restart(ward: Ward) -> None:
    """After a while, and with a cause of its own."""
    process = await ward.process("coder")
    ward.patient.own_signs = (replace(TELEGRAM, word="fatal", is_mended_by_restart=True),)
    await ward.clock.advance(POLICY.unwell_restart_s - MINUTE_S)
    assert await ward.process("coder") == process
    await ward.clock.advance(2 * MINUTE_S)
    assert await ward.process("coder") != process
    end = await last_exit(ward)
    assert (end.cause, end.detail) == (ExitCause.UNWELL, "telegram: timed out")


async def test_a_drain_is_told_and_touches_nothing(ward: Ward) -> None:
    """It is somebody's wish."""
    process = await ward.process("coder")
    ward.patient.is_draining = True
    await ward.clock.advance(DAY_S)
    ward.patient.is_draining = False
    await ward.clock.advance(MINUTE_S)
    assert await ward.process("coder") == process
    assert await conditions(ward) == ["draining", "well"]


async def test_a_start_that_ends_degraded_is_told_after_it(ward: Ward) -> None:
    """The last word of the history is how it is."""
    await ward.stop("coder")
    ward.patient.own_signs = (replace(TELEGRAM, is_platform=False, name="api_server"),)
    ward.patient.probes["coder"] = [Probe(Phase.DEGRADED, "api_server: timed out")]
    await ward.start("coder")
    await ward.clock.advance(POLICY.degraded_after_s + 1)
    assert (await kinds(ward, "ready", "degraded"))[-2:] == ["ready", "degraded"]
    await ward.clock.advance(DAY_S)
    assert await conditions(ward) == ["degraded"]


async def test_how_an_adopted_gateway_is_doing_is_known_at_once(ward: Ward) -> None:
    """What an earlier daemon told of it is not told again, and what changed meanwhile is."""
    ward.patient.own_signs = (TELEGRAM,)
    await ward.clock.advance(HOUR_S)
    await ward.reopen()
    assert (await ward.health("coder")).condition is Condition.DEGRADED
    assert await conditions(ward) == ["degraded"]
    ward.patient.own_signs = ()
    await ward.reopen()
    assert (await ward.health("coder")).condition is Condition.WELL
    assert await conditions(ward) == ["degraded", "well"]


async def test_a_gateway_that_does_not_run_has_no_health(ward: Ward) -> None:
    """Nor is it looked at."""
    await ward.stop("coder")
    looks = ward.patient.looks
    await ward.clock.advance(HOUR_S)
    assert ward.patient.looks == looks
    views = await ward.services.views.all()
    assert [view.health for view in views] == [None, None]


async def test_layers_are_shown_with_their_ages(ward: Ward) -> None:
    """The process first, then beats by the monotonic clock, then what was reported by the wall clock."""
    process = await ward.process("coder")
    ward.processes.ages[process.pid] = 77.0
    api = Sign("api_server", is_well=True, word="answers")
    telegram = replace(TELEGRAM, at_s=ward.clock.now_s() + 30)
    ward.patient.own_signs = (telegram, api)
    await ward.clock.advance(59)
    ward.notices.say(process, "WATCHDOG=1")
    await ward.clock.advance(11)
    health = await ward.health("coder")
    shown = [(part.name, part.word, part.age_s, part.is_platform) for part in health.parts]
    assert shown == [
        ("process", "alive", 77.0, False),
        ("watchdog", "beats", 11.0, False),
        (HEARTBEAT, "beats", 10.0, False),
        ("api_server", "answers", 10.0, False),
        ("telegram", "retrying", 40.0, True),
    ]
    assert health.age_s == 10.0


class Executor(InlineExecutor):
    """Counts how often a thread is asked."""

    turns = 0

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.turns += 1
        return super().submit(fn, *args, **kwargs)


async def test_a_round_takes_one_turn_of_a_thread() -> None:
    """However many gateways there are."""
    ward = Ward()
    await ward.open()
    names = [f"g{number}" for number in range(50)]
    await ward.furnish(*names)
    for name in names:
        await ward.start(name)
    executor = Executor()
    asyncio.get_running_loop().set_default_executor(executor)
    looks = ward.patient.looks
    await ward.services.rounds.look()
    assert (executor.turns, ward.patient.looks - looks) == (1, 50)
    await ward.close()


async def test_who_answers_slowly_is_asked_apart() -> None:
    """Until it is quick again; the others do not wait for it."""
    ward = Ward()
    await ward.open()
    await ward.furnish("quick", "slow")
    for name in ("quick", "slow"):
        await ward.start(name)
    probe, is_slow = ward.patient.probe, True

    def slowly(home: Home, process: ProcessIdentity) -> Probe:
        if home.name.text == "slow" and is_slow:
            ward.clock.stall(2 * SLOW_S)
        return probe(home, process)

    ward.patient.probe = slowly  # type: ignore[method-assign]
    turns = []
    for answers_slowly in (True, True, False, False):
        is_slow = answers_slowly
        executor = Executor()
        asyncio.get_running_loop().set_default_executor(executor)
        await ward.services.rounds.look()
        turns.append(executor.turns)
    assert turns == [1, 2, 2, 1]
    await ward.close()


@pytest.mark.parametrize(
    ("failure", "level"),
    [(ZeroDivisionError(), "ERROR"), (OSError(errno.EMFILE, "Too many open files"), "WARNING")],
)
async def test_a_failure_of_one_look_hinders_no_other(
    ward: Ward, caplog: pytest.LogCaptureFixture, failure: Exception, level: str
) -> None:
    """Nor the next ones at the same gateway; only a defect is told with its traceback."""
    ward.homes.add("writer")
    await ward.start("writer")
    probe, is_broken = ward.patient.probe, True

    def breaking(home: Home, process: ProcessIdentity) -> Probe:
        if home.name.text == "writer" and is_broken:
            raise failure
        return probe(home, process)

    ward.patient.probe = breaking  # type: ignore[method-assign]
    ward.patient.is_frozen = True
    await ward.clock.advance(HANG_S)
    assert await conditions(ward) == ["hung"]
    looks = [one for one in caplog.records if "could not be looked at" in one.getMessage()]
    assert {(one.levelname, "profile=writer" in one.getMessage()) for one in looks} == {(level, True)}
    assert all((one.exc_info is not None) == (level == "ERROR") for one in looks)
    is_broken = False
    await ward.clock.advance(HANG_S)
    assert len(await told(ward, "hung", "writer")) == 1


async def test_what_is_wrong_is_told_apart(ward: Ward) -> None:
    """A start that takes too long, a loop that stops and a part that does not work."""
    ward.patient.probes["coder"] = [Probe(Phase.STARTING, "connecting telegram")]
    ward.patient.is_frozen = True
    await ward.clock.advance(HANG_S)
    ward.patient.is_frozen = False
    await ward.clock.advance(POLICY.start_limit_s)
    ward.patient.probes["coder"] = [Probe(Phase.READY)]
    ward.patient.own_signs = (replace(TELEGRAM, is_mended_by_restart=True),)
    await ward.clock.advance(POLICY.unwell_restart_s * 2 + 2 * MINUTE_S)
    ends = await told(ward, "exited")
    assert [(end.facts["cause"], end.facts["detail"]) for end in ends] == [
        ("hung", "its event loop gives no sign of life"),
        ("start_timeout", "connecting telegram"),
        ("unwell", "telegram: timed out"),
    ]
