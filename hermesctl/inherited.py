"""What the agent inherits of its caller's environment where there is no daemon to ask.

Owns: the daemon's rules, word for word (`hermesd/domain/environment.py`), and reading what others keep secret.
What hermes-agent mends in a damaged `.env` before it reads it is not mended here. Must not let a value out.
"""

import io
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hermesctl.arguments import PROFILE_NAME
from hermesctl.client.places import Places

STEERING_PREFIXES = ("HERMES", "_HERMES", "TERMINAL_")
STEERING = frozenset({"MESSAGING_CWD"})
KEPT = frozenset({"TERMINAL_EMULATOR"})
"""Variables that would point the agent at another profile, and what only looks like one."""

BOT_VARIABLES = frozenset(
    (
        "API_SERVER_KEY BLUEBUBBLES_PASSWORD BLUEBUBBLES_SERVER_URL BLUEBUBBLES_WEBHOOK_PORT DINGTALK_CLIENT_ID "
        "DINGTALK_CLIENT_SECRET DISCORD_BOT_TOKEN EMAIL_ADDRESS EMAIL_IMAP_HOST EMAIL_PASSWORD EMAIL_SMTP_HOST "
        "FEISHU_APP_ID FEISHU_APP_SECRET FEISHU_CONNECTION_MODE FEISHU_WEBHOOK_PORT GATEWAY_RELAY_ID "
        "GATEWAY_RELAY_URL GOOGLE_CHAT_HTTP_EVENTS_URL GOOGLE_CHAT_SUBSCRIPTION GOOGLE_CHAT_SUBSCRIPTION_NAME "
        "HASS_TOKEN IRC_CHANNEL IRC_NICKNAME IRC_SERVER LINE_CHANNEL_ACCESS_TOKEN LINE_CHANNEL_SECRET LINE_PORT "
        "MATRIX_ACCESS_TOKEN MATRIX_PASSWORD MATRIX_USER_ID MATTERMOST_TOKEN MSGRAPH_WEBHOOK_CLIENT_STATE "
        "MSGRAPH_WEBHOOK_ENABLED MSGRAPH_WEBHOOK_PORT NTFY_SERVER_URL NTFY_TOPIC PHOTON_PROJECT_ID "
        "PHOTON_PROJECT_SECRET PHOTON_SIDECAR_PORT QQ_APP_ID QQ_CLIENT_SECRET RAFT_PROFILE SIGNAL_ACCOUNT "
        "SIGNAL_HTTP_URL SIMPLEX_WS_URL SLACK_APP_TOKEN SLACK_BOT_TOKEN SMS_WEBHOOK_PORT TEAMS_CLIENT_ID "
        "TEAMS_CLIENT_SECRET TEAMS_PORT TEAMS_TENANT_ID TELEGRAM_BOT_TOKEN TELEGRAM_WEBHOOK_PORT "
        "TELEGRAM_WEBHOOK_URL TWILIO_ACCOUNT_SID TWILIO_PHONE_NUMBER WEBHOOK_ENABLED WEBHOOK_PORT WECOM_BOT_ID "
        "WECOM_CALLBACK_CORP_ID WECOM_CALLBACK_CORP_SECRET WECOM_CALLBACK_PORT WECOM_SECRET WEIXIN_ACCOUNT_ID "
        "WEIXIN_TOKEN WHATSAPP_CLOUD_ACCESS_TOKEN WHATSAPP_CLOUD_PHONE_NUMBER_ID WHATSAPP_CLOUD_WEBHOOK_PORT "
        "WHATSAPP_ENABLED YUANBAO_APP_ID YUANBAO_APP_KEY YUANBAO_APP_SECRET "
    ).split()
)
BOT_PREFIXES = tuple(
    (
        "BLUEBUBBLES_ DINGTALK_ DISCORD_ EMAIL_ FEISHU_ GATEWAY_RELAY_ GOOGLE_CHAT_ HASS_ IRC_ LINE_ MATRIX_ "
        "MATTERMOST_ MSGRAPH_WEBHOOK_ NTFY_ PHOTON_ QQBOT_ QQ_ RAFT_ SIGNAL_ SIMPLEX_ SLACK_ SMS_ TEAMS_ "
        "TELEGRAM_ TWILIO_ WEBHOOK_ WECOM_ WECOM_CALLBACK_ WEIXIN_ WHATSAPP_ WHATSAPP_CLOUD_ YUANBAO_ "
    ).split()
)
"""Variables that messaging platforms know bots by or that turn them on, and how secrets of platforms begin."""

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|COOKIE")
NO_KEY = re.compile(r"ASKPASS|KEYRING|KEYBOARD|KEYMAP|TOKENIZERS")
NO_SECRET = re.compile(r"[~/].*|\$\{\w+\}|\.{1,2}/.*", re.DOTALL)
LEAST_CHARACTERS = 8
ENV_FILES = (".env", ".op.env")


