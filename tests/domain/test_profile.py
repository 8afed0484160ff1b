"""Profile names: what is one, what is forgiven, what is refused, and how people's typing is met."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.errors import ArgumentInvalid, HermesError, ProfileNameInvalid, ProfileRequired
from hermesd.domain.profile import (
    DEFAULT,
    DISPLAY_NAME_LENGTH,
    NAME_PATTERN,
    NAME_RULE,
    RESERVED,
    Home,
    HomeIdentity,
    ProfileName,
    closest,
    parse_display_name,
    sort_key,
)

pytestmark = [pytest.mark.fast, pytest.mark.domain]

LEGAL = ["a", "0", "7-of-9", "coder", "a_b-c", "x" * 64, "default", "hermes", "chat", "ls", "a--", "a__", "0_0"]

FORGIVEN = {
    "Coder": "coder",
    "  coder ": "coder",
    "CODER\n": "coder",
    "\tDefault": "default",
    "A_B": "a_b",
    "\u212aelvin": "kelvin",  # the Kelvin sign is an upper-case k, to Unicode and to hermes-agent
}

EMPTY = ["", " ", "\t", "\n", "\r\n", "\u3000", "\u2003", "\x1f"]

HOSTILE = [
    # paths that would leave the tree
    *[".", "..", "../coder", "coder/../x", "/etc", "a/b", "a\\b", "~", "~root", "./a", "coder/", "..%2f", "C:a"],
    # what a shell, an option parser or a glob would make something of
    *[
        "-p",
        "--help",
        "-",
        "_",
        "a b",
        "a;b",
        "a|b",
        "a&b",
        "$HOME",
        "$(id)",
        "`id`",
        "a'b",
        'a"b',
        "a*",
        "a?",
        "[a]",
    ],
    *[
        "a\nb",
        "a\rb",
        "a\tb",
        "a\x00b",
        "\x00",
        "a\x1b[31m",
        "a\x7f",
        "#a",
        "a=b",
        "!a",
        "%s",
        "{a}",
        "<a>",
        "a,b",
    ],
    # letters that only look right, or fold into something else
    *[
        "c\u043eder",
        "\u0441oder",
        "co\u0308der",
        "\u00fcber",
        "\uff41",
        "\u0660",
        "\u00b2",
        "stra\u00dfe",
    ],
    *["a\u200bb", "\u202ecoder", "\ufeffcoder", "a\u00a0b", "\U0001f916", "\u0130stanbul", "a\u0000", "\u017f"],
    # too long, and what people call hidden
    *["x" * 65, "x" * 100_000, ".coder", ".hermesd", ".env", "coder.bak", "co.der", "a:b", "a@b", "a+b"],
]


@pytest.mark.parametrize("text", LEGAL)
def test_legal_name_is_kept(text: str) -> None:
    """A legal name is read as it is written, and shown so."""
    assert str(ProfileName.parse(text)) == text


@pytest.mark.parametrize("typed", FORGIVEN)
def test_case_and_space_are_forgiven(typed: str) -> None:
    """Upper case and surrounding space mean the same profile."""
    assert ProfileName.parse(typed) == ProfileName(FORGIVEN[typed])


@pytest.mark.parametrize("text", EMPTY)
def test_nothing_is_no_name(text: str) -> None:
    """Nothing, or only space, is reported as a missing profile and never as the default one."""
    with pytest.raises(ProfileRequired) as caught:
        ProfileName.parse(text)
    assert "-p" in caught.value.metadata["hint"]


def test_hostile_names_are_many() -> None:
    """The list of hostile names stays long and without repeats."""
    assert len(HOSTILE) == len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_hostile_name_is_refused(text: str) -> None:
    """A name that could mean anything else is refused, and the rule is told."""
    with pytest.raises(ProfileNameInvalid) as caught:
        ProfileName.parse(text)
    assert NAME_RULE in caught.value.metadata["hint"]


@given(st.text())
def test_parse_accepts_exactly_the_pattern(text: str) -> None:
    """Whatever the text: it is a name of harmless ASCII characters, or it is refused."""
    try:
        name = ProfileName.parse(text)
    except HermesError:
        assert not NAME_PATTERN.fullmatch(text)
        return
    assert NAME_PATTERN.fullmatch(str(name))
    assert str(name).isascii()
    assert Path(str(name)).name == str(name)


@given(st.from_regex(NAME_PATTERN, fullmatch=True), st.text(" \t\n", max_size=3))
def test_parse_is_idempotent(text: str, space: str) -> None:
    """A name survives being shown and read again, in whatever case and surrounded by whatever space."""
    name = ProfileName.parse(text)
    assert ProfileName.parse(str(name)) == name
    assert ProfileName.parse(f"{space}{text.upper()}{space}") == name


@pytest.mark.parametrize("text", sorted(RESERVED))
def test_reserved_name_is_not_created(text: str) -> None:
    """A reserved name can be meant but not made, in any case, and the list is told."""
    assert ProfileName.parse(text).text == text
    with pytest.raises(ProfileNameInvalid) as caught:
        ProfileName.parse_new(text.upper())
    assert "sudo" in caught.value.metadata["hint"]


@pytest.mark.parametrize("text", ["coder", "chat", "Gateway", "hermes-2", "default2"])
def test_any_other_name_is_created(text: str) -> None:
    """Only reserved names are kept back: a command of the agent makes a fine profile."""
    assert ProfileName.parse_new(text) == ProfileName(text.lower())


def test_creation_refuses_what_is_no_name() -> None:
    """A new name obeys the rule of every name."""
    with pytest.raises(ProfileNameInvalid):
        ProfileName.parse_new("../coder")
    with pytest.raises(ProfileRequired):
        ProfileName.parse_new(" ")


def test_default_is_known_by_its_name() -> None:
    """Exactly the name `default` is the profile in the root."""
    assert ProfileName(DEFAULT).is_default
    assert not ProfileName("default2").is_default


def test_default_comes_first() -> None:
    """People see the default profile first, then the others by name."""
    names = [ProfileName(text) for text in ("zoe", "default", "amy", "0")]
    assert [str(name) for name in sorted(names, key=sort_key)] == ["default", "0", "amy", "zoe"]


def test_closest_names_what_was_meant() -> None:
    """A mistyped name is met with the likely ones, best first, and an unlike one with none."""
    known = [ProfileName(text) for text in ("coder", "code", "coder-2", "coder-3", "writer")]
    assert closest("codr", known)[:2] in (["coder", "code"], ["code", "coder"])
    assert len(closest("coder", known)) == 3
    assert closest("zzz", known) == []


def test_homes_are_told_apart_by_identity() -> None:
    """Two homes of one name are equal only when they are the same directory."""
    name, path = ProfileName("coder"), Path("/h/coder")
    assert Home(name, path, HomeIdentity(1, 2, 3)) == Home(name, path, HomeIdentity(1, 2, 3))
    assert Home(name, path, HomeIdentity(1, 2, 3)) != Home(name, path, HomeIdentity(1, 2, 4))


def test_a_display_name_is_one_line_of_what_can_be_seen() -> None:
    """White space is folded; scripts of all kinds are fine."""
    assert parse_display_name("  Büro \n\t 受付 ") == "Büro 受付"
    assert parse_display_name(" \n") == ""
    assert len(parse_display_name("x" * DISPLAY_NAME_LENGTH)) == DISPLAY_NAME_LENGTH


@pytest.mark.parametrize("text", ["\x1b[31m", "a\u202eb", "\x00", "x" * (DISPLAY_NAME_LENGTH + 1)])
def test_a_display_name_that_cannot_be_shown_is_refused(text: str) -> None:
    """Too long, or with what steers a terminal."""
    with pytest.raises(ArgumentInvalid):
        parse_display_name(text)
