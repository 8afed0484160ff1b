"""Text that others wrote, made safe and made to fit."""

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hermesctl.tables import Column, Layout, table
from hermesctl.text import clean, escape_unsafe, fold, is_unsafe, pad, shorten, size, width

pytestmark = [pytest.mark.fast, pytest.mark.cli]

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\x9d\x07[]PX^_;0m\\\u202e\u2066\u200b\ufeff\r\n\t\x00\x7f\x85\u2028"),
    )
)

SAMPLES = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07x", "x"),
    ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
    ("\x1bP+q544e\x1b\\x", "x"),
    ("\x9b31mred", "red"),
    ("\x1b(Bx", "x"),
    ("\x1b[31", "\\x1b[31"),
    ("\x1b\x1b[m[31mx", "\\x1b[31mx"),
    ("a\nb\r\nc\td", "a b c    d"),
    ("bell\x07", "bell\\x07"),
    ("nul\x00", "nul\\x00"),
    ("rtl\u202etxt", "rtl\\u202etxt"),
    ("zero\u200bwidth", "zero\\u200bwidth"),
    ("tag\U000e0041", "tag\\U000e0041"),
    ("half\ud800", "half\\ud800"),
    ("Grüße 你好 👩‍💻", "Grüße 你好 👩‍💻"),
]


@pytest.mark.parametrize(("hostile", "shown"), SAMPLES)
def test_what_steers_a_terminal_is_removed_or_spelled_out(hostile: str, shown: str) -> None:
    """Whole sequences vanish, white space becomes spaces, the rest is shown as an escape."""
    assert clean(hostile) == shown


@given(HOSTILE)
@example("\x1b[\x1b[31m31m")
def test_cleaned_text_is_one_line_without_anything_unsafe(hostile: str) -> None:
    """No control, format, separator or half character survives, whatever goes in."""
    cleaned = clean(hostile)
    assert not any(is_unsafe(char) for char in cleaned)
    assert len(cleaned.splitlines()) <= 1
    cleaned.encode()


@given(HOSTILE)
def test_cleaning_twice_changes_nothing(hostile: str) -> None:
    """So text may pass through it at every border."""
    assert clean(clean(hostile)) == clean(hostile)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """Letters of all scripts are not suspicious."""
    assert clean(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_with_escapes_means_the_same_and_is_safe(text: str) -> None:
    """Programs get exactly what was there, terminals nothing that steers them."""
    written = escape_unsafe(json.dumps(text, ensure_ascii=False))
    assert json.loads(written) == text
    assert not any(is_unsafe(char) for char in written if char != "\n")


@given(HOSTILE, st.integers(1, 40))
def test_shortened_text_fits(hostile: str, columns: int) -> None:
    """Wide and combining characters are counted as a terminal counts them."""
    cleaned = clean(hostile)
    short = shorten(cleaned, columns)
    assert width(short) <= columns
    assert short == cleaned or short.endswith("…")


@given(HOSTILE, st.integers(0, 40))
def test_padded_text_has_the_width(hostile: str, columns: int) -> None:
    """Columns line up."""
    short = shorten(clean(hostile), columns)
    assert width(pad(short, columns)) == columns
    assert width(pad(short, columns, right=True)) == columns


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1), st.integers(20, 200))
def test_a_table_of_hostile_cells_has_one_safe_line_per_row(rows: list[tuple[str, str]], columns: int) -> None:
    """No row can fake another one, and none is wider than the terminal."""
    shape = [Column[tuple[str, str]]("A", lambda row: row[0]), Column[tuple[str, str]]("B", lambda row: row[1])]
    lines = table(rows, shape, Layout(columns=columns)).split("\n")
    assert len(lines) == len(rows) + 2
    assert all(width(line) <= columns for line in lines)
    assert not any(unicodedata.category(char) == "Cc" for line in lines for char in line)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (412_300_000, "412 MB"),
        (999_600, "1.0 MB"),
        (5_000_000_000_000, "5.0 TB"),
    ],
)
def test_sizes_have_two_or_three_digits(count: int, text: str) -> None:
    """In units of a thousand."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (None, "one /two/three four five six seven"),
        (80, "one /two/three four five six seven"),
        (30, "one /two/three four five\n    six seven"),
        (5, "one /two/three four\n    five six seven"),
    ],
)
def test_a_sentence_takes_lines_of_its_own_column(columns: int | None, told: str) -> None:
    """No word is broken, and what is too narrow for any has room for some."""
    assert fold("one /two/three four five six seven", columns, 4) == told