def removed(environment: Mapping[str, str], places: Places, home: Path) -> list[str]:
    """Which of the caller's variables the agent of a home must not inherit, sorted."""
    names = set(removed_names(environment, inherits_keys=inherits_keys(places.settings)))
    foreign = secrets_of_others(places.root, home)
    return sorted(names | {name for name, value in environment.items() if value.strip() in foreign})


def removed_names(names: Iterable[str], *, inherits_keys: bool = True) -> list[str]:
    """Which of them it must not inherit, whatever their values, sorted."""
    return sorted({name for name in names if _is_removed(name, inherits_keys) and name not in KEPT})


def inherits_keys(settings: Path) -> bool:
    """Whether the person lets commands inherit keys; settings that cannot be read do not forbid it."""
    try:
        found = tomllib.loads(settings.read_text(encoding="utf-8")).get("environment")
    except (OSError, ValueError):
        return True
    return not (isinstance(found, dict) and found.get("inherit_keys") is False)


def secrets_of_others(root: Path, own: Path) -> frozenset[str]:
    """What other profiles keep secret, and this one does not have itself."""
    others = [home for home in _homes(root) if not home.samefile(own)]
    return frozenset(value for home in others for value in _secrets(home)) - frozenset(_secrets(own))


def _is_removed(name: str, inherits: bool) -> bool:
    is_secret = SECRET.search(name.upper()) is not None
    is_key = is_secret and not NO_KEY.search(name.upper())
    is_of_bot = name in BOT_VARIABLES or (is_secret and name.startswith(BOT_PREFIXES))
    return name.startswith(STEERING_PREFIXES) or name in STEERING or is_of_bot or (is_key and not inherits)


def _homes(root: Path) -> Iterator[Path]:
    yield root
    profiles = root / "profiles"
    if profiles.is_dir():
        yield from (one for one in profiles.iterdir() if PROFILE_NAME.fullmatch(one.name) and one.is_dir())


def _secrets(home: Path) -> Iterator[str]:
    for name in ENV_FILES:
        path = home / name
        try:
            text = path.read_bytes().decode(errors="surrogateescape") if path.is_file() else ""
        except OSError:  # nobody who cannot read it has its values
            continue
        yield from (value.strip() for name, value in _variables(text) if _is_secret(name, value))


def _variables(text: str) -> Iterator[tuple[str, str]]:
    """As they are written, and with references to each other replaced."""
    from dotenv.parser import parse_stream  # nobody else needs it
    from dotenv.variables import parse_variables

    found: dict[str, str | None] = {}
    for binding in parse_stream(io.StringIO(text.removeprefix("\ufeff"))):
        if binding.key is not None and binding.value is not None:
            found[binding.key] = "".join(atom.resolve(found) for atom in parse_variables(binding.value))
            yield binding.key, binding.value
            yield binding.key, found[binding.key] or ""


def _is_secret(name: str, value: str) -> bool:
    is_long = len(value.strip()) >= LEAST_CHARACTERS
    return is_long and SECRET.search(name.upper()) is not None and not NO_SECRET.fullmatch(value)
