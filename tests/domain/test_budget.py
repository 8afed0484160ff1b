"""The start budget: two rolling windows that no start may break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.budget import DAY_S, HOUR_S, Budget, frees_at_s, recent, used

pytestmark = [pytest.mark.fast, pytest.mark.domain]

NOW_S = 1_700_000_000.0
BUDGET = Budget(per_hour=3, per_day=5)


def test_a_start_is_possible_while_both_windows_have_room() -> None:
    """Two starts in the hour leave one."""
    assert frees_at_s(BUDGET, [NOW_S - 10, NOW_S - 5], NOW_S) == NOW_S


def test_a_spent_hour_frees_when_its_oldest_start_leaves() -> None:
    """The third start of an hour makes the fourth wait until the first is an hour old."""
    starts = [NOW_S - 100, NOW_S - 50, NOW_S - 10]
    assert frees_at_s(BUDGET, starts, NOW_S) == NOW_S - 100 + HOUR_S
    assert used(starts, NOW_S, HOUR_S) == 3


def test_a_spent_day_outlasts_a_free_hour() -> None:
    """With an empty hour the day still counts."""
    starts = [NOW_S - 10 * HOUR_S + number for number in range(5)]
    assert frees_at_s(BUDGET, starts, NOW_S) == starts[0] + DAY_S
    assert used(starts, NOW_S, HOUR_S) == 0


def test_starts_of_yesterday_are_forgotten() -> None:
    """What is older than a day counts in no window."""
    assert recent([NOW_S - DAY_S - 1, NOW_S - 1], NOW_S) == (NOW_S - 1,)


def test_a_clock_set_back_does_not_lock_a_bot_out_for_long() -> None:
    """Starts from the future count as of now, not as of their time."""
    starts = [NOW_S + 100 * DAY_S] * 3
    assert frees_at_s(BUDGET, starts, NOW_S) == NOW_S + HOUR_S


@given(st.lists(st.floats(0, 3 * DAY_S), max_size=60), st.integers(1, 5), st.integers(5, 20))
def test_no_window_ever_holds_more_than_its_budget(wishes: list[float], per_hour: int, per_day: int) -> None:
    """Starting whenever it is allowed, at any wish, never puts more into an hour or a day."""
    budget = Budget(per_hour, per_day)
    starts: list[float] = []
    for wish in sorted(wishes):
        at_s = frees_at_s(budget, starts, max([NOW_S + wish, *starts[-1:]]))
        starts.append(at_s)
    for window_s, allowed in ((HOUR_S, per_hour), (DAY_S, per_day)):
        for start in starts:
            assert sum(start - window_s < other <= start for other in starts) <= allowed
