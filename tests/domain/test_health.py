"""Health, look by look: what is told, when a restart is due, and what no silence proves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.gateway import Event
from hermesd.domain.health import BUSY_PATIENCE, Condition, Health, Look, assess, due
from hermesd.domain.policy import Policy
from hermesd.domain.process import Phase, Probe, Sign

pytestmark = [pytest.mark.fast, pytest.mark.domain]

POLICY = Policy()
LOOK_S = POLICY.look_s
CONNECTED = Sign("telegram", is_well=True, word="connected", is_platform=True)
RETRYING = Sign("telegram", is_well=False, word="retrying", detail="timed out", is_platform=True)
STUCK = replace(RETRYING, word="disconnected", detail="", is_mended_by_restart=True)
API_SILENT = Sign("api_server", is_well=False, word="not answering", is_mended_by_restart=True)


class Watch:
    """A gateway that is looked at again and again."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.now_s = 1000.0
        self.health = Health()
        self.beats: dict[str, float] = {}
        self.probe = Probe(Phase.READY)

    def look(self, *, beats: bool = True) -> Health:
        """Looks once, now; the loop has beaten just before, or not since the last time."""
        if beats:
            self.beats = {"heartbeat": self.now_s - 1.0}
        self.health = assess(self.health, Look(self.now_s, self.probe, self.beats), self.policy)
        return self.health

    def pass_(self, seconds: float, *, every_s: float = LOOK_S, beats: bool = True) -> Health:
        """Lets time pass with a look every so many seconds."""
        end_s = self.now_s + seconds
        while self.now_s + every_s <= end_s:
            self.now_s += every_s
            self.look(beats=beats)
        return self.health

    @property
    def due(self) -> Event | None:
        """What recovery asks for now."""
        return due(self.health, self.policy, relapses=0)


@pytest.fixture
def watch() -> Watch:
    """A gateway that is well, looked at once."""
    watch = Watch()
    watch.look()
    return watch


def test_loop_that_stopped_is_hung_after_four_missed_beats(watch: Watch) -> None:
    """Not sooner than two minutes after its last beat, and one look later at most."""
    watch.pass_(POLICY.hung_after_s - LOOK_S, beats=False)
    assert watch.health.condition is Condition.WELL
    watch.pass_(LOOK_S, beats=False)
    assert (watch.health.condition, watch.due) == (Condition.HUNG, Event.HUNG)


def test_one_beat_ends_the_suspicion(watch: Watch) -> None:
    """However long the silence before it was."""
    watch.pass_(POLICY.hung_after_s - LOOK_S, beats=False)
    watch.look()
    assert watch.pass_(POLICY.hung_after_s - LOOK_S, beats=False).condition is Condition.WELL


