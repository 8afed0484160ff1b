"""What of each platform only one gateway at a time can use, and why nothing else is.

Owns: the table, judged from what the platform adapters of hermes-agent 0.19.0 do (those of 0.18.2 are the same):
whoever polls, or opens a connection, as an identity shares it badly; whoever only waits for calls shares nothing
but its port. Also which variables turn a platform on. Must not know files, nor any value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SWITCH = "!"
"""Behind a variable that must say yes; any text will do for others."""


@dataclass(frozen=True)
class Part:
    """One value of an identity: the first of these variables that is set, else a key, else what is usual."""

    variables: tuple[str, ...]
    key: str
    """Below the platform's section; with a dot in front, from the top of the configuration."""
    usual: str = ""


class Place(StrEnum):
    """Where a port is read from."""

    VARIABLE = "variable"
    KEY = "key"


_BOTH = (Place.VARIABLE, Place.KEY)
_KEY_FIRST = (Place.KEY, Place.VARIABLE)
_VARIABLE_ONLY, _KEY_ONLY = (Place.VARIABLE,), (Place.KEY,)


@dataclass(frozen=True)
class Port:
    """Where a platform's gateway listens. A port of 0 is any that is free, and no claim."""

    usual: int
    key: str
    variable: str = ""
    condition: Part | None = None
    """It listens only if this says `equals`, or anything where that is empty."""
    equals: str = ""
    order: tuple[Place, ...] = _BOTH
    """Where it is read, what wins first, while variables turn the platform on."""
    order_otherwise: tuple[Place, ...] = _BOTH
    """The same while the configuration does: some variables count only together with those that turn it on."""

    def places(self, *, is_on_by_variables: bool) -> list[Place]:
        """Where it is read, what wins first."""
        order = self.order if is_on_by_variables else self.order_otherwise
        return [place for place in order if (self.variable if place is Place.VARIABLE else self.key)]


@dataclass(frozen=True)
class Rule:
    """One platform."""

    platform: str
    why: str
    """Why two gateways cannot share what is exclusive, or why nothing is."""
    exclusive: tuple[tuple[Part, ...], ...] = ()
    """Identities that one gateway at a time can use, each of one or more values."""
    turned_on_by: tuple[tuple[str, ...], ...] = ()
    """Variables that turn it on: one of each group."""
    turned_off_by: tuple[str, ...] = ()
    """Variables that turn it off, whatever else is said, where they say no."""
    is_forced: bool = False
    """Whether those that turn it on do so where the configuration says no."""
    is_on_by_identity: bool = False
    """Whether an identity in the configuration turns it on without another word."""
    ports: tuple[Port, ...] = ()


def _part(text: str) -> Part:
    """A value as `VARIABLE|ANOTHER=key?usual`."""
    names, _, rest = text.partition("=")
    key, _, usual = rest.partition("?")
    return Part(tuple(filter(None, names.split("|"))), key, usual)


def _rule(
    platform: str,
    on: str,
    why: str,
    *exclusive: str,
    off: str = "",
    is_forced: bool = False,
    is_on_by_identity: bool = False,
    ports: Iterable[Port] = (),
) -> Rule:
    """A row; an identity is written `ONE=key`, or `ONE=key@TWO=key` where it takes two values."""
    return Rule(
        platform,
        why,
        tuple(tuple(_part(part) for part in one.split("@")) for one in exclusive),
        tuple(tuple(group.split("|")) for group in on.split()),
        tuple(off.split()),
        is_forced,
        is_on_by_identity,
        tuple(ports),
    )


_BOTH_ANSWER = "every connection hears every message, so both gateways would answer each"
_SPLIT = "the platform deals its messages out among the connections, so each gateway would miss some"

