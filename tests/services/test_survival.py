"""What keeps a bot's token and its operator's patience: budgets, disabling, and the truth about ends."""

import pytest

from hermesd.domain.errors import HermesError, NotPermitted
from hermesd.domain.gateway import Event, State
from hermesd.domain.limits import Limit
from hermesd.domain.operation import OperationState
from hermesd.domain.policy import Policy
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus, Phase, Probe, ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.services.gatewayviews import EXPLAINED
from tests.services.house import House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]


async def small_budget() -> House:
    """A house whose gateways may be started three times an hour."""
    house = House(Settings(Policy(starts_per_hour=3, starts_per_day=5)))
    await house.open()
    await house.furnish("coder")
    return house


async def crash(house: House) -> None:
    """Ends coder's process and lets everything happen that needs no time."""
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.clock.settle()


async def test_a_spent_budget_parks_the_gateway_until_the_window_frees() -> None:
    """The fourth start within an hour waits, with the moment it waits for, and then happens by itself."""
    house = await small_budget()
    await house.start("coder")
    first_start_s = house.clock.now_s()
    for _ in range(3):
        await crash(house)
        await house.clock.advance(30)
    record = await house.record("coder")
    assert record.gateway.state is State.PARKED
    assert record.gateway.wanted_up
    assert record.next_start_at_s == pytest.approx(first_start_s + 3600)
    assert len(house.backend.specs) == 3
    await house.clock.advance(3600)
    assert await house.state("coder") is State.RUNNING
    assert len(house.backend.specs) == 4
    await house.close()


async def test_a_spent_budget_holds_for_people_too() -> None:
    """A command beyond the budget fails with the reason, and starts nothing."""
    house = await small_budget()
    for _ in range(3):
        assert (await house.restart("coder")).state is OperationState.SUCCEEDED
    assert failure(await house.restart("coder")) == "BUDGET_SPENT"
    assert len(house.backend.specs) == 3
    view = await house.services.views.get(ProfileName("coder"))
    assert (view.used_in_hour, view.budget.per_hour) == (3, 3)
    await house.close()


async def test_a_budget_survives_the_daemon() -> None:
    """Restarting hermesd does not refill what protects the token, nor forget when it frees."""
    house = await small_budget()
    for _ in range(3):
        await house.restart("coder")
    await house.restart("coder")
    parked = await house.record("coder")
    await house.clock.advance(100)
    await house.reopen()
    assert await house.state("coder") is State.PARKED
    assert (await house.record("coder")).next_start_at_s == pytest.approx(parked.next_start_at_s)
    await house.clock.advance(3600)
    assert await house.state("coder") is State.RUNNING
    await house.close()


async def test_a_parked_gateway_can_be_stopped() -> None:
    """Stop outranks the waiting."""
    house = await small_budget()
    for _ in range(4):
        await house.restart("coder")
    await house.stop("coder")
    await house.clock.advance(86_400)
    assert await house.state("coder") is State.STOPPED
    await house.close()


async def test_a_disabled_gateway_is_adopted_but_not_started_with_the_daemon(house: House) -> None:
    """What runs goes on; what does not is left alone until somebody starts it."""
    await house.start("coder")
    process = await house.process("coder")
    await house.services.gateways.enable(ProfileName("coder"), is_enabled=False)
    await house.reopen()
    assert await house.process("coder") == process
    await house.close()
    house.backend.exit(process.pid, ExitStatus(code=1))
    await house.open()
    await house.clock.advance(3600)
    record = await house.record("coder")
    assert record.gateway.state is State.STOPPED
    assert not record.gateway.wanted_up
    assert len(house.backend.specs) == 1
    assert (await house.start("coder")).state is OperationState.SUCCEEDED


async def test_disabled_stays_disabled_and_enabling_is_remembered(house: House) -> None:
    """The choice survives daemons; once enabled again, a wanted gateway is started with the next one."""
    gateways = house.services.gateways
    await gateways.enable(ProfileName("coder"), is_enabled=False)
    await house.reopen()
    assert not (await house.record("coder")).is_enabled
    await house.services.gateways.enable(ProfileName("coder"), is_enabled=True)
    await house.start("coder")
    await house.close(drain=True)
    await house.open()
    assert await house.state("coder") is State.RUNNING


async def test_a_reboot_is_told_as_one(house: House) -> None:
    """A process of another boot is gone for a known reason, and is started once."""
    await house.start("coder")
    pid = (await house.process("coder")).pid
    await house.close()
    house.backend.exit(pid, ExitStatus(signal=9))
    house.processes.boot = "another boot"
    await house.open()
    record = await house.record("coder")
    assert record.last_exit is not None
    assert record.last_exit.detail == "the machine was started anew"
    await house.clock.advance(2)
    assert len(house.backend.specs) == 2


async def test_what_the_agent_left_in_writing_is_believed(house: House) -> None:
    """An agent that refused its configuration while no daemon ran is not started against that."""
    await house.start("coder")
    pid = (await house.process("coder")).pid
    await house.close()
    house.backend.exit(pid, ExitStatus(code=78))
    house.agent.exit_reports["coder"] = ExitReport(Event.MISCONFIGURED, ExitCause.MISCONFIGURED, "no model")
    await house.open()
    record = await house.record("coder")
    assert record.gateway.state is State.FAILED
    assert record.last_exit is not None
    assert record.last_exit.detail == "no model"


