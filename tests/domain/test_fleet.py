"""Which gateways are meant, and which of them are skipped."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.errors import ArgumentInvalid, HermesError, ProfileNameInvalid, ProfileNotFound
from hermesd.domain.fleet import NO_CHANNEL, NOT_OURS, NOT_RUNNING, Chosen, Verb, choose, fits, is_pattern, skipped
from hermesd.domain.gateway import Gateway, ParkedFor, State
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord

pytestmark = [pytest.mark.fast, pytest.mark.domain]

KNOWN = [ProfileName(text) for text in ("default", "coder", "work-a", "work-b", "x1")]


def chosen(*words: str, exclude: tuple[str, ...] = (), is_all: bool = False) -> tuple[list[str], list[str]]:
    """Names of who is meant: those that are spelt out, and those that are met."""
    named, excluded = ([word for word in some if not is_pattern(word)] for some in (words, exclude))
    patterns, excluded_patterns = ([word for word in some if is_pattern(word)] for some in (words, exclude))
    found = choose(
        [ProfileName(text) for text in named],
        patterns,
        [ProfileName(text) for text in excluded],
        excluded_patterns,
        known=KNOWN,
        is_all=is_all,
    )
    assert isinstance(found, Chosen)
    return [name.text for name in found.named], [name.text for name in found.matched]


def test_names_and_patterns_are_told_apart() -> None:
    """A name that also fits a pattern is spelt out all the same; each list is sorted and names nobody twice."""
    assert chosen("work-b", "coder", "coder", "work*") == (["coder", "work-b"], ["work-a"])
    assert chosen("WORK-?", "x*") == ([], ["work-a", "work-b", "x1"])
    assert chosen(is_all=True) == ([], ["coder", "default", "work-a", "work-b", "x1"])


def test_what_is_left_out_is_left_out_however_it_is_meant() -> None:
    """By name and by pattern, also of those that are spelt out."""
    assert chosen(is_all=True, exclude=("default", "work*")) == ([], ["coder", "x1"])
    assert chosen("coder", "x1", exclude=("x?",)) == (["coder"], [])


@pytest.mark.parametrize(
    ("words", "exclude", "is_all", "error"),
    [
        ((), (), False, ArgumentInvalid),
        ((), ("coder",), False, ArgumentInvalid),
        (("coder",), (), True, ArgumentInvalid),
        (("coder",), ("co*",), False, ArgumentInvalid),
        (("nobody*",), (), False, ProfileNotFound),
        ((), ("wrok*",), True, ProfileNotFound),
        (("work[ab]*",), (), False, ProfileNameInvalid),
        (("../*",), (), False, ProfileNameInvalid),
    ],
)
def test_what_means_nobody_is_refused(
    words: tuple[str, ...], exclude: tuple[str, ...], is_all: bool, error: type[HermesError]
) -> None:
    """An empty choice, a pattern that fits nothing, also one of what is to be left out, and what is no pattern."""
    with pytest.raises(error):
        chosen(*words, exclude=exclude, is_all=is_all)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_fits_what_a_shell_would_fit(pattern: str, text: str) -> None:
    """With nothing but the two wildcards."""
    assert fits(pattern, text) is fnmatchcase(text, pattern)


def test_no_pattern_takes_long() -> None:
    """One that would keep a regular expression busy for years is answered at once."""
    assert not fits("*a" * 30 + "*b", "a" * 64)


def record(
    state: State, *, wanted_up: bool = True, parked_for: ParkedFor | None = None, is_enabled: bool = True
) -> GatewayRecord:
    """A gateway."""
    return GatewayRecord("id", Gateway(state, wanted_up, parked_for=parked_for), is_enabled=is_enabled)


RUNNING, STOPPED = record(State.RUNNING), record(State.STOPPED, wanted_up=False)
BACKOFF = record(State.BACKOFF)
UNREACHED = record(State.PARKED, parked_for=ParkedFor.CHANNEL)
DISABLED = record(State.STOPPED, wanted_up=False, is_enabled=False)


@pytest.mark.parametrize(
    ("verb", "one", "has_channel", "why"),
    [
        (Verb.START, RUNNING, False, ""),
        (Verb.START, STOPPED, True, ""),
        (Verb.START, STOPPED, False, NO_CHANNEL),
        (Verb.START, DISABLED, True, "disabled"),
        (Verb.STOP, RUNNING, True, ""),
        (Verb.STOP, BACKOFF, True, ""),
        (Verb.STOP, STOPPED, True, "already stopped"),
        (Verb.RESTART, RUNNING, False, ""),
        (Verb.RESTART, BACKOFF, True, ""),
        (Verb.RESTART, STOPPED, True, NOT_RUNNING),
        (Verb.RESTART, UNREACHED, False, NO_CHANNEL),
        (Verb.RESTART, UNREACHED, True, ""),
        (Verb.DRAIN, RUNNING, True, ""),
        (Verb.DRAIN, BACKOFF, True, NOT_RUNNING),
        (Verb.UNDRAIN, STOPPED, True, NOT_RUNNING),
    ],
)
def test_what_a_verb_is_not_meant_for_is_skipped(
    verb: Verb, one: GatewayRecord, has_channel: bool, why: str
) -> None:
    """Where nobody spelt the name out."""
    assert skipped(verb, one, is_foreign=False, has_channel=has_channel) == why


@pytest.mark.parametrize("verb", Verb)
def test_what_somebody_else_started_cannot_be_started_and_is_otherwise_let_be(verb: Verb) -> None:
    """The failure of a start says whose it is; nobody asks all gateways to stop and means that one."""
    fails = verb in (Verb.START, Verb.RESTART)
    assert skipped(verb, STOPPED, is_foreign=True, has_channel=True) == ("" if fails else NOT_OURS)
