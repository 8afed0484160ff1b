"""What environment the agent's processes get.

Owns: the written-out lists. A gateway gets an allow-list and nothing else, so that no shell that happened to
start the daemon leaks into a bot. An interactive command keeps its caller's environment, less what would
point it at another profile. Must not know where values come from.
"""

from collections.abc import Iterable, Mapping

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

INSTALLER_ALLOWED_PREFIX = "PIP_"
"""An installation also needs the person's package index and certificates."""

COMMAND_REMOVED_PREFIXES = ("HERMES", "_HERMES", "TERMINAL_")
COMMAND_REMOVED = frozenset({"MESSAGING_CWD"})
COMMAND_KEPT = frozenset({"TERMINAL_EMULATOR"})
"""No variable that steers hermes-agent, hermesctl or hermesd is inherited by an agent's command: an agent exports
what its own profile is set to, as where its tools work, and whatever runs in its terminal inherits that."""


def for_gateway(inherited: Mapping[str, str], account: Mapping[str, str]) -> dict[str, str]:
    """The base environment of a gateway: allowed variables of the daemon, overridden by the account's."""
    allowed = {name: inherited[name] for name in GATEWAY_ALLOWED if name in inherited}
    return allowed | dict(account)


def for_installer(inherited: Mapping[str, str], account: Mapping[str, str]) -> dict[str, str]:
    """The environment of an installation: a gateway's, and what steers the package installer."""
    steering = {k: v for k, v in inherited.items() if k.startswith(INSTALLER_ALLOWED_PREFIX)}
    return for_gateway(inherited, account) | steering


def removed_from_command(names: Iterable[str]) -> list[str]:
    """Which of the caller's variables an agent's command must not inherit, sorted."""
    steering = {name for name in names if name.startswith(COMMAND_REMOVED_PREFIXES) or name in COMMAND_REMOVED}
    return sorted(steering - COMMAND_KEPT)
