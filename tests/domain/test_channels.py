"""The table of messaging platforms."""

import pytest

from hermesd.domain.channels import CHANNELS, channel_of, identities, section, sections

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def test_every_platform_is_there_once_and_every_identity_is_its_own_variable() -> None:
    """Else taking out a platform would leave what connects it."""
    assert len({channel.platform for channel in CHANNELS}) == len(CHANNELS)
    for channel in CHANNELS:
        for names, keys in channel.identities:
            assert all(name.startswith(channel.beginnings) for name in names.split("@"))
            assert len(names.split("@")) == len(keys.split("@"))
            assert keys


@pytest.mark.parametrize(
    ("variable", "platform"),
    [
        ("TELEGRAM_BOT_TOKEN", "telegram"),
        ("WHATSAPP_CLOUD_APP_ID", "whatsapp_cloud"),
        ("WHATSAPP_ENABLED", "whatsapp"),
        ("GATEWAY_RELAY_URL", "relay"),
    ],
)
def test_a_variable_belongs_to_the_platform_that_fits_best(variable: str, platform: str) -> None:
    """Of two whose names begin alike, the one with the longer beginning."""
    found = channel_of(variable)
    assert found is not None
    assert found.platform == platform


@pytest.mark.parametrize(
    "variable", ["OPENAI_API_KEY", "API_SERVER_KEY", "GATEWAY_ALLOW_ALL_USERS", "TELEGRAM", ""]
)
def test_other_variables_belong_to_none(variable: str) -> None:
    """The HTTP API is no messaging platform."""
    assert channel_of(variable) is None


def test_sections_are_found_wherever_the_agent_reads_them() -> None:
    """In any case of letters; what is no section is passed over."""
    config = {
        "telegram": {},
        "platforms": {"Discord": {}, "api_server": {}, 3: {}},
        "gateway": {"platforms": {"slack": None}},
        "model": "x",
    }
    found = [(keys, channel.platform) for keys, channel in sections(config)]
    assert found == [
        (("telegram",), "telegram"),
        (("platforms", "Discord"), "discord"),
        (("gateway", "platforms", "slack"), "slack"),
    ]
    assert section(config, ["model", "x"]) == {}


def test_bots_are_known_by_variables_and_by_sections() -> None:
    """Several tokens in one variable are several; where two values make one identity, both count."""
    config = {
        "platforms": {
            "telegram": {"token": " abc "},
            "signal": {"extra": {"account": 49123}},
            "feishu": {"extra": {"app_id": ["no"]}},
        }
    }
    variables = {
        "SLACK_BOT_TOKEN": "one, two,",
        "IRC_NICKNAME": "bot",
        "IRC_SERVER": "irc.example",
        "DISCORD_BOT_TOKEN": " ",
    }
    assert identities(config, variables) == [
        ("slack", "SLACK_BOT_TOKEN", "one"),
        ("slack", "SLACK_BOT_TOKEN", "two"),
        ("irc", "IRC_NICKNAME", "bot@irc.example"),
        ("telegram", "platforms.telegram.token", "abc"),
        ("signal", "platforms.signal.extra.account", "49123"),
    ]
