"""The agent without the daemon, for emergencies.

Owns: which agent that is and where its profile is, read from what the daemon left on disk. Must neither ask
nor start the daemon. Nothing is claimed or recorded, and conversations start where the caller is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesctl.arguments import PROFILE_NAME
from hermesctl.client.places import Places
from hermesctl.errors import Fix, HermesError
from hermesctl.inherited import removed
from hermesctl.selection import DEFAULT
from hermesctl.terminal import Program, Terminal

MANIFEST = "runtime.json"
"""What the daemon writes beside its database for the agent in use, and its installer into each installation."""


@dataclass(frozen=True)
class Agent:
    """An installed agent."""

    executable: Path
    version: str
    is_managed: bool
    environment: Mapping[str, str]
    """What the daemon tells it of the machine, as where the site's managed settings are."""


def program(terminal: Terminal, places: Places, profile: str, arguments: Sequence[str]) -> Program:
    """What to become for a command of the agent.

    Raises:
        HermesError: PROFILE_NOT_FOUND; RUNTIME_MISSING, no agent is found; NOT_PERMITTED.
    """
    name, home = _home(places, profile)
    agent = find_agent(places)
    environment = {**agent.environment, "HERMES_HOME": str(home)}
    if agent.is_managed:
        environment["HERMES_DISABLE_LAZY_INSTALLS"] = "1"
    argv = [str(agent.executable), "-p", name, *arguments]
    return Program(str(agent.executable), argv, environment, removed(terminal.environment, places, home))


def find_agent(places: Places) -> Agent:
    """The agent that the daemon said to be in use; without a word from it, the newest that is installed.

    Raises:
        HermesError: RUNTIME_MISSING, there is none.
    """
    told = _read(places.runtime_file)
    if told is not None:
        return told
    found = [_read(file, file.parent / "bin" / "hermes") for file in places.runtimes.glob(f"*/{MANIFEST}")]
    installed = sorted((one for one in found if one is not None), key=lambda one: _number(one.version))
    if not installed:
        raise HermesError(
            "RUNTIME_MISSING",
            "no agent is found",
            why=f"neither {places.runtime_file} nor {places.runtimes} names one",
            fixes=[Fix("hermesctl runtime install")],
        )
    return installed[-1]


def _home(places: Places, profile: str) -> tuple[str, Path]:
    name = profile.lower()
    home = places.root if name == DEFAULT else places.root / "profiles" / name
    if not PROFILE_NAME.fullmatch(name) or not home.is_dir():
        raise HermesError(
            "PROFILE_NOT_FOUND", f"there is no profile '{profile}'", why=f"there is no directory {home}"
        )
    return name, home


def _read(file: Path, executable: Path | None = None) -> Agent | None:
    """The agent that a file names, with its executable unless that is given; `None` if it is not there."""
    try:
        said = json.loads(file.read_bytes())
        is_managed = executable is not None or said["is_managed"] is True
        told = {str(name): str(value) for name, value in said.get("environment", {}).items()}
        agent = Agent(executable or Path(said["executable"]), str(said["version"]), is_managed, told)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return agent if agent.executable.is_file() else None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
