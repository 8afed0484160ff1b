"""The table of what only one gateway at a time can use, held against the table of platforms."""

import pytest

from hermesd.domain.channels import CHANNELS
from hermesd.domain.exclusivity import RULES, SWITCH, UNCLAIMED, variables

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def test_every_platform_has_one_row_with_a_reason() -> None:
    """Also where nothing of it is exclusive; what has no row says why."""
    assert sorted(rule.platform for rule in RULES) == sorted(channel.platform for channel in CHANNELS)
    assert not UNCLAIMED.keys() & {rule.platform for rule in RULES}
    for why in (*(rule.why for rule in RULES), *UNCLAIMED.values()):
        assert len(why) > 10
    for rule in RULES:
        assert rule.why.startswith("nothing") == (not rule.exclusive and rule.platform != "whatsapp"), (
            rule.platform
        )


def test_every_exclusive_identity_is_one_that_a_clone_can_leave_out() -> None:
    """Else a clone without its source's channels would still claim its bot."""
    known = {channel.platform: channel for channel in CHANNELS}
    for rule in RULES:
        names = {name for pair, _ in known[rule.platform].identities for name in pair.split("@")}
        for identity in rule.exclusive:
            assert {name for part in identity for name in part.variables} <= names


def test_every_variable_of_a_row_begins_as_its_platforms_do() -> None:
    """Else taking the platform out would leave it on."""
    known = {channel.platform: channel.beginnings for channel in CHANNELS}
    for rule in RULES:
        named = [*rule.turned_off_by, *(port.variable for port in rule.ports if port.variable)]
        named += [name.removesuffix(SWITCH) for group in rule.turned_on_by for name in group]
        assert all(name.startswith(known[rule.platform]) for name in named), rule.platform
        assert set(named) <= variables()


def test_every_platform_can_be_turned_on() -> None:
    """By variables, as people do."""
    assert all(rule.turned_on_by for rule in RULES)
    assert "" not in variables()
    assert all(port.variable or port.key for rule in RULES for port in rule.ports)
