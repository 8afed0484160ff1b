"""Setting values in YAML files that belong to people."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hermesd.adapters.yamlfile import parse_yaml, read_yaml, with_values, without
from hermesd.domain.errors import ConfigInvalid

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

FILE = Path("/home/me/config.yaml")

NAMES = st.sampled_from(["model", "default", "base_url", "a", "b-c", "terminal", "x y", "no"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.sampled_from(
        ["", "x", "null", "a: b", "# no comment", "two\nlines\n", "  led", "'q'", "ünï", "- a", "1e3", "*x"]
    ),
)
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(NAMES, below, max_size=3)),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(NAMES, TREES, max_size=5)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
VALUES = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Cn", "Zl", "Zp"]), max_size=20)
STYLES = st.sampled_from([None, True, False])
NEWLINES = st.sampled_from(["\n", "\r\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """YAML as people and programs write it: any style, comments, a marker, odd ends."""
    document = draw(DOCUMENTS)
    text = yaml.safe_dump(
        document,
        default_flow_style=draw(STYLES),
        default_style=draw(st.sampled_from([None, '"', "'"])),
        allow_unicode=True,
        indent=draw(st.integers(2, 4)),
        sort_keys=False,
    )
    if not document:
        text = draw(st.sampled_from(["", "{}\n", "# nothing\n", "# nothing", "\n\n"]))
    head = draw(st.sampled_from(["", "# top\n", "---\n", "\n# top\n\n"]))
    tail = draw(st.sampled_from(["", "# end\n", "\n\n", "...\n", "# end"]))
    whole = head + text + tail
    if draw(st.booleans()):
        whole = whole.rstrip("\n")
    return whole.replace("\n", draw(NEWLINES))


def intended(text: str, keys: tuple[str, ...], value: str) -> dict[str, Any]:
    """What the text should mean with the value set."""
    data: dict[str, Any] = yaml.safe_load(text) or {}
    below = data
    for key in keys[:-1]:
        if not isinstance(below.get(key), dict):
            below[key] = {}
        below = below[key]
    below[keys[-1]] = value
    return data


def lost_lines(before: str, after: str) -> list[str]:
    """Lines of `before` that are not found in `after` in the same order. The last line may get an end."""
    remaining = iter((after + "\n").splitlines(keepends=True))
    lines = before.splitlines(keepends=True)
    return [line for line in lines if not any(other.startswith(line) for other in remaining)]


@given(texts(), PATHS, VALUES)
def test_a_value_is_set_exactly_or_not_at_all(text: str, keys: tuple[str, ...], value: str) -> None:
    """Whatever the text looks like, either it then means what was wanted, or a person is asked."""
    try:
        changed = with_values(text, {keys: value}, FILE)
    except ConfigInvalid:
        return
    assert yaml.safe_load(changed) == intended(text, keys, value)


@given(DOCUMENTS, VALUES, NEWLINES)
def test_plain_files_can_always_be_changed(document: dict[str, Any], value: str, newline: str) -> None:
    """What PyYAML writes in its usual style never needs a person, unless a list stands where the value goes."""
    document = {key: below for key, below in document.items() if key != "model"}
    text = "# mine\n" + yaml.safe_dump(document, sort_keys=False) if document else "# mine\n"
    text = text.replace("\n", newline)
    changed = with_values(text, {("model", "default"): value}, FILE)
    assert yaml.safe_load(changed) == intended(text, ("model", "default"), value)


@given(texts(), st.sampled_from([("added",), ("added", "deeper")]))
def test_adding_a_setting_touches_no_line_of_a_block_file(text: str, keys: tuple[str, ...]) -> None:
    """A new key at the top leaves every line as it was; only a file in one pair of braces is changed within."""
    try:
        changed = with_values(text, {keys: "value"}, FILE)
    except ConfigInvalid:
        return
    if "{" not in text:
        assert lost_lines(text, changed) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "model:\n  default: new\n"),
        ("# mine", "# mine\nmodel:\n  default: new"),
        ("---\na: 1\n", "---\na: 1\nmodel:\n  default: new\n"),
        ("a: 1\n...\n", "a: 1\nmodel:\n  default: new\n...\n"),
        ("model: # mine\n# deeper\nb: 1\n", "model: # mine\n  default: new\n# deeper\nb: 1\n"),
        ("model: ~\n", "model:\n  default: new\n"),
        ("model: old # mine\nb: 1\n", "model:  # mine\n  default: new\nb: 1\n"),
        ("model: {default: old, x: [1]} # m\n", "model: {default: new, x: [1]} # m\n"),
        ("model: {x: 1}\n", "model: {x: 1, default: new}\n"),
        ("model: {}\n", "model: {default: new}\n"),
        ("model:\n    x: 1 # one\n\nb: 2\n", "model:\n    x: 1 # one\n    default: new\n\nb: 2\n"),
        ("model:\r\n  default: 'old'  # m\r\nb: 1\r\n", "model:\r\n  default: new  # m\r\nb: 1\r\n"),
        ("model:\n  default:\n  x: 1\n", "model:\n  default: new\n  x: 1\n"),
        ("model:\n  default: |\n    o\n    l\n\n  x: 1\n", "model:\n  default: new\n\n  x: 1\n"),
        ("model:\n  x:\n  - &a 1\n  - *a\n# end\n", "model:\n  x:\n  - &a 1\n  - *a\n  default: new\n# end\n"),
        ("d: &d old\nmodel:\n  default: *d\n", "d: &d old\nmodel:\n  default: new\n"),
        ("b: &b {x: 1}\nmodel:\n  <<: *b\n", "b: &b {x: 1}\nmodel:\n  <<: *b\n  default: new\n"),
        ("model: {default: a}\nmodel: {default: b}\n", "model: {default: a}\nmodel: {default: new}\n"),
        ("\ufeffmodel:\n  default: old\n", "\ufeffmodel:\n  default: new\n"),
    ],
)
def test_only_the_lines_of_the_key_change(before: str, after: str) -> None:
    """Comments, quotes of others, line ends, anchors and markers stay."""
    assert with_values(before, {("model", "default"): "new"}, FILE) == after


@pytest.mark.parametrize(
    "text",
    [
        "model: [a]\n",
        "model:\n  default:\n    - a\n",
        "model: &m\n  default: a\nother: *m\n",
        "other: &m {default: a, x: 1}\nmodel: *m\n",
        "a: |\n  no end of line",
    ],
)
def test_what_cannot_be_changed_safely_is_left_to_a_person(text: str) -> None:
    """A change that would reach further than the key is refused, with a command that opens the file."""
    with pytest.raises(ConfigInvalid, match="by hand") as failure:
        with_values(text, {("model", "default"): "new"}, FILE)
    assert failure.value.metadata["fix"] == "${EDITOR:-vi} /home/me/config.yaml"


@pytest.mark.parametrize(
    "value", ["${KEY}", "yes", "12:30", "- a", "#", "a: b", "", "http://[::1]:1/v1", "true", "ü", "1"]
)
def test_a_value_is_always_read_back_as_that_text(value: str) -> None:
    """No text is taken for a number, a truth value or a comment."""
    for text in ("", "model: {x: 1}\n"):
        assert yaml.safe_load(with_values(text, {("model", "default"): value}, FILE))["model"]["default"] == value


def test_several_values_are_set_together() -> None:
    """Each finds what the one before it made."""
    text = with_values("model: old\n", {("model", "default"): "a", ("model", "provider"): "b", ("c",): "d"}, FILE)
    assert text == "model:\n  default: a\n  provider: b\nc: d\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a: 1\nb: [\n", "3"),
        (b"a: 1\n b: 2\n", "2"),
        (b"a: 1\n\xff\n", "2"),
        (b"- a\n", "1"),
        (b"a: 1\n---\nb: 1\n", "2"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, content: bytes, line: str) -> None:
    """So that a person finds the place."""
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match=f"line {line}") as failure:
        read_yaml(path)
    assert failure.value.metadata["line"] == line
    assert failure.value.metadata["path"] == str(path)


@pytest.mark.parametrize("content", ["a: 2023-99-99\n", 'a: !!int ""\n', "a: !!bool x\n", "[" * 9_000])
def test_no_content_makes_reading_fail_in_another_way(tmp_path: Path, content: str) -> None:
    """What the parser itself trips over is still a damaged file."""
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(ConfigInvalid):
        read_yaml(path)


def test_a_missing_or_empty_file_holds_nothing(tmp_path: Path) -> None:
    """Neither is an error."""
    (tmp_path / "empty.yaml").write_text("# only a comment\n")
    assert read_yaml(tmp_path / "missing.yaml") == {}
    assert read_yaml(tmp_path / "empty.yaml") == {}


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A directory says so, and a pipe cannot hold up the reader."""
    with pytest.raises(ConfigInvalid, match="not a file"):
        read_yaml(tmp_path)


