"""Whether an installed unit is ours and keeps this very root.

Owns: the proof, from what a service manager says of the unit. What cannot be proven is not assumed: a unit for
another root would be started in vain, and never for this one. Pure: must not ask the manager.
"""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesctl.client.places import Places

PROPERTIES = ("LoadState", "User", "Environment", "EnvironmentFiles", "ExecStart")
PROGRAMS = frozenset({"hermesd", "hermesctl"})


@dataclass(frozen=True)
class Account:
    """A user as the passwd file has them."""

    uid: int
    name: str
    home: str


def keeps(
    properties: Mapping[str, str],
    inherited: Mapping[str, str],
    account: Account,
    places: Places,
    *,
    is_system: bool,
) -> bool:
    """Whether a unit with these properties runs a daemon for the places' root as this account.

    `inherited` is the environment of the unit's manager.
    """
    if properties.get("LoadState") != "loaded" or not _runs_hermesd(properties.get("ExecStart", "")):
        return False
    if is_system and not _runs_as(properties.get("User", ""), account):
        return False
    variables = _variables(properties, inherited, account)
    if variables is None:
        return False
    home = Path(variables.get("HOME") or account.home)
    root = variables.get("HERMESD_ROOT") or home / ".hermes"
    return home == places.home and Path(os.path.realpath(root)) == places.root


def _runs_hermesd(exec_start: str) -> bool:
    argv = re.search(r"argv\[\]=([^;]*)", exec_start)
    return argv is not None and any(Path(word).name in PROGRAMS for word in argv[1].split())


def _runs_as(user: str, account: Account) -> bool:
    return user in {account.name, str(account.uid)} if user else account.uid == 0


def _variables(
    properties: Mapping[str, str], inherited: Mapping[str, str], account: Account
) -> dict[str, str] | None:
    """The environment of the unit's process as far as it can be told; `None` if it cannot."""
    if properties.get("EnvironmentFiles"):
        return None
    try:
        words = shlex.split(properties.get("Environment", ""))
    except ValueError:
        return None
    own = dict(word.split("=", 1) for word in words if "=" in word)
    user = {"HOME": account.home} if properties.get("User") else {}
    return {**inherited, **user, **own}