@pytest.mark.parametrize("every_s", [30.0, 50.0])
def test_no_setting_makes_a_loop_hung_that_goes_round(every_s: float) -> None:
    """Somebody who wants hangs noticed within seconds gets as few as its own beats allow."""
    watch = Watch(Policy(look_s=1.0, hung_after_s=5.0))
    for second in range(3600):
        watch.now_s += 1.0
        watch.beats = {"heartbeat": 1000.0 + second // every_s * every_s}
        assert watch.look(beats=False).condition is Condition.WELL
    stopped_s = watch.now_s
    while watch.look(beats=False).condition is Condition.WELL:
        watch.now_s += 1.0
    assert watch.now_s - stopped_s <= min(3 * every_s, 120.0) + 1.0


def test_quick_beats_let_a_hang_be_noticed_quickly() -> None:
    """After the patience that is set."""
    watch = Watch(Policy(look_s=1.0, hung_after_s=5.0))
    watch.pass_(10.0, every_s=1.0)
    watch.pass_(4.0, every_s=1.0, beats=False)
    assert watch.health.condition is Condition.WELL
    assert watch.pass_(1.0, every_s=1.0, beats=False).condition is Condition.HUNG


def test_any_source_of_beats_proves_that_the_loop_goes_round(watch: Watch) -> None:
    """A watchdog that fell silent for good means nothing while the heartbeat goes on."""
    for _ in range(100):
        watch.now_s += LOOK_S
        watch.beats = {"watchdog": 999.0, "heartbeat": watch.now_s}
        assert watch.look(beats=False).condition is Condition.WELL
    assert watch.pass_(POLICY.hung_after_s, beats=False).condition is Condition.HUNG


def test_gateway_that_never_beat_is_never_hung() -> None:
    """An agent that has no beats, or whose beats this daemon has not heard yet, proves nothing by its silence."""
    watch = Watch()
    watch.look(beats=False)
    assert watch.pass_(7 * 86_400.0, every_s=LOOK_S * 2, beats=False).condition is Condition.WELL


def test_idle_gateway_is_never_touched(watch: Watch) -> None:
    """For a week, whose only signs of life are its beats."""
    watch.probe = Probe(Phase.READY, signs=(CONNECTED,))
    watch.pass_(7 * 86_400.0)
    assert (watch.health.condition, watch.due) == (Condition.WELL, None)


@given(gaps=st.lists(st.floats(min_value=LOOK_S * 2.51, max_value=1e9), max_size=200))
def test_time_in_which_nobody_looked_proves_nothing(gaps: list[float]) -> None:
    """After any number of sleeps, jumps and stalls nothing is hung or unwell that was well before."""
    watch = Watch()
    watch.probe = Probe(Phase.READY, signs=(STUCK,))
    watch.look()
    watch.probe = Probe(Phase.READY, signs=(CONNECTED,))
    watch.look()
    watch.probe = Probe(Phase.READY, signs=(STUCK,))
    for gap_s in gaps:
        watch.now_s += gap_s
        watch.look(beats=False)
        assert (watch.health.condition, watch.due) == (Condition.WELL, None)


def test_clock_that_goes_backwards_proves_nothing(watch: Watch) -> None:
    """A look that seems to lie before the last one adds no time."""
    watch.pass_(POLICY.hung_after_s - LOOK_S, beats=False)
    watch.now_s -= 500.0
    assert watch.look(beats=False).condition is Condition.WELL


def test_platform_is_told_after_five_minutes(watch: Watch) -> None:
    """A platform that was connected is given time to come back; then it is told until it has."""
    watch.probe = Probe(Phase.READY, signs=(RETRYING,))
    watch.look()
    assert watch.pass_(POLICY.unwell_after_s - LOOK_S).condition is Condition.WELL
    told = watch.pass_(LOOK_S)
    assert (told.condition, told.detail) == (Condition.DEGRADED, "telegram: timed out")
    watch.probe = Probe(Phase.READY, signs=(CONNECTED,))
    back = watch.look()
    assert (back.condition, back.detail) == (Condition.WELL, "")


def test_api_is_told_after_a_minute(watch: Watch) -> None:
    """One answer that took too long is no trouble."""
    watch.probe = Probe(Phase.READY, signs=(API_SILENT,))
    watch.look()
    assert watch.pass_(LOOK_S).condition is Condition.WELL
    assert watch.pass_(LOOK_S).detail == "api_server: not answering"


def test_what_does_not_work_at_the_first_look_is_told_at_once() -> None:
    """Whoever waited for the start hears of it, and it stays told although little time has passed."""
    watch = Watch()
    watch.probe = Probe(Phase.DEGRADED, signs=(RETRYING,))
    assert watch.look().condition is Condition.DEGRADED
    assert watch.pass_(LOOK_S).condition is Condition.DEGRADED


def test_platform_that_does_not_poll_is_silent_after_three_intervals(watch: Watch) -> None:
    """Although it says that it is connected, and at once."""
    polling = replace(CONNECTED, polled_at_s=5.0, poll_every_s=60.0)
    watch.probe = Probe(Phase.READY, signs=(polling,))
    watch.look()
    assert watch.pass_(150.0).condition is Condition.WELL
    silent = watch.pass_(30.0)
    assert (silent.condition, silent.parts[0].word) == (Condition.DEGRADED, "silent")
    assert silent.detail == "telegram: it has not polled for 3 intervals"
    watch.probe = Probe(Phase.READY, signs=(replace(polling, polled_at_s=6.0),))
    assert watch.look().condition is Condition.WELL


def test_draining_is_no_trouble(watch: Watch) -> None:
    """Whatever else does not work meanwhile; only a stopped loop is worse."""
    watch.probe = Probe(Phase.DEGRADED, signs=(STUCK,), is_draining=True)
    assert watch.pass_(86_400.0).condition is Condition.DRAINING
    assert watch.due is None
    assert watch.pass_(POLICY.hung_after_s, beats=False).condition is Condition.HUNG


def test_restart_is_due_only_for_what_it_may_mend(watch: Watch) -> None:
    """What an agent tries to mend by itself is told and let be."""
    watch.probe = Probe(Phase.READY, signs=(RETRYING,))
    watch.pass_(86_400.0)
    assert (watch.health.condition, watch.due) == (Condition.DEGRADED, None)


@pytest.mark.parametrize(("relapses", "factor"), [(0, 1.0), (1, 2.0), (3, 8.0), (20, 24.0)])
def test_patience_with_a_part_doubles_with_each_relapse(watch: Watch, relapses: int, factor: float) -> None:
    """From a quarter of an hour to six hours."""
    watch.probe = Probe(Phase.READY, signs=(STUCK,))
    watch.look()
    watch.pass_(POLICY.unwell_restart_s * factor - LOOK_S)
    assert due(watch.health, POLICY, relapses) is None
    watch.pass_(LOOK_S)
    assert due(watch.health, POLICY, relapses) is Event.UNWELL


def test_turns_under_way_are_given_time(watch: Watch) -> None:
    """A degraded gateway that still works for somebody is restarted later."""
    watch.probe = Probe(Phase.READY, signs=(STUCK,), active_turns=2)
    watch.look()
    watch.pass_(POLICY.unwell_restart_s * BUSY_PATIENCE - LOOK_S)
    assert watch.due is None
    watch.pass_(LOOK_S)
    assert watch.due is Event.UNWELL


def test_policy_may_only_tell() -> None:
    """With recovery turned off, trouble is told and nothing is due."""
    watch = Watch(Policy(restart_hung=False, restart_unwell=False))
    watch.probe = Probe(Phase.READY, signs=(STUCK,))
    watch.look()
    watch.pass_(86_400.0)
    assert (watch.health.condition, watch.due) == (Condition.DEGRADED, None)
    watch.pass_(POLICY.hung_after_s, beats=False)
    assert (watch.health.condition, watch.due) == (Condition.HUNG, None)


def test_detail_does_not_change_while_nothing_does(watch: Watch) -> None:
    """Or each look would be news."""
    watch.probe = Probe(Phase.READY, signs=(STUCK, API_SILENT))
    watch.pass_(3600.0)
    first = watch.health.detail
    assert first == "telegram: disconnected; api_server: not answering"
    assert watch.pass_(3600.0).detail == first
