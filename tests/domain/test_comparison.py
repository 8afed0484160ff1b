"""In what two profiles differ: each thing once, in order, and no secret."""

import pytest

from hermesd.domain.comparison import Matter, Side, contrasts

pytestmark = [pytest.mark.fast, pytest.mark.domain]

CANARY = "canary-of-a-secret-0123456789"


def test_what_is_another_is_told_in_order() -> None:
    """Settings, servers of tools, variables, skills; what is there on one side only has nothing on the other."""
    left = Side(
        {"model": {"default": "a", "api_key": CANARY}, "mcp_servers": {"fs": {"command": "npx"}}, "same": 1},
        {"MY_TOKEN": CANARY, "LEVEL": "7"},
        {"paint": "0" * 64, "sing": "1" * 64},
    )
    right = Side(
        {"model": {"default": "b"}, "same": 1, "mcp_servers_note": "x"},
        {"MY_TOKEN": CANARY[::-1], "LEVEL": "7"},
        {"paint": "2" * 64, "sing": "1" * 64, "web": ""},
    )
    found = list(contrasts(left, right))
    told = [
        (one.matter, one.key, one.left.text if one.left else None, one.right.text if one.right else None)
        for one in found
    ]
    masked = [text for _, _, *texts in told for text in texts if text is not None and text.startswith("set · ")]
    assert [(matter, key) for matter, key, _, _ in told] == [
        (Matter.SETTING, "model.default"),
        (Matter.SETTING, "mcp_servers_note"),
        (Matter.SETTING, "model.api_key"),
        (Matter.SERVER, "fs.command"),
        (Matter.VARIABLE, "MY_TOKEN"),
        (Matter.SKILL, "paint"),
        (Matter.SKILL, "web"),
    ]
    assert told[0][2:] == ("a", "b")
    assert told[3][2:] == ("npx", None)
    assert told[5][2:] == ("000000000000", "222222222222")
    assert told[6][2:] == (None, "")
    assert len(masked) == 3
    assert CANARY not in repr(found)


def test_alike_is_alike() -> None:
    """A profile and itself."""
    side = Side({"a": 1}, {"B": "2"}, {"c": "3"})
    assert list(contrasts(side, side)) == []
