"""When a start counts as done: what is seen of a process, and what it says itself."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from hermesd.domain.gateway import State
from hermesd.domain.operation import OperationState
from hermesd.domain.policy import Policy
from hermesd.domain.process import ExitCause, Phase, Probe, ProcessIdentity, Sign, SpawnSpec
from hermesd.services.hearing import STRANGERS
from tests.services.house import failure
from tests.services.patients import Ward

pytestmark = [pytest.mark.fast, pytest.mark.services]

POLICY = Policy()
SILENCE = Sign("api_server", is_well=False, word="no answer")


@pytest_asyncio.fixture
async def ward() -> AsyncIterator[Ward]:
    """A daemon on fakes, and one profile whose agent says when it is ready."""
    ward = Ward()
    ward.patient.has_watchdog = True
    await ward.open()
    await ward.furnish("coder")
    yield ward
    await ward.close()


async def say(ward: Ward, text: str) -> None:
    """The gateway's own process speaks, and everything happens that needs no time."""
    ward.notices.say(await ward.process("coder"), text)
    await ward.clock.settle()


async def test_a_start_is_done_when_the_process_says_so(ward: Ward) -> None:
    """Its files alone are not enough; its word is acted on at once, without waiting for the next look."""
    begun = await ward.start("coder")
    await ward.clock.advance(1.02)
    assert (await ward.now(begun)).state is OperationState.RUNNING
    assert await ward.state("coder") is State.STARTING
    await say(ward, "READY=1")
    assert (await ward.now(begun)).state is OperationState.SUCCEEDED
    assert await ward.state("coder") is State.RUNNING


async def test_what_can_be_asked_must_answer_too(ward: Ward) -> None:
    """A process that says that it is ready while its API is silent is waited for, then shown as degraded."""
    ward.patient.probes["coder"] = [Probe(Phase.DEGRADED)]
    ward.patient.own_signs = (SILENCE,)
    begun = await ward.start("coder")
    await say(ward, "READY=1")
    await ward.clock.advance(POLICY.degraded_after_s - 1)
    assert await ward.state("coder") is State.STARTING
    await ward.clock.advance(1.1)
    assert (await ward.now(begun)).warnings == ("up, but degraded: api_server: no answer",)


async def test_an_answer_that_comes_late_is_noticed_as_soon_as_without_a_watchdog(ward: Ward) -> None:
    """After its word is heard, the agent is asked every tenth of a second."""
    ward.patient.probes["coder"] = [Probe(Phase.STARTING)]
    await ward.start("coder")
    await say(ward, "READY=1")
    asked = ward.patient.looks
    ward.patient.probes["coder"] = [Probe(Phase.READY)]
    await ward.clock.advance(0.1)
    assert await ward.state("coder") is State.RUNNING
    assert ward.patient.looks == asked + 1


async def test_a_word_that_got_lost_keeps_nobody_waiting_for_ever(ward: Ward) -> None:
    """The datagram may have been sent while no daemon listened."""
    begun = await ward.start("coder")
    await ward.clock.advance(POLICY.ready_notice_s - 1)
    assert await ward.state("coder") is State.STARTING
    await ward.clock.advance(1.1)
    assert (await ward.now(begun)).state is OperationState.SUCCEEDED


async def test_others_speak_for_themselves(ward: Ward) -> None:
    """Neither a child nor a process that had the same pid makes the gateway ready."""
    await ward.start("coder")
    process = await ward.process("coder")
    ward.notices.say(replace(process, pid=process.pid + 1), "READY=1")
    ward.notices.say(replace(process, start_ticks=process.start_ticks - 1), "READY=1")
    await ward.clock.advance(1)
    assert await ward.state("coder") is State.STARTING


async def test_a_process_may_be_ready_before_its_start_is_recorded(ward: Ward) -> None:
    """What it said meanwhile counts, also among many others who speak."""
    start = ward.backend.start

    async def speaking(spec: SpawnSpec) -> ProcessIdentity:
        process = await start(spec)
        for number in range(STRANGERS - 1):
            ward.notices.say(replace(process, pid=9000 + number), "READY=1")
        ward.notices.say(process, "READY=1")
        await ward.clock.settle()
        return process

    ward.backend.start = speaking  # type: ignore[method-assign]
    begun = await ward.start("coder")
    assert begun.state is OperationState.SUCCEEDED


async def test_strangers_are_forgotten(ward: Ward) -> None:
    """Whoever speaks without end costs no memory: what was said longest ago goes first."""
    start = ward.backend.start

    async def speaking(spec: SpawnSpec) -> ProcessIdentity:
        process = await start(spec)
        ward.notices.say(process, "READY=1")
        for number in range(STRANGERS):
            ward.notices.say(replace(process, pid=9000 + number), "READY=1")
        await ward.clock.settle()
        return process

    ward.backend.start = speaking  # type: ignore[method-assign]
    assert (await ward.start("coder")).state is OperationState.RUNNING


async def test_after_an_adoption_nothing_is_awaited(ward: Ward) -> None:
    """Whoever was told before is gone."""
    ward.patient.probes["coder"] = [Probe(Phase.STARTING)]
    await ward.start("coder")
    await ward.reopen()
    assert await ward.state("coder") is State.STARTING
    ward.patient.probes["coder"] = [Probe(Phase.READY)]
    await ward.clock.advance(0.2)
    assert await ward.state("coder") is State.RUNNING


async def test_who_never_is_ready_is_ended_by_the_start_limit(ward: Ward) -> None:
    """Its word alone does not count either."""
    ward.patient.probes["coder"] = [Probe(Phase.STARTING, "connecting telegram")]
    begun = await ward.start("coder")
    await say(ward, "READY=1")
    await ward.clock.advance(POLICY.start_limit_s + 1)
    assert failure(await ward.now(begun)) == "GATEWAY_NOT_READY"
    end = (await ward.record("coder")).last_exit
    assert end is not None
    assert (end.cause, end.detail) == (ExitCause.START_TIMEOUT, "connecting telegram")


async def test_without_a_watchdog_its_files_are_enough(ward: Ward) -> None:
    """Older agents say nothing."""
    ward.patient.has_watchdog = False
    assert (await ward.start("coder")).state is OperationState.SUCCEEDED