def pruned(data: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """What is meant by taking an entry out."""
    if keys[0] not in data or (len(keys) > 1 and not isinstance(data[keys[0]], dict)):
        return data
    below = pruned(data[keys[0]], keys[1:]) if len(keys) > 1 else {}
    if len(keys) > 1 and below == data[keys[0]]:
        return data
    return {key: below if key == keys[0] else value for key, value in data.items() if key != keys[0] or below}


@given(texts(), PATHS)
def test_taking_an_entry_out_leaves_the_others(text: str, keys: tuple[str, ...]) -> None:
    """As they were, each line of them too; a text that cannot be changed safely is refused."""
    try:
        before = parse_yaml(text, FILE)
        left = without(text, [keys], FILE)
    except ConfigInvalid:
        return
    assert repr(parse_yaml(left, FILE)) == repr(pruned(before, keys))
    assert without(left, [keys], FILE) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("p:\n  t:\n    x: 1\n    # inner\n  # of d\n  d: 1\nm: 2\n", "p:\n    # inner\n  # of d\n  d: 1\nm: 2\n"),
        ("# top\np:\n  t: 1 # why\n\n# end\nm: 2\n", "# top\n\n# end\nm: 2\n"),
        ("p: {t: {x: 1}, d: 2}\n", "p: {d: 2}\n"),
        ("p: {d: 2, t: 1} # why\n", "p: {d: 2} # why\n"),
        ("m: 1\r\np:\r\n  t: |\r\n    a\r\n    b\r\n", "m: 1\r\n"),
        ("m: 1\np: {t: 1}", "m: 1\n"),
        ("g: {}\np: 1\n", "g: {}\np: 1\n"),
    ],
)
def test_only_the_lines_of_an_entry_go(text: str, left: str) -> None:
    """With the sections that hold nothing else."""
    assert without(text, [("p", "t"), ("g", "p", "t")], FILE) == left


@pytest.mark.parametrize("text", ["- a\n", "p: &a {t: 1}\nq: *a\n", "p:\n  d: 3\n  t: 1\n  t: 2\n", "{p: {t: 1"])
def test_an_entry_that_cannot_be_taken_out_safely_is_a_refusal(text: str) -> None:
    """One that something else refers to, that is there twice, or in a text that is no mapping."""
    with pytest.raises(ConfigInvalid):
        without(text, [("p", "t")], FILE)
