"""What goes with a hermes-agent home, and what the agent keeps for it elsewhere.

Owns: where conversations, jobs and secrets are (hermes-agent 0.18.2 and 0.19.0), and the service units that it
installs (0.19.0). Nothing is changed, and no database is opened in this process. Must not know when it is asked.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hermesd.adapters import jsontext
from hermesd.adapters.agents.hermes_files import ENV
from hermesd.adapters.dotenvfile import read_env
from hermesd.adapters.textfile import read_text
from hermesd.adapters.yamlfile import read_yaml
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.masking import is_secret_name
from hermesd.domain.profile import Home
from hermesd.domain.usage import Holdings, Leftover

COUNT = Path(__file__).with_name("hermes_count.py")
COUNT_LIMIT_S = 3.0
JOBS = Path("cron") / "jobs.json"
MIRROR = "sessions.json"
"""In `sessions`: where conversations lead, and none of them."""

SYSTEM_UNITS = Path("/etc/systemd/system")
USER_UNITS = Path(".config") / "systemd" / "user"

_USER_INFO = re.compile(r"(?<=://)[^/\s]*@")


def read_holdings(home: Home) -> Holdings:
    """See the port."""
    return Holdings(
        session_count=_count_sessions(home.path),
        job_count=_count_jobs(home.path),
        secret_count=sum(1 for name in _set_in_env(home.path) if is_secret_name(name)),
        origin=_origin(home.path),
    )


def service_units(home: Home, user_home: Path | None) -> Iterator[Leftover]:
    """Units that start this home's gateway, which are the agent's: hermesd installs none of these names.

    `user_home` is where units of a user lie; `None` leaves those alone.
    """
    name = f"hermes-gateway-{home.name}.service"
    places = [(SYSTEM_UNITS, "sudo systemctl")]
    if user_home is not None:
        places.insert(0, (user_home / USER_UNITS, "systemctl --user"))
    for directory, command in places:
        if os.path.lexists(directory / name) and _is_for(home, directory / name):
            message = f"the service {name} in {directory} is hermes-agent's, and goes on starting '{home.name}'"
            yield Leftover(message, f"{command} disable --now {name}")


def _count_sessions(home: Path) -> int | None:
    """Conversations in the database; an agent that had none kept them as files, which are not told apart here."""
    database = home / "state.db"
    if not os.path.lexists(database):
        return None if _names(home / "sessions") - {MIRROR} else 0
    if not database.is_file():
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(COUNT), str(database)],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COUNT_LIMIT_S,
            check=True,
        )
        return int(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError):
        return None


def _count_jobs(home: Path) -> int | None:
    try:
        text = read_text(home / JOBS)
        data = jsontext.parse(text) if text else {}
    except (ConfigInvalid, ValueError):
        return None
    jobs = data.get("jobs", []) if isinstance(data, dict) else data
    return len(jobs) if isinstance(jobs, list) else None


def _set_in_env(home: Path) -> list[str]:
    try:
        return [name for name, value in read_env(home / ENV).items() if value]
    except ConfigInvalid:  # told with every look at the profile
        return []


def _origin(home: Path) -> str:
    try:
        source = read_yaml(home / "distribution.yaml").get("source")
    except ConfigInvalid:  # told with every look at the profile
        return ""
    return _USER_INFO.sub("", " ".join(source.split())) if isinstance(source, str) else ""


def _is_for(home: Home, unit: Path) -> bool:
    """Whether a unit names this home; one that cannot be read may."""
    try:
        return re.search(re.escape(str(home.path)) + r"(?![\w-])", read_text(unit)) is not None
    except ConfigInvalid:
        return True


def _names(directory: Path) -> set[str]:
    try:
        return set(os.listdir(directory))  # noqa: PTH208 - names are wanted
    except OSError:  # none, or not ours to read: then nobody can say what is in it
        return set()
