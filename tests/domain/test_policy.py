"""How long gateways are waited for, from the defaults and from the number of failures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.gateway import ALERT_AT, Gateway, State, Timer
from hermesd.domain.policy import Policy, delay_s
from hermesd.domain.settings import ProfileSettings, Settings

pytestmark = [pytest.mark.fast, pytest.mark.domain]

POLICY = Policy()
ROLLS = st.floats(min_value=0.0, max_value=1.0)


def backing_off(attempts: int) -> Gateway:
    """A wanted gateway that failed this often."""
    return Gateway(State.BACKOFF, wanted_up=True, attempts=attempts)


@pytest.mark.parametrize(
    ("timer", "expected_s"),
    [
        (Timer.START_LIMIT, 180.0),
        (Timer.STABLE, 60.0),
        (Timer.WELL, 3600.0),
        (Timer.GRACE, 45.0),
        (Timer.KILL_RETRY, 5.0),
        (Timer.BUDGET, 86_400.0),
    ],
)
def test_plain_delays_are_the_defaults(timer: Timer, expected_s: float) -> None:
    """What does not depend on failures is as documented; the grace adds the profile's own drain time."""
    assert delay_s(POLICY, backing_off(3), timer, drain_s=15.0, roll=0.7) == expected_s


@pytest.mark.parametrize(
    ("attempts", "expected_s"), [(0, 1), (1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 990), (1000, 990)]
)
def test_back_off_doubles_then_becomes_rare(attempts: int, expected_s: float) -> None:
    """The delay doubles with each failure and is fifteen minutes, only ever lengthened, from the tenth on."""
    assert delay_s(POLICY, backing_off(attempts), Timer.BACKOFF, drain_s=0.0, roll=0.5) == pytest.approx(
        expected_s
    )


def test_back_off_has_a_ceiling() -> None:
    """Doubling ends at the limit where the limit is below it."""
    policy = Policy(backoff_limit_s=100.0)
    assert delay_s(policy, backing_off(9), Timer.BACKOFF, drain_s=0.0, roll=0.5) == pytest.approx(100.0)


@given(st.integers(min_value=0, max_value=10**6), ROLLS)
def test_back_off_stays_within_its_jitter(attempts: int, roll: float) -> None:
    """No delay is shorter than 0.8 seconds or longer than 18 minutes, and none from the tenth under fifteen."""
    delay = delay_s(POLICY, backing_off(attempts), Timer.BACKOFF, drain_s=0.0, roll=roll)
    assert 0.8 <= delay <= 1080.0
    assert attempts < ALERT_AT or delay >= POLICY.backoff_rare_s


@given(st.integers(min_value=0, max_value=ALERT_AT + 5))
def test_gateways_that_fell_together_do_not_return_together(attempts: int) -> None:
    """Between the shortest and the longest delay lies a fifth of it at least, however rarely one is tried."""
    for timer in (Timer.BACKOFF, Timer.PORT_BACKOFF):
        first, last = (
            delay_s(POLICY, backing_off(attempts), timer, drain_s=0.0, roll=roll) for roll in (0.0, 1.0)
        )
        assert last >= 1.2 * first


@given(st.integers(min_value=0, max_value=ALERT_AT + 5), ROLLS)
def test_port_delay_is_never_shortened(attempts: int, roll: float) -> None:
    """While a stranger holds a port, starts are at least five minutes apart, and never closer than any other's."""
    delay = delay_s(POLICY, backing_off(attempts), Timer.PORT_BACKOFF, drain_s=0.0, roll=roll)
    plain = delay_s(POLICY, backing_off(attempts), Timer.BACKOFF, drain_s=0.0, roll=roll)
    assert delay >= max(POLICY.backoff_port_s, plain)


@given(st.integers(min_value=1, max_value=ALERT_AT + 5), ROLLS, ROLLS)
def test_more_failures_never_wait_less(attempts: int, roll: float, other: float) -> None:
    """One more failure never shortens the delay, whatever the jitter."""
    sooner = delay_s(POLICY, backing_off(attempts), Timer.BACKOFF, drain_s=0.0, roll=roll)
    later = delay_s(POLICY, backing_off(attempts + 1), Timer.BACKOFF, drain_s=0.0, roll=other)
    assert later >= sooner or attempts >= ALERT_AT


def test_profile_without_settings_has_the_defaults() -> None:
    """A profile that the settings do not name runs hermes-agent with the default policy."""
    settings = Settings(profiles={"coder": ProfileSettings(command=("sleep", "9"))})
    assert settings.of("coder").command == ("sleep", "9")
    assert settings.of("other") == ProfileSettings()
    assert settings.policy == POLICY
