"""By what a hermes-agent gateway could be reached or set to work.

Owns: what enables each platform (hermes-agent 0.18.2 and 0.19.0). Where that cannot be known without connecting,
as for a library that is missing, a platform counts: a gateway too many does no harm, one too few is a silent bot.
Must not know how files are read, nor why it is asked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hermesd.adapters.agents.hermes_api import is_true
from hermesd.domain.channels import identities, section, sections

API_SERVER = "api_server"
CRON = "cron"

UNKNOWN = "unknown"
"""Stands for whatever cannot be told, as when variables come from a safe elsewhere."""

MULTIPLEX = "multiplex_profiles"
"""The gateway of the default profile serves others' platforms too."""

_SETS: Mapping[str, str] = {
    "telegram": "TELEGRAM_BOT_TOKEN",
    "discord": "DISCORD_BOT_TOKEN",
    "slack": "SLACK_BOT_TOKEN",
    "whatsapp": "WHATSAPP_ENABLED?",
    "whatsapp_cloud": "WHATSAPP_CLOUD_PHONE_NUMBER_ID+WHATSAPP_CLOUD_ACCESS_TOKEN",
    "signal": "SIGNAL_HTTP_URL+SIGNAL_ACCOUNT",
    "mattermost": "MATTERMOST_TOKEN",
    "matrix": "MATRIX_ACCESS_TOKEN MATRIX_PASSWORD",
    "homeassistant": "HASS_TOKEN",
    "email": "EMAIL_ADDRESS",
    "sms": "TWILIO_ACCOUNT_SID",
    "dingtalk": "DINGTALK_CLIENT_ID+DINGTALK_CLIENT_SECRET",
    "feishu": "FEISHU_APP_ID+FEISHU_APP_SECRET",
    "wecom": "WECOM_BOT_ID+WECOM_SECRET",
    "wecom_callback": "WECOM_CALLBACK_CORP_ID+WECOM_CALLBACK_CORP_SECRET",
    "weixin": "WEIXIN_TOKEN WEIXIN_ACCOUNT_ID",
    "bluebubbles": "BLUEBUBBLES_SERVER_URL+BLUEBUBBLES_PASSWORD",
    "qqbot": "QQ_APP_ID QQ_CLIENT_SECRET",
    "yuanbao": "YUANBAO_APP_ID+YUANBAO_APP_SECRET YUANBAO_APP_KEY+YUANBAO_APP_SECRET",
    "google_chat": "GOOGLE_CHAT_SUBSCRIPTION_NAME GOOGLE_CHAT_SUBSCRIPTION GOOGLE_CHAT_HTTP_EVENTS_URL",
    "irc": "IRC_SERVER+IRC_CHANNEL",
    "line": "LINE_CHANNEL_ACCESS_TOKEN+LINE_CHANNEL_SECRET",
    "ntfy": "NTFY_TOPIC",
    "photon": "PHOTON_PROJECT_ID+PHOTON_PROJECT_SECRET",
    "raft": "RAFT_PROFILE",
    "simplex": "SIMPLEX_WS_URL",
    "teams": "TEAMS_CLIENT_ID+TEAMS_CLIENT_SECRET",
    "webhook": "WEBHOOK_ENABLED?",
    "msgraph_webhook": "MSGRAPH_WEBHOOK_ENABLED?",
    "relay": "GATEWAY_RELAY_URL",
}
"""Sets of variables that each enable a platform, by platform; `+` joins one set, `?` asks for a yes."""

_ENABLED_BY = {name: [one.split("+") for one in sets.split()] for name, sets in _SETS.items()}

_STUBBORN = frozenset(
    "whatsapp whatsapp_cloud homeassistant email sms dingtalk feishu wecom wecom_callback weixin bluebubbles "
    "qqbot yuanbao webhook msgraph_webhook".split()
)
"""Platforms that variables enable even if the configuration says no."""

_NO = frozenset({"false", "0", "no", "off"})


def read_channels(
    config: Mapping[str, Any], variables: Mapping[str, str], legacy: Mapping[str, Any], *, is_root: bool
) -> set[str]:
    """Names of platforms, as the agent calls them, the HTTP API and jobs not among them.

    `variables` is what the agent finds in its environment; `legacy` is what `gateway.json` says.
    """
    named = dict(variables) | _from_safes(config)
    said = {**_said(legacy), **_said(config)}
    found = {name for name, sets in _ENABLED_BY.items() if _is_set(sets, named) and _may(name, said)}
    found |= {name for name, is_enabled in said.items() if is_enabled and _is_wished(name, named)}
    held = identities(config, {})
    if legacy:
        held += identities({"platforms": section(legacy, ["platforms"])}, {})
    found |= {platform for platform, _, _ in held if said.get(platform) is not False}
    if section(config, ["gateway"]).get("relay_url") and said.get("relay") is not False:
        found.add("relay")
    if _has_bulk_safe(config):
        found.add(UNKNOWN)
    if is_root and _multiplexes(config, named):
        found.add(MULTIPLEX)
    return found - {API_SERVER}


def _is_set(sets: Sequence[Sequence[str]], named: Mapping[str, str]) -> bool:
    return any(all(_has(name, named) for name in one) for one in sets)


def _has(name: str, named: Mapping[str, str]) -> bool:
    if name.endswith("?"):
        return is_true(named.get(name[:-1], ""))
    return name in named and bool(named[name].strip())


def _may(name: str, said: Mapping[str, bool]) -> bool:
    return name in _STUBBORN or said.get(name) is not False


def _is_wished(name: str, named: Mapping[str, str]) -> bool:
    """Whether a variable does not overrule the configuration, as only WhatsApp's does."""
    return name != "whatsapp" or named.get("WHATSAPP_ENABLED", "").strip().lower() not in _NO


def _said(config: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the configuration enables each platform that it says so of, its more special place overriding.

    Below `platforms` may stand platforms of plugins that nobody knows here.
    """
    said: dict[str, bool] = {}
    for keys in (("gateway", "platforms"), ("platforms",)):
        said |= dict(_switches(section(config, keys).items()))
    known = {name: section(config, keys) for keys, _ in sections(config) if len(keys) == 1 for name in keys}
    return said | dict(_switches(known.items()))


def _switches(entries: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, bool]]:
    for name, entry in entries:
        if isinstance(name, str) and isinstance(entry, dict) and "enabled" in entry:
            yield name.strip().lower(), is_true(str(entry["enabled"]))


def _from_safes(config: Mapping[str, Any]) -> dict[str, str]:
    """Variables that a safe is asked for by name."""
    named = [section(safe, ["env"]) for safe in _safes(config)]
    return {str(name): str(place) for env in named for name, place in env.items() if place}


def _has_bulk_safe(config: Mapping[str, Any]) -> bool:
    """Whether a safe gives all that it holds, of which nothing is known here."""
    return any(not section(safe, ["env"]) for safe in _safes(config))


def _safes(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = section(config, ["secrets"]).values()
    return [one for one in entries if isinstance(one, dict) and is_true(str(one.get("enabled", "")))]


def _multiplexes(config: Mapping[str, Any], named: Mapping[str, str]) -> bool:
    own = config.get("multiplex_profiles", section(config, ["gateway"]).get("multiplex_profiles", ""))
    return is_true(named.get("GATEWAY_MULTIPLEX_PROFILES", "").strip() or str(own))
