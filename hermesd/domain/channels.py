"""Messaging platforms, and what each knows a bot by.

Owns: the table of the platforms of hermes-agent 0.19.0: which variables and settings connect one, and which of
them no two gateways can use at once. Must not know files, nor any value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Channel:
    """One platform."""

    platform: str
    """What hermes-agent's configuration calls it."""
    identities: tuple[tuple[str, str], ...]
    """What the platform knows a bot by: a variable, and the key of the platform's section that says the same."""
    beginnings: tuple[str, ...]
    """How the names of its variables begin."""
    login: tuple[str, ...] = ()
    """Where a login lies that is a directory of its own, below the home."""


def _channel(platform: str, beginnings: str, *identities: str, login: str = "") -> Channel:
    """A row of the table; an identity is `VARIABLE=key`, of two parts where it takes both: `ONE@TWO=one@two`."""
    pairs = tuple((variable, key) for variable, _, key in (one.partition("=") for one in identities))
    return Channel(platform, pairs, tuple(beginnings.split()), tuple(login.split()))


CHANNELS: tuple[Channel, ...] = (
    _channel("telegram", "TELEGRAM_", "TELEGRAM_BOT_TOKEN=token"),
    _channel("discord", "DISCORD_", "DISCORD_BOT_TOKEN=token"),
    _channel("slack", "SLACK_", "SLACK_APP_TOKEN=extra.app_token", "SLACK_BOT_TOKEN=token"),
    _channel("whatsapp", "WHATSAPP_", login="platforms/whatsapp/session whatsapp/session"),
    _channel("whatsapp_cloud", "WHATSAPP_CLOUD_", "WHATSAPP_CLOUD_PHONE_NUMBER_ID=extra.phone_number_id"),
    _channel("signal", "SIGNAL_", "SIGNAL_ACCOUNT=extra.account"),
    _channel("mattermost", "MATTERMOST_", "MATTERMOST_TOKEN=token"),
    _channel("matrix", "MATRIX_", "MATRIX_ACCESS_TOKEN=token", "MATRIX_USER_ID=extra.user_id"),
    _channel("homeassistant", "HASS_", "HASS_TOKEN=token"),
    _channel("email", "EMAIL_", "EMAIL_ADDRESS=extra.address"),
    _channel("sms", "TWILIO_ SMS_", "TWILIO_PHONE_NUMBER=extra.phone_number"),
    _channel("dingtalk", "DINGTALK_", "DINGTALK_CLIENT_ID=extra.client_id"),
    _channel("feishu", "FEISHU_", "FEISHU_APP_ID=extra.app_id"),
    _channel("wecom", "WECOM_", "WECOM_BOT_ID=extra.bot_id"),
    _channel("wecom_callback", "WECOM_CALLBACK_", "WECOM_CALLBACK_CORP_ID=extra.corp_id"),
    _channel("weixin", "WEIXIN_", "WEIXIN_TOKEN=token", "WEIXIN_ACCOUNT_ID=extra.account_id"),
    _channel("bluebubbles", "BLUEBUBBLES_", "BLUEBUBBLES_SERVER_URL=extra.server_url"),
    _channel("qqbot", "QQ_ QQBOT_", "QQ_APP_ID=extra.app_id"),
    _channel("yuanbao", "YUANBAO_", "YUANBAO_APP_ID=extra.app_id", "YUANBAO_APP_KEY=extra.app_key"),
    _channel(
        "google_chat",
        "GOOGLE_CHAT_",
        "GOOGLE_CHAT_SUBSCRIPTION_NAME=extra.subscription_name",
        "GOOGLE_CHAT_SUBSCRIPTION=extra.subscription",
        "GOOGLE_CHAT_HTTP_EVENTS_URL=extra.http_events_url",
    ),
    _channel("irc", "IRC_", "IRC_NICKNAME@IRC_SERVER=extra.nickname@extra.server"),
    _channel("line", "LINE_", "LINE_CHANNEL_ACCESS_TOKEN=extra.channel_access_token"),
    _channel("ntfy", "NTFY_", "NTFY_TOPIC@NTFY_SERVER_URL=extra.topic@extra.server"),
    _channel("photon", "PHOTON_", "PHOTON_PROJECT_ID=extra.project_id"),
    _channel("raft", "RAFT_", "RAFT_PROFILE=extra.profile"),
    _channel("simplex", "SIMPLEX_", "SIMPLEX_WS_URL=extra.ws_url"),
    _channel("teams", "TEAMS_", "TEAMS_CLIENT_ID=extra.client_id"),
    _channel("webhook", "WEBHOOK_"),
    _channel("msgraph_webhook", "MSGRAPH_WEBHOOK_", "MSGRAPH_WEBHOOK_CLIENT_STATE=extra.client_state"),
    _channel("relay", "GATEWAY_RELAY_", "GATEWAY_RELAY_ID=extra.relay_id"),
)
"""Every platform. The HTTP API is none: it serves whoever has its key, and connects to nobody."""

_LISTS = frozenset({"SLACK_BOT_TOKEN"})
"""Variables that may hold several values, with commas between them."""

_NO_SECTION: Mapping[str, Any] = {}


def channel_of(variable: str) -> Channel | None:
    """The platform that a variable belongs to: of those whose beginning fits, the one whose fits best."""
    fitting = [(len(start), one) for one in CHANNELS for start in one.beginnings if variable.startswith(start)]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def sections(config: Mapping[str, Any]) -> Iterable[tuple[tuple[str, ...], Channel]]:
    """Where a configuration speaks of platforms: the keys from the top, as they are written, and the platform.

    hermes-agent reads `platforms`, `gateway.platforms` and the top level, and forgives upper case.
    """
    known = {channel.platform: channel for channel in CHANNELS}
    for keys in ((), ("platforms",), ("gateway", "platforms")):
        for name in section(config, keys):
            if isinstance(name, str) and (channel := known.get(name.strip().lower())):
                yield (*keys, name), channel


def section(config: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Any]:
    """What lies at a key, if that is a section; else nothing."""
    found: Any = config
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else _NO_SECTION


def identities(config: Mapping[str, Any], variables: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Platform, place and value of whatever platforms know bots by, in the order of the table.

    `variables` is what the agent finds in its environment. The values are secrets.
    """
    found: list[tuple[str, str, str]] = []
    for channel in CHANNELS:
        for names, _ in channel.identities:
            found += _identities(channel, names, [variables.get(name, "") for name in names.split("@")], "")
    for keys, channel in sections(config):
        for _, names in channel.identities:
            values = [_value(config, (*keys, *name.split("."))) for name in names.split("@")]
            found += _identities(channel, names, values, ".".join((*keys, "")))
    return found


def _identities(channel: Channel, names: str, values: Sequence[str], where: str) -> Iterable[tuple[str, str, str]]:
    name = names.partition("@")[0]
    if not values[0].strip():
        return
    parts = values[0].split(",") if name in _LISTS else values[:1]
    for one in filter(str.strip, parts):
        yield channel.platform, where + name, "@".join([one.strip(), *values[1:]])


def _value(config: Mapping[str, Any], keys: Sequence[str]) -> str:
    """What is written at a key, as text; nothing if that is no single value."""
    value = section(config, keys[:-1]).get(keys[-1])
    return str(value).strip() if isinstance(value, str | int) else ""
