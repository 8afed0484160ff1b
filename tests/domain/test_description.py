"""Descriptions: what a person may write, and what is made of what an agent wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.description import (
    LONGEST,
    LONGEST_GENERATED,
    Description,
    parse_description,
    trim_generated,
)
from hermesd.domain.errors import ArgumentInvalid

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def test_space_around_a_description_is_forgiven() -> None:
    """As a shell's `$(cat file)` leaves it; nothing is a description too, namely none."""
    assert parse_description("  Reads Rückmeldungen 👩\u200d💻\n") == "Reads Rückmeldungen 👩\u200d💻"
    assert parse_description(" \n") == ""
    assert parse_description("x" * LONGEST) == "x" * LONGEST


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("one\ntwo", "2 lines"),
        ("one\u2028two", "2 lines"),
        ("x" * 5_000, "5000 characters"),
        ("a\x1b[31mb", "a control character"),
        ("a\x00b", "a control character"),
    ],
)
def test_what_is_no_line_is_refused(text: str, why: str) -> None:
    """And the limit is said."""
    with pytest.raises(ArgumentInvalid, match=why) as failure:
        parse_description(text)
    assert str(LONGEST) in failure.value.metadata["hint"]


@given(st.text())
def test_what_an_agent_wrote_becomes_one_line_that_fits(text: str) -> None:
    """Whatever it was."""
    line = trim_generated(text)
    assert len(line) <= LONGEST_GENERATED + 1
    assert parse_description(line) == line


def test_what_an_agent_wrote_is_cut_between_words() -> None:
    """And so that one sees it."""
    assert trim_generated(" Reads\n code.\t ") == "Reads code."
    cut = trim_generated("word, " * 100)
    assert cut.endswith("word…")
    assert trim_generated("x" * 1_000).endswith("x…")


def test_an_empty_description_is_nobodys() -> None:
    """So that it may be replaced."""
    assert Description("x").is_persons
    assert not Description("x", is_generated=True).is_persons
    assert not Description().is_persons