RULES: tuple[Rule, ...] = (
    _rule(
        "telegram",
        "TELEGRAM_BOT_TOKEN",
        "Telegram refuses all but one who asks a bot's updates, and has one webhook for it",
        "TELEGRAM_BOT_TOKEN=token",
        ports=[Port(8443, "", "TELEGRAM_WEBHOOK_PORT", _part("TELEGRAM_WEBHOOK_URL="))],
    ),
    _rule(
        "discord",
        "DISCORD_BOT_TOKEN",
        "both would answer, and Discord resets a token that logs in too often",
        "DISCORD_BOT_TOKEN=token",
    ),
    _rule("slack", "SLACK_BOT_TOKEN", f"{_SPLIT}; only the app's token connects", "SLACK_APP_TOKEN="),
    _rule(
        "whatsapp",
        "WHATSAPP_ENABLED!",
        "one login is one linked device, and a second connection of it ends the first; a bridge that finds "
        "another on its port ends it or speaks for it",
        off="WHATSAPP_ENABLED",
        is_forced=True,
        ports=[Port(3000, "extra.bridge_port")],
    ),
    _rule(
        "whatsapp_cloud",
        "WHATSAPP_CLOUD_PHONE_NUMBER_ID WHATSAPP_CLOUD_ACCESS_TOKEN",
        "nothing: it waits for calls at the one address that Meta was given, and only its port is exclusive",
        is_forced=True,
        ports=[Port(8090, "extra.webhook_port", "WHATSAPP_CLOUD_WEBHOOK_PORT", order_otherwise=_KEY_ONLY)],
    ),
    _rule("signal", "SIGNAL_HTTP_URL SIGNAL_ACCOUNT", _BOTH_ANSWER, "SIGNAL_ACCOUNT=extra.account"),
    _rule("mattermost", "MATTERMOST_TOKEN", _BOTH_ANSWER, "MATTERMOST_TOKEN=token"),
    _rule(
        "matrix",
        "MATRIX_ACCESS_TOKEN|MATRIX_PASSWORD",
        f"{_BOTH_ANSWER}, and two who sync as one device lose each other's keys",
        "MATRIX_ACCESS_TOKEN=token",
        "MATRIX_USER_ID=extra.user_id",
    ),
    _rule(
        "homeassistant",
        "HASS_TOKEN",
        "nothing: any number of clients may use a token, each hears of what it asked for and none answers anybody",
        is_forced=True,
    ),
    _rule(
        "email",
        "EMAIL_ADDRESS EMAIL_PASSWORD EMAIL_IMAP_HOST EMAIL_SMTP_HOST",
        "who reads the mailbox first marks a mail as seen, so each gateway would miss some",
        "EMAIL_ADDRESS=extra.address",
        is_forced=True,
    ),
    _rule(
        "sms",
        "TWILIO_ACCOUNT_SID",
        "nothing: it waits for calls at the one address that Twilio was given, and only its port is exclusive",
        is_forced=True,
        ports=[Port(8080, "", "SMS_WEBHOOK_PORT")],
    ),
    _rule(
        "dingtalk",
        "DINGTALK_CLIENT_ID DINGTALK_CLIENT_SECRET",
        _SPLIT,
        "DINGTALK_CLIENT_ID=extra.client_id",
        is_forced=True,
        is_on_by_identity=True,
    ),
    _rule(
        "feishu",
        "FEISHU_APP_ID FEISHU_APP_SECRET",
        _SPLIT,
        "FEISHU_APP_ID=extra.app_id",
        is_forced=True,
        is_on_by_identity=True,
        ports=[
            Port(
                8765,
                "extra.webhook_port",
                "FEISHU_WEBHOOK_PORT",
                _part("FEISHU_CONNECTION_MODE=extra.connection_mode"),
                "webhook",
                order=_KEY_FIRST,
                order_otherwise=_KEY_FIRST,
            )
        ],
    ),
    _rule(
        "wecom",
        "WECOM_BOT_ID WECOM_SECRET",
        "WeCom keeps one connection of a bot and drops the one before",
        "WECOM_BOT_ID=extra.bot_id",
        is_forced=True,
        is_on_by_identity=True,
    ),
    _rule(
        "wecom_callback",
        "WECOM_CALLBACK_CORP_ID WECOM_CALLBACK_CORP_SECRET",
        "nothing: it waits for calls at the one address that WeCom was given, and only its port is exclusive",
        is_forced=True,
        ports=[Port(8645, "extra.port", "WECOM_CALLBACK_PORT", order=_VARIABLE_ONLY, order_otherwise=_KEY_ONLY)],
    ),
    _rule(
        "weixin",
        "WEIXIN_TOKEN|WEIXIN_ACCOUNT_ID",
        "both ask for the same updates, and whoever gets one takes it from the other",
        "WEIXIN_TOKEN=token",
        "WEIXIN_ACCOUNT_ID=extra.account_id",
        is_forced=True,
    ),
    _rule(
        "bluebubbles",
        "BLUEBUBBLES_SERVER_URL BLUEBUBBLES_PASSWORD",
        "each gateway has the server call it with every message, so both would answer each",
        "BLUEBUBBLES_SERVER_URL=extra.server_url",
        is_forced=True,
        ports=[
            Port(
                8645,
                "extra.webhook_port",
                "BLUEBUBBLES_WEBHOOK_PORT",
                order=_VARIABLE_ONLY,
                order_otherwise=_KEY_FIRST,
            )
        ],
    ),
    _rule("qqbot", "QQ_APP_ID|QQ_CLIENT_SECRET", _BOTH_ANSWER, "QQ_APP_ID=extra.app_id", is_forced=True),
    _rule(
        "yuanbao",
        "YUANBAO_APP_ID|YUANBAO_APP_KEY YUANBAO_APP_SECRET",
        "Yuanbao keeps one connection of a bot and drops the one before",
        "YUANBAO_APP_ID|YUANBAO_APP_KEY=extra.app_id",
        is_forced=True,
    ),
    _rule(
        "google_chat",
        "GOOGLE_CHAT_HTTP_EVENTS_URL|GOOGLE_CHAT_SUBSCRIPTION_NAME|GOOGLE_CHAT_SUBSCRIPTION",
        "a subscription deals its messages out among those that pull; calls over HTTP come to one address",
        "GOOGLE_CHAT_SUBSCRIPTION_NAME|GOOGLE_CHAT_SUBSCRIPTION=extra.subscription_name",
    ),
    _rule(
        "irc",
        "IRC_SERVER IRC_CHANNEL",
        "a server has each nick once",
        "IRC_NICKNAME=extra.nickname?hermes-bot@IRC_SERVER=extra.server",
    ),
    _rule(
        "line",
        "LINE_CHANNEL_ACCESS_TOKEN LINE_CHANNEL_SECRET",
        "LINE calls one address for a channel, so of two gateways one would stay silent",
        "LINE_CHANNEL_ACCESS_TOKEN=extra.channel_access_token",
        ports=[Port(8646, "extra.port", "LINE_PORT")],
    ),
    _rule(
        "ntfy",
        "NTFY_TOPIC",
        "both would answer each message, and each answer that appears in the topic again",
        "NTFY_TOPIC=extra.topic@NTFY_SERVER_URL=extra.server?https://ntfy.sh",
    ),
    _rule(
        "photon",
        "PHOTON_PROJECT_ID PHOTON_PROJECT_SECRET",
        _BOTH_ANSWER,
        "PHOTON_PROJECT_ID=extra.project_id",
        is_on_by_identity=True,
        ports=[
            Port(8789, "extra.sidecar_port", "PHOTON_SIDECAR_PORT", order=_KEY_FIRST, order_otherwise=_KEY_FIRST)
        ],
    ),
    _rule(
        "raft",
        "RAFT_PROFILE",
        "each gateway starts a bridge for the same Raft profile, which would hand on every message twice",
        "RAFT_PROFILE=extra.profile",
        ports=[Port(0, "extra.port")],
    ),
    _rule("simplex", "SIMPLEX_WS_URL", _BOTH_ANSWER, "SIMPLEX_WS_URL=extra.ws_url"),
    _rule(
        "teams",
        "TEAMS_CLIENT_ID TEAMS_CLIENT_SECRET TEAMS_TENANT_ID",
        "nothing: it waits for calls at the one address that Teams was given, and only its port is exclusive",
        ports=[Port(3978, "extra.port", "TEAMS_PORT", order_otherwise=_KEY_FIRST)],
    ),
    _rule(
        "webhook",
        "WEBHOOK_ENABLED!",
        "nothing: it waits for calls, and only its port is exclusive",
        is_forced=True,
        ports=[Port(8644, "extra.port", "WEBHOOK_PORT", order_otherwise=_KEY_ONLY)],
    ),
    _rule(
        "msgraph_webhook",
        "MSGRAPH_WEBHOOK_ENABLED!",
        "nothing: it waits for calls, and only its port is exclusive",
        is_forced=True,
        ports=[Port(8646, "extra.port", "MSGRAPH_WEBHOOK_PORT")],
    ),
    _rule(
        "relay",
        "GATEWAY_RELAY_URL",
        "the connector knows a gateway by its id and has one connection of each",
        "GATEWAY_RELAY_ID=.gateway.relay_id",
    ),
)
"""Every platform of `domain/channels.py`."""

UNCLAIMED = {
    "local": "the terminal, which is no platform of a gateway",
    "api_server": "it serves whoever has its key; its port, which is exclusive, is read with its settings",
}
"""What hermes-agent counts among its platforms besides, and why it has no row."""


def variables() -> frozenset[str]:
    """Every variable that the table names."""
    parts = [part for rule in RULES for identity in rule.exclusive for part in identity]
    ports = [port for rule in RULES for port in rule.ports]
    parts += [port.condition for port in ports if port.condition is not None]
    groups = [name.removesuffix(SWITCH) for rule in RULES for group in rule.turned_on_by for name in group]
    found = {name for part in parts for name in part.variables} | {port.variable for port in ports} | set(groups)
    return frozenset(found - {""})
