"""Digests of secrets: both programs make the same, and nobody else can use them."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesctl.launch import digests as client
from hermesd.domain.digests import SIZE, digest, digests

pytestmark = [pytest.mark.fast, pytest.mark.domain]

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.binary(max_size=200), VALUES)
def test_daemon_and_client_digest_alike(salt: bytes, value: str) -> None:
    """As the standard has it, whatever the length of the salt."""
    expected = hmac.digest(salt, value.encode().strip(), hashlib.sha256)[:SIZE]
    assert digest(salt, value) == client.digest(salt, value.encode()) == expected


def test_white_space_around_a_value_and_bytes_that_are_no_text_make_no_difference() -> None:
    """A shell may have kept a line end, and a file may be in any encoding."""
    value = b"caf\xe9-and-secret"
    assert digest(b"s", value.decode(errors="surrogateescape")) == client.digest(b"s", b" " + value + b"\n")


def test_a_digest_is_nothing_but_of_its_answer() -> None:
    """With another salt it is another one."""
    assert digests(b"one", ["sk-canary"]).isdisjoint(digests(b"two", ["sk-canary"]))


def test_variables_are_recognised_by_their_values() -> None:
    """Whatever their names; without digests none is looked at."""
    told = digests(b"salt", ["open-sesame", "ali-baba"])
    variables = [(b"A", b"open-sesame"), (b"B", b"open-sesame-2"), (b"C", b" ali-baba\n"), (b"D", b"")]
    assert client.foreign(variables, b"salt", told) == {b"A", b"C"}
    assert client.foreign(variables, b"salt", frozenset()) == set()
