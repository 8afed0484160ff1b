"""Moments and spans in words."""

import pytest

from hermesctl.times import age, clock, elapsed, local, parse_moment, parse_span, rfc3339

pytestmark = [pytest.mark.fast, pytest.mark.cli]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (41, "41s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (11_520, "3h 12m"),
        (86_400, "1d"),
        (90_000, "1d 1h"),
        (86_400 * 9 + 3600, "9d"),
    ],
)
def test_an_age_has_at_most_two_units(seconds: float, words: str) -> None:
    """Rough is enough for people."""
    assert age(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.024, "24 ms"), (2.13, "2.1 s"), (75, "1:15 min")])
def test_an_elapsed_time_is_as_exact_as_it_is_short(seconds: float, words: str) -> None:
    """Milliseconds, tenths, then minutes."""
    assert elapsed(seconds) == words


def test_moments_for_programs_are_utc() -> None:
    """RFC 3339, with milliseconds where there are any."""
    assert rfc3339(1_790_000_000) == "2026-09-21T14:13:20Z"
    assert rfc3339(1_790_000_000.25) == "2026-09-21T14:13:20.250Z"


def test_moments_for_people_leave_out_today() -> None:
    """The date is said only where it is another one."""
    assert local(1_790_000_000, 1_790_000_060) == "14:13:20"
    assert local(1_790_000_000, 1_790_000_000 + 86_400) == "2026-09-21 14:13:20"


def test_a_stopwatch_counts_minutes() -> None:
    """It never jumps in width within an hour."""
    assert (clock(7.9), clock(75)) == ("0:07", "1:15")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("2.5", 2.5), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h1m1s", 3661), ("250ms", 0.25)],
)
def test_a_span_is_read_as_people_write_it(text: str, seconds: float) -> None:
    """A bare number is seconds."""
    assert parse_span(text) == seconds


NOW_S = 1_790_000_000.0
"""2026-09-21 14:13:20 in UTC."""


@pytest.mark.parametrize(
    ("text", "ago_s"),
    [
        ("10m", 600),
        ("1d2h", 93_600),
        (" 90s ", 90),
        ("today", 51_200),
        ("Yesterday", 137_600),
        ("14:00", 800),
        ("14:13:19.5", 0.5),
        ("15:13Z", -3580),
        ("2026-09-21", 51_200),
        ("2026-09-21T14:00", 800),
        ("2026-09-21 14:00:00", 800),
        ("2026-09-21t14:00+02:00", 8000),
    ],
)
def test_a_moment_is_read_as_people_write_it(text: str, ago_s: float) -> None:
    """A span before now, or a local date, time or both; a date is its beginning."""
    assert NOW_S - parse_moment(text, NOW_S) == ago_s


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "24:00", "9:00", "2026", "2026-11", "-5m", "tomorrow", "2026-W01"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="is no moment such as"):
        parse_moment(text, NOW_S)


@pytest.mark.parametrize("text", ["", "x", "5x", "-1", "1m1h", "s", "1 h 2"])
def test_what_is_no_span_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="is not a span of time"):
        parse_span(text)
