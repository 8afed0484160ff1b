"""How a daemon is started here, given what surrounds the command that needs it.

Owns: the decision, what the daemon gets of the caller's environment, and the words of systemd's programs. Pure:
must not look at or start anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from hermesctl.background.managers import Manager
from hermesctl.errors import Fix, HermesError

UNIT = "hermesd.service"
"""The unit that a person or a package installs to keep a daemon."""

UMASK = 0o077

ALLOWED = frozenset(
    (
        "HOME USER LOGNAME SHELL PATH LANG TZ HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy "
        "all_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS "
        "HERMESD_ROOT HERMESD_ALLOW_TEMP"
    ).split()
)
ALLOWED_PREFIXES = ("LC_", "PIP_")
"""What the daemon gets of the caller's environment: nothing of the shell that happened to start it, and never the
mark of a gateway's tree, which would make it a part of that tree."""

SERVICE_VARIABLES = ("HOME", "LANG", "HERMESD_ROOT", "HERMESD_ALLOW_TEMP")
"""What a service gets, besides the manager's own environment. Everybody may read the settings of a unit, and what
an agent's environment says beyond this is the agent's."""


class Way(Enum):
    """How a daemon can be started."""

    UNIT = auto()
    """By the service manager, as the unit that is installed for this root."""
    SCOPE = auto()
    """By us, but enclosed in a scope of its own, which outlives the session that we are in."""
    SERVICE = auto()
    """By the service manager, as a service made for this once, which has nothing of us."""
    DETACHED = auto()
    """By us, with no tie to us."""


@dataclass(frozen=True)
class Plan:
    """A way, and the service manager that it goes through, if any."""

    way: Way
    manager: Manager | None = None


@dataclass(frozen=True)
class Surroundings:
    """What is to be known of the place where a command runs that needs a daemon."""

    gateway: str = ""
    """What shows that it is inside a gateway's process tree; empty if nothing does."""
    manager: Manager | None = None
    """The service manager that may be used and outlives the caller's session, if there is one."""
    unit: Manager | None = None
    """The service manager that has our unit for this root, if one has."""


def choose(around: Surroundings) -> Plan:
    """The way that lets the daemon outlive whoever needs it now.

    Raises:
        HermesError: DAEMON_ABSENT, there is none: inside a gateway's tree, what we start ourselves would be its.
    """
    if around.unit is not None:
        return Plan(Way.UNIT, around.unit)
    if around.manager is not None:
        return Plan(Way.SERVICE if around.gateway else Way.SCOPE, around.manager)
    if around.gateway:
        raise HermesError(
            "DAEMON_ABSENT",
            "hermesd is not running and cannot be started from inside a gateway",
            why=f"{around.gateway}; a daemon started here could end together with that gateway",
            fixes=[Fix("hermesctl daemon start", "in a shell outside the gateway")],
        )
    return Plan(Way.DETACHED)


def daemon_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The part of the caller's environment that a daemon gets that we start ourselves."""
    return {
        name: value for name, value in inherited.items() if name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    }


def scope_words(manager: Manager, name: str, command: Sequence[str]) -> list[str]:
    """What runs a command in a scope called `name`; it becomes that command."""
    return [*_run_words(manager, f"{name}.scope"), "--scope", "--", *command]


def service_words(
    manager: Manager, name: str, inherited: Mapping[str, str], output: Path, command: Sequence[str]
) -> list[str]:
    """What has a command run as a service called `name`, whose output is appended to a file."""
    variables = [f"--setenv={one}={inherited[one]}" for one in SERVICE_VARIABLES if one in inherited]
    properties = {
        "KillMode": "process",  # gateways that it could not put into scopes live on
        "StandardOutput": f"append:{output}",
        "StandardError": f"append:{output}",
        "UMask": f"{UMASK:04o}",
        "WorkingDirectory": "/",
    }
    settings = [f"--property={key}={value}" for key, value in properties.items()]
    return [*_run_words(manager, f"{name}.service"), "--service-type=exec", *variables, *settings, "--", *command]


def _run_words(manager: Manager, unit: str) -> list[str]:
    told = ["--quiet", "--collect", "--no-ask-password", f"--unit={unit}", "--description=hermesd"]
    return ["systemd-run", manager.flag, *told]
