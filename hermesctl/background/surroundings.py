"""What surrounds the command that needs a daemon.

Owns: looking: at the service managers, their units, and for signs of a gateway's process tree. Must not decide
anything: that is for `ways.py`.
"""

import os
import pwd
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from hermesctl.background.control_groups import own_control_group
from hermesctl.background.managers import Manager, managers_of
from hermesctl.background.units import PROPERTIES, Account, keeps
from hermesctl.background.ways import UNIT, Surroundings, choose
from hermesctl.client.places import Places
from hermesctl.selection import SPAWN_ID_VARIABLE

CLAIM = re.compile(r".*/hermesd/[0-9a-f]{12}/locks/[^/]+")
"""A lock that only gateways inherit, of whichever root."""
GATEWAY_UNIT = "hermes-gateway"


def look(places: Places, environment: Mapping[str, str]) -> Surroundings:
    """What is around us now."""
    uid = os.geteuid()
    told = {one: one.properties(UNIT, *PROPERTIES) for one in managers_of(uid)}
    answering = [one for one, properties in told.items() if properties]
    own = next((one for one in answering if one.uid == uid and one.is_lasting), None)
    return Surroundings(
        gateway=gateway_around(environment),
        manager=own if own is not None and is_manager_wanted(places) else None,
        unit=next((one for one in answering if _is_ours(one, told[one], places)), None),
    )


def require_way(places: Places, environment: Mapping[str, str]) -> None:
    """Returns if a daemon could be started here.

    Raises:
        HermesError: DAEMON_ABSENT, it could not.
    """
    choose(look(places, environment))


def gateway_around(environment: Mapping[str, str]) -> str:
    """What shows that we are inside a gateway's process tree; empty if nothing does.

    An agent's tool may have dropped one mark and kept another, so each of them is enough.
    """
    if environment.get(SPAWN_ID_VARIABLE):
        return f"{SPAWN_ID_VARIABLE} is set"
    if claim := _inherited_claim():
        return f"this process holds a gateway's lock, {claim}"
    unit = own_control_group().rpartition("/")[2]
    return f"this process runs in {unit}" if unit.startswith(GATEWAY_UNIT) else ""


def is_manager_wanted(places: Places) -> bool:
    """Whether the person left it to us to use a service manager; settings that cannot be read are the daemon's."""
    try:
        settings = tomllib.loads(places.settings.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    daemon = settings.get("daemon")
    return not (isinstance(daemon, dict) and daemon.get("backend") == "session")


def _inherited_claim() -> str:
    """A lock of a gateway that we hold through a descriptor; empty if there is none."""
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
            state = Path(f"/proc/self/fdinfo/{descriptor.name}").read_text()
        except FileNotFoundError:  # closed meanwhile; the one that lists them always is
            continue
        if CLAIM.fullmatch(target) and "FLOCK" in state:
            return target
    return ""


def _is_ours(manager: Manager, properties: Mapping[str, str], places: Places) -> bool:
    if properties.get("LoadState") != "loaded":
        return False
    return keeps(properties, manager.variables(), _account(), places, is_system=manager.uid == 0)


def _account() -> Account:
    uid = os.geteuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, str(uid), "")
    return Account(uid, entry.pw_name, entry.pw_dir)