async def test_an_explanation_has_the_last_ends_and_the_last_words(house: House) -> None:
    """Newest first, with code or signal, bounded, together with what was written last."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    await house.start("coder")
    for number in range(EXPLAINED + 2):
        status = ExitStatus(signal=9) if number % 2 else ExitStatus(code=number)
        house.backend.exit((await house.process("coder")).pid, status)
        await house.clock.settle()
        while await house.state("coder") is State.BACKOFF:
            await house.clock.advance(30)
    house.logs.write((await house.record("coder")).profile_id, "last words\n")
    explanation = await house.services.views.explain(ProfileName("coder"))
    assert len(explanation.exits) == EXPLAINED
    assert explanation.exits[0].status == ExitStatus(signal=9)
    assert explanation.exits[1].status == ExitStatus(code=EXPLAINED)
    assert all(end.cause is ExitCause.CRASHED for end in explanation.exits)
    assert explanation.last_lines == ["last words"]


async def test_a_limit_that_nothing_enforces_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """At the start, in the log, and as long as the process runs; also of one that an earlier daemon started."""
    limits = {Limit.MEMORY_MAX: 2 << 30, Limit.TASKS_MAX: 500}
    house = House(Settings(limits=limits, profiles={"writer": ProfileSettings(limits=dict.fromkeys(limits))}))
    house.backend.enforced = frozenset({Limit.TASKS_MAX})
    await house.open()
    await house.furnish("coder", "writer")
    warnings = ("memory_max is set, but nothing here can enforce it",)
    assert (await house.start("coder")).warnings == warnings
    assert (await house.start("writer")).warnings == ()
    assert [spec.limits for spec in house.backend.specs] == [limits, {}]
    assert warnings[0] in caplog.text
    for _ in range(2):
        assert (await house.services.views.get(ProfileName("coder"))).warnings == warnings
        await house.reopen()
    await house.stop("coder")
    assert (await house.services.views.get(ProfileName("coder"))).warnings == ()
    await house.close()


@pytest.mark.parametrize("trouble", [HermesError("too many open files"), ZeroDivisionError("boom")])
async def test_an_end_is_noticed_whatever_fails_on_the_way(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    """A gateway whose end nobody hears of would never be started again."""

    def broken(*_: object) -> None:
        raise trouble

    await house.start("coder")
    with monkeypatch.context() as patched:
        patched.setattr(house.agent, "explain_exit", broken)
        await crash(house)
        assert await house.state("coder") is State.RUNNING
    await house.clock.advance(10)
    assert await house.state("coder") is State.RUNNING
    assert len(house.backend.specs) == 2
    assert "task=exit of coder is tried again" in caplog.text


@pytest.mark.parametrize("trouble", [HermesError("too many open files"), ZeroDivisionError("boom")])
async def test_a_start_is_looked_at_again_whatever_failed(
    house: House, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """It counts as done when it is, and is not ended by its limit."""

    def broken(*_: object) -> None:
        raise trouble

    with monkeypatch.context() as patched:
        patched.setattr(house.agent, "probe", broken)
        assert (await house.start("coder")).state is OperationState.RUNNING
    await house.clock.advance(10)
    assert await house.state("coder") is State.RUNNING
    assert len(house.backend.specs) == 1


async def test_a_gateway_that_could_not_be_asked_to_end_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it would be killed when its grace is over, in the middle of its turns."""

    async def out_of_reach(_: ProcessIdentity) -> None:
        raise HermesError("hermesd has too many files open")

    await house.start("coder")
    with monkeypatch.context() as patched:
        patched.setattr(house.backend, "terminate", out_of_reach)
        assert (await house.stop("coder")).state is OperationState.RUNNING
    await house.clock.advance(3)
    assert await house.state("coder") is State.STOPPED
    assert "could not be asked to end: hermesd has too many files open" in caplog.text


async def test_a_gateway_that_may_not_be_ended_is_not_asked_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its grace goes on, and what follows from it is told."""

    async def forbidden(_: ProcessIdentity) -> None:
        raise NotPermitted("cannot send SIGTERM: permission denied")

    await house.start("coder")
    monkeypatch.setattr(house.backend, "terminate", forbidden)
    assert (await house.stop("coder")).state is OperationState.RUNNING
    assert await house.state("coder") is State.STOPPING
    await house.clock.advance(1)
    assert caplog.text.count("not asked to end: cannot send SIGTERM") == 1


async def test_a_defect_in_one_step_does_not_end_the_keeping(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw is logged and told, and the next command works."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("boom")

    with monkeypatch.context() as patched:
        patched.setattr(house.agent, "launch", broken)
        begun = await house.start("coder")
        assert begun.state is OperationState.RUNNING
    assert "boom" in caplog.text
    await house.stop("coder")
    assert (await house.start("coder")).state is OperationState.SUCCEEDED
