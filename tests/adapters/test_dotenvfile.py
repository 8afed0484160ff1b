"""Setting values in files of secrets."""

from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from hermesd.adapters.dotenvfile import names, parse_env, read_env, with_values, without
from hermesd.domain.errors import ConfigInvalid

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

FILE = Path("/home/me/.env")

SECRETS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).filter(lambda s: "${" not in s)
LINES = st.sampled_from(
    [
        "",
        "# a comment",
        "A=1",
        "export B='two'  # why",
        'C="three\nlines"',
        "D",
        "E =  spaced ",
        "KEY=old",
        "F=$X",
        "=",
        "'",
    ]
)
FILES = st.builds(
    lambda lines, newline, end: newline.join(lines) + end,
    st.lists(LINES, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
)


@given(SECRETS)
def test_a_secret_is_read_back_by_others(secret: str) -> None:
    """python-dotenv, which the agent reads with, finds the same text."""
    text = with_values("", {"KEY": secret}, FILE)
    assert parse_env(text) == {"KEY": secret}


@given(FILES, SECRETS)
def test_the_other_keys_stay_what_they_were(text: str, secret: str) -> None:
    """Whatever else the file holds, or a person is asked."""
    try:
        changed = with_values(text, {"KEY": secret}, FILE)
    except ConfigInvalid:
        return
    assert parse_env(changed) == parse_env(text) | {"KEY": secret}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "KEY=new\n"),
        ("A=1", "A=1\nKEY=new\n"),
        ("A=1\r\n", "A=1\r\nKEY=new\r\n"),
        ("# c\nKEY=old # c\nA=1\n", "# c\nKEY=new\nA=1\n"),
        ("export KEY='old'\nA=1", "export KEY=new\nA=1"),
        ("\n\n  KEY=old", "\n\n  KEY=new"),
        ("KEY=1\nKEY=2\n", "KEY=1\nKEY=new\n"),
        ("# KEY=old\n", "# KEY=old\nKEY=new\n"),
        ("KEY\n", "KEY=new\n"),
        ("\ufeffKEY=old\n", "\ufeffKEY=new\n"),
    ],
)
def test_only_the_line_that_counts_changes(before: str, after: str) -> None:
    """Comments, line ends, `export` and older lines stay."""
    assert with_values(before, {"KEY": "new"}, FILE) == after


@pytest.mark.parametrize("value", ["two words", "a#b", 'a"b', "a'b", "a\\n", "\\"])
def test_what_needs_quotes_gets_them(value: str) -> None:
    """As hermes-agent writes it."""
    text = with_values("", {"KEY": value}, FILE)
    assert text.startswith('KEY="')
    assert parse_env(text) == {"KEY": value}


@pytest.mark.parametrize(
    ("name", "value"), [("K Y", "x"), ("", "x"), ("K", "a\nb"), ("K", "ü"), ("K", "${HOME}"), ("K", "\0")]
)
def test_what_would_not_arrive_is_refused_without_being_shown(name: str, value: str) -> None:
    """The agent would drop or expand it; the message never holds the value."""
    with pytest.raises(ValueError, match=r".") as failure:
        with_values("", {name: value}, FILE)
    assert value not in str(failure.value) or value == "x"


def test_an_unclosed_quote_swallows_no_new_key() -> None:
    """The line stays broken, and the new key still counts."""
    changed = with_values("A='open\nB=1\n", {"KEY": "new"}, FILE)
    assert parse_env(changed)["KEY"] == "new"


def test_reading_looks_up_no_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file never shows what the reader's own environment holds."""
    monkeypatch.setenv("SECRET", "leaked")
    path = tmp_path / ".env"
    path.write_text("A=${SECRET}\nB\n")
    assert read_env(path) == {"A": "${SECRET}"}
    assert dotenv_values(path)["A"] == "leaked"  # which python-dotenv does unless told


def test_a_missing_file_holds_nothing(tmp_path: Path) -> None:
    """A profile needs no secrets."""
    assert read_env(tmp_path / ".env") == {}


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """With the line where it ceases to be."""
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\nB=\xff\n")
    with pytest.raises(ConfigInvalid, match="line 2"):
        read_env(path)


@given(FILES, st.sampled_from([{"A"}, {"A", "C", "D"}, {"Z"}, {"B", "KEY"}]))
def test_taking_keys_out_leaves_the_others_as_they_were(text: str, keys: set[str]) -> None:
    """By value and by line; taking them out again changes nothing."""
    before = parse_env(text)
    try:
        left = without(text, keys, FILE)
    except ConfigInvalid:
        return
    assert parse_env(left) == {key: value for key, value in before.items() if key not in keys}
    assert names(left) == names(text) - keys
    assert without(left, keys, FILE) == left


def test_only_the_lines_of_the_keys_go() -> None:
    """With the values that run over lines, but not the comments and blank lines before them."""
    text = "\ufeff# top\nA=1\n\n# of the token\nexport T='x\ny' # why\r\n  T2=2\nB=2\nT=3"
    assert without(text, {"T", "T2"}, FILE) == "\ufeff# top\nA=1\n\n# of the token\nB=2\n"


@pytest.mark.parametrize("text", ["A=1T=2\n", "A='\nT=2'\n", "A=1\nB=\0\n"])
def test_a_key_that_another_reader_would_find_is_a_refusal(text: str) -> None:
    """hermes-agent mends what runs together before it reads; no value is named."""
    with pytest.raises(ConfigInvalid) as refusal:
        without(text, {"T"}, FILE)
    assert "2" not in refusal.value.message
