"""What environment the agent's processes get.

Owns: the written-out lists. A gateway gets an allow-list and nothing else, so that no shell that happened to
start the daemon leaks into a bot. An interactive command keeps its caller's environment, less what would
point it at another profile or make it another profile's bot. Must not know where values come from, nor which of
them are secrets of other profiles, which `domain/digests.py` tells.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from hermesd.domain.channels import CHANNELS, channel_of
from hermesd.domain.exclusivity import variables
from hermesd.domain.masking import MARK, is_secret_name, mask

GATEWAY_ALLOWED = (
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_TIME",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "HERMESD_ROOT",
)
"""Variables of the daemon that reach a gateway; account and path values come from the passwd entry. With the root,
a tool's hermesctl finds the daemon that keeps its gateway."""

ACCOUNT_VARIABLES = frozenset({"HOME", "USER", "LOGNAME", "SHELL", "PATH"})
"""Those that are the account's, whatever the daemon's environment says."""

INSTALLER_ALLOWED_PREFIX = "PIP_"
"""An installation also needs the person's package index and certificates."""

COMMAND_REMOVED_PREFIXES = ("HERMES", "_HERMES", "TERMINAL_")
COMMAND_REMOVED = frozenset({"MESSAGING_CWD"})
COMMAND_KEPT = frozenset({"TERMINAL_EMULATOR"})
"""No variable that steers hermes-agent, hermesctl or hermesd is inherited by an agent's command: an agent exports
what its own profile is set to, as where its tools work, and whatever runs in its terminal inherits that."""

BOT_VARIABLES = (
    variables()
    | {"API_SERVER_KEY"}
    | {name for channel in CHANNELS for names, _ in channel.identities for name in names.split("@")}
)
"""What platforms know bots by and what turns them on, and the key of the agent's own API."""

_NO_KEY = re.compile(r"ASKPASS|KEYRING|KEYBOARD|KEYMAP|TOKENIZERS")
"""Names that look like those of keys: programs that ask for one, and settings."""

_USER_INFO = re.compile(r"(://)[^/\s@]*@")


def for_gateway(inherited: Mapping[str, str], account: Mapping[str, str]) -> dict[str, str]:
    """The base environment of a gateway: allowed variables of the daemon, overridden by the account's."""
    allowed = {name: inherited[name] for name in GATEWAY_ALLOWED if name in inherited}
    return allowed | dict(account)


def for_installer(inherited: Mapping[str, str], account: Mapping[str, str]) -> dict[str, str]:
    """The environment of an installation: a gateway's, and what steers the package installer."""
    steering = {k: v for k, v in inherited.items() if k.startswith(INSTALLER_ALLOWED_PREFIX)}
    return for_gateway(inherited, account) | steering


class Removal(StrEnum):
    """Why a command does not inherit a variable, by its name."""

    STEERING = "steering"
    """It says to some hermes program what it is set to."""
    BOT = "bot"
    """It is what a messaging platform knows a bot by, or turns one on."""
    KEY = "key"
    """It is a key, and the settings say that none is inherited."""


def removal_of(name: str, *, inherits_keys: bool = True) -> Removal | None:
    """Why an agent's command must not inherit a variable of this name; `None` if it may."""
    if name in COMMAND_KEPT:
        return None
    if name.startswith(COMMAND_REMOVED_PREFIXES) or name in COMMAND_REMOVED:
        return Removal.STEERING
    if is_of_bot(name):
        return Removal.BOT
    return Removal.KEY if not inherits_keys and is_key(name) else None


def removed_from_command(names: Iterable[str], *, inherits_keys: bool = True) -> list[str]:
    """Which of the caller's variables an agent's command must not inherit, sorted."""
    return sorted({name for name in names if removal_of(name, inherits_keys=inherits_keys)})


def is_of_bot(name: str) -> bool:
    """Whether a variable of this name is a bot's: the profile's own `.env` says what its bots are."""
    return name in BOT_VARIABLES or (is_secret_name(name) and channel_of(name) is not None)


def is_key(name: str) -> bool:
    """Whether a variable of this name holds a key, as far as names tell."""
    return is_secret_name(name) and not _NO_KEY.search(name.upper())


def shown(name: str, value: str) -> str:
    """A value as it may be shown: nothing of what is secret by its name, and no password in an address."""
    return MARK if is_secret_name(name) else mask(_USER_INFO.sub(rf"\1{MARK}@", value))
