"""Settings as values: keys, typed words, what may be shown, and how two states differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.configuration import (
    ConfigFile,
    Difference,
    coerced,
    differences,
    flattened,
    is_hidden,
    masked_comment,
    parse_key,
    plain,
    shown,
    similar_key,
    value_at,
)
from hermesd.domain.errors import ArgumentInvalid

pytestmark = [pytest.mark.fast, pytest.mark.domain]

SECRET = "sk-canary-0123456789abcdef"


def test_a_key_is_names_joined_by_dots() -> None:
    """From the top of the file down."""
    assert parse_key("model.default") == ("model", "default")
    assert parse_key("timezone") == ("timezone",)


@pytest.mark.parametrize("key", ["", ".", "a.", ".a", "a..b", "a\nb", "\x1b[2J"])
def test_what_names_nothing_is_refused(key: str) -> None:
    """Before anything is looked at."""
    with pytest.raises(ArgumentInvalid, match="is not a key"):
        parse_key(key)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (("a",), {"b": [1, {"c": 2}]}),
        (("a", "b", "0"), 1),
        (("a", "b", "1", "c"), 2),
        (("a", "b", "2"), None),
        (("a", "b", "x"), None),
        (("a", "b", "0", "x"), None),
        (("x",), None),
    ],
)
def test_a_value_is_found_by_names_and_numbers(keys: tuple[str, ...], found: object) -> None:
    """What is in a list has its number."""
    assert value_at({"a": {"b": [1, {"c": 2}]}}, keys) == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("Yes", True),
        ("ON", True),
        ("False", False),
        ("no", False),
        ("off", False),
        ("007", 7),
        ("1.50", 1.5),
        (".5", 0.5),
        ("-5", "-5"),
        ("1e3", "1e3"),
        ("null", "null"),
        ("[1,2]", "[1,2]"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("²", "²"),
        ("9" * 5000, "9" * 5000),
        ("9" * 400 + ".0", "9" * 400 + ".0"),
        ("", ""),
    ],
)
def test_a_typed_word_becomes_what_hermes_agent_makes_of_it(text: str, value: object) -> None:
    """And stays a word where the agent's default is one."""
    assert coerced(text, None) == value
    assert type(coerced(text, 90)) is type(value)
    assert coerced(text, "manual") == text


@pytest.mark.parametrize(
    ("key", "value", "is_secret"),
    [
        ("model.api_key", SECRET, True),
        ("OPENAI_API_KEY", "short", True),
        ("custom_providers.0.api_key", "abc", True),
        ("platforms.telegram.token", "x y", True),
        ("notes.0", SECRET, True),
        ("proxy", "http://ana:geheim@proxy:8080", True),
        ("model.api_key", "${OPENAI_API_KEY}", False),
        ("model.key_env", "OPENAI_API_KEY", False),
        ("model.max_tokens", "4096", False),
        ("model.max_tokens", 4096, False),
        ("ssh_key", "~/.ssh/id_ed25519", False),
        ("model.api_key", "", False),
        ("model.default", "gpt-5", False),
        ("token.0", None, False),
    ],
)
def test_secrets_are_told_by_name_and_by_shape(key: str, value: object, is_secret: bool) -> None:
    """In YAML as in a file of variables."""
    assert is_hidden(key, value) is is_secret
    told = shown(key, value)
    assert told.is_secret is is_secret
    if is_secret:
        assert str(value) not in told.text
        assert told.text.endswith(f"{len(str(value))} chars")


def test_a_secret_is_shown_by_what_tells_it_from_another() -> None:
    """The beginning and the end of its digest, and its length; of one that could be guessed, the length alone."""
    assert shown("api_key", "canary-canary").text == "set · sha256:72e8…76 · 13 chars"
    assert shown("api_key", "canary-canary").text != shown("api_key", "kanary-canary").text
    assert shown("api_key", "canary").text == "set · 6 chars"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), (True, "true"), (False, "false"), (7, "7"), ("x", "x"), ({}, "{}")]
)
def test_values_are_shown_in_the_words_of_yaml(value: object, text: str) -> None:
    """Not in those of Python."""
    assert plain(value) == text


def test_a_secret_that_was_switched_off_is_no_less_secret() -> None:
    """Nothing else in a comment is touched."""
    assert masked_comment(" api_key: geheim # the old one") == " api_key: … # the old one"
    assert masked_comment(' "token" = "geheim"') == ' "token" = "…"'
    assert masked_comment(" model: gpt-5, see https://host/a") == " model: gpt-5, see https://host/a"


def test_settings_differ_by_key() -> None:
    """In the order of the file as it is afterwards; what is gone comes last."""
    before = {"a": {"x": 1, "y": 2}, "gone": "x", "list": [1, 2]}
    after = {"list": [1, 3], "a": {"x": True, "y": 2}, "new": {}}
    assert differences(ConfigFile.CONFIG, before, after) == [
        Difference(ConfigFile.CONFIG, "list.1", 2, 3),
        Difference(ConfigFile.CONFIG, "a.x", 1, True),
        Difference(ConfigFile.CONFIG, "new", None, {}),
        Difference(ConfigFile.CONFIG, "gone", "x", None),
    ]
    assert differences(ConfigFile.ENV, {}, {}) == []


def test_a_difference_says_no_value_when_it_is_logged() -> None:
    """It may be a secret."""
    assert SECRET not in repr(Difference(ConfigFile.ENV, "KEY", SECRET, SECRET))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("abc", min_size=1), below, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1), VALUES))
def test_every_flattened_value_is_found_again_by_its_key(values: dict[str, object]) -> None:
    """Also what is empty."""
    for key, value in flattened(values):
        assert value_at(values, tuple(key.split("."))) == value


@given(st.text(), st.text())
def test_no_secret_of_some_length_is_shown(name: str, value: str) -> None:
    """Whatever it is made of."""
    told = shown(f"{name}_api_key", value)
    assert not told.is_secret or len(value) < 8 or value not in told.text


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("agent.max_turn", "agent.max_turns"),
        ("aproval.mode", "approvals.mode"),
        ("approvals.mode", ""),
        ("approvals", ""),
        ("quick_commands.deploy.command", ""),
        ("something.else", ""),
    ],
)
def test_a_slip_is_recognised(key: str, meant: str) -> None:
    """By what the agent has a default for; what is anybody's own is none."""
    defaults = {"agent": {"max_turns": 90}, "approvals": {"mode": "smart"}, "quick_commands": {}, "none": None}
    assert similar_key(defaults, key) == meant
