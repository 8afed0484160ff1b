"""JSON of others fails in one way, and comes back as it was."""

import json

import pytest

from hermesd.adapters import jsontext

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_none_or_has_no_bottom_is_no_document(text: str | bytes) -> None:
    """However it fails inside, whoever reads it has one failure to think of."""
    with pytest.raises(ValueError, match=r".+"):
        jsontext.parse(text)


def test_control_characters_are_forgiven_on_demand() -> None:
    """As the agent forgives them."""
    assert jsontext.parse('"a\tb"', is_strict=False) == "a\tb"
    with pytest.raises(ValueError, match="control character"):
        jsontext.parse('"a\tb"')


def test_half_a_character_is_written_as_it_came() -> None:
    """Other characters stay readable."""
    data = {"a": "\ud83d", "b": "ü"}
    written = jsontext.rendered(data)
    assert written == '{\n  "a": "\\ud83d",\n  "b": "ü"\n}\n'.encode()
    assert json.loads(written) == data
