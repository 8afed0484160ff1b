"""What a hermes-agent home, and what lies beside it, keeps under the profile's name or path.

Owns: which files and keys those are (hermes-agent 0.19.0), and that each is changed at once, or left and told.
Files that people write are changed in the one key that would break; any other mention is theirs to judge. Must not
know when a profile is renamed.
"""

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hermesd.adapters.agents.hermes_files import CONFIG, ENV
from hermesd.adapters.atomic import leftovers, write_atomic
from hermesd.adapters.textfile import read_text
from hermesd.adapters.yamlfile import parse_yaml, with_values
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.profile import DEFAULT, Home

HONCHO = "honcho.json"
JOBS = Path("cron") / "jobs.json"
REKEY = Path(__file__).with_name("hermes_rekey.py")
REKEY_LIMIT_S = 120.0


def follow_rename(before: Home, after: Home, user_home: Path | None) -> list[str]:
    """See the port. `user_home` is where Honcho keeps what all programs share; `None` leaves that alone."""
    root = after.path.parent.parent
    shared = [] if user_home is None else [user_home / ".honcho" / "config.json"]
    told: list[str] = []
    _clear_litter(after)
    for path in (after.path / HONCHO, root / HONCHO, *shared):
        told += _changed(path, partial(_move_host, before, after, path))
    told += _changed(after.path / JOBS, partial(_move_paths, before, after))
    told += _move_workplace(before, after)
    told += _rekey(before, after, root)
    told += _mentions(before, after)
    told += _routes(before, root)
    return told


def _clear_litter(home: Home) -> None:
    """Removes what a rename left of these files that was cut off while it wrote them."""
    for path in (home.path / HONCHO, home.path / JOBS, home.path / CONFIG):
        for litter in leftovers(path):
            litter.unlink(missing_ok=True)


def host_key(name: str) -> str:
    """The key of a profile's block in Honcho's files."""
    return f"hermes_{name.strip('_')}"


def _changed(path: Path, change: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    """Changes a JSON file if there is anything to change, keeping its mode; says what stood in the way."""
    try:
        text = read_text(path)
        data = json.loads(text) if text else None
    except (ConfigInvalid, ValueError):
        return [f"{path} cannot be read, and may still name the profile as before"]
    if not isinstance(data, dict):
        return []
    unchanged = json.dumps(data)
    told = change(data)
    if json.dumps(data) != unchanged:
        mode = stat.S_IMODE(path.stat().st_mode)
        write_atomic(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode(), mode)
    return told


def _move_host(before: Home, after: Home, path: Path, data: dict[str, Any]) -> list[str]:
    """Moves a profile's block. Whom the agent was to Honcho stays, also where only the block's name said it."""
    old, new = host_key(before.name.text), host_key(after.name.text)
    hosts = data.get("hosts")
    if not isinstance(hosts, dict):
        return []
    source = next((key for key in (old, f"hermes.{before.name}") if key in hosts), None)
    if source is None:
        return []
    if new in hosts:
        return [f"{path} has a block {new} already, so {source} stays: the agent has another's memory now"]
    block = hosts.pop(source)
    if isinstance(block, dict):
        for key in ("aiPeer", "workspace"):
            if not block.get(key) and not data.get(key):
                block[key] = old
    hosts[new] = block
    return []


def _move_paths(before: Home, after: Home, data: dict[str, Any]) -> list[str]:
    """Jobs that work inside the home go on there."""
    jobs = data.get("jobs")
    for job in jobs if isinstance(jobs, list) else []:
        for key in ("workdir", "script"):
            if isinstance(job, dict) and (moved := _moved(job.get(key), before, after)):
                job[key] = moved
    return []


def _move_workplace(before: Home, after: Home) -> list[str]:
    """The directory that conversations start in; without it none would start."""
    path = after.path / CONFIG
    try:
        text = read_text(path)
        terminal = parse_yaml(text, path).get("terminal")
        moved = _moved(terminal.get("cwd"), before, after) if isinstance(terminal, dict) else None
        if moved:
            write_atomic(path, with_values(text, {("terminal", "cwd"): moved}, path).encode())
    except ConfigInvalid as error:
        return [error.message]
    return []


def _rekey(before: Home, after: Home, root: Path) -> list[str]:
    """The databases, in a process of their own: no profile's database is ever opened in the daemon."""
    databases = [after.path / "state.db", root / "kanban.db", *(root / "kanban" / "boards").glob("*/kanban.db")]
    if not any(path.is_file() for path in databases):
        return []
    words = (before.name.text, after.name.text, str(before.path), str(after.path), str(root))
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(REKEY), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=REKEY_LIMIT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        return [f"the agent's databases still know '{before.name}': {error}"]
    lines = (line.partition("\t") for line in done.stdout.splitlines())
    return [f"{path} still knows '{before.name}': {why}" for path, _, why in lines]


def _mentions(before: Home, after: Home) -> Iterator[str]:
    """Files of people that name the old place."""
    place = re.compile(re.escape(str(before.path)) + r"(?![A-Za-z0-9_-])")
    for path in (after.path / CONFIG, after.path / ENV):
        try:
            if place.search(read_text(path)):
                yield f"{path} still names {before.path}"
        except ConfigInvalid:  # told with every look at the profile
            continue


def _routes(before: Home, root: Path) -> list[str]:
    """The default profile's gateway can serve others, by name; its settings may stand in a section or outside."""
    path = root / CONFIG
    try:
        config = parse_yaml(read_text(path), path)
    except ConfigInvalid:  # told with every look at the profile
        return []
    gateway = config.get("gateway")
    sections = [config, gateway] if isinstance(gateway, dict) else [config]
    told = []
    if any(_names(before, section.get("profile_routes")) for section in sections):
        told.append(f"{path} still routes messages to '{before.name}'")
    if any(section.get("multiplex_profiles") for section in sections):
        told.append(f"the gateway that serves all profiles does so after: hermesctl gateway restart {DEFAULT}")
    return told


def _names(home: Home, routes: object) -> bool:
    entries = [one for one in routes if isinstance(one, dict)] if isinstance(routes, list) else []
    return any(str(one.get("profile", "")).strip().lower() == home.name.text for one in entries)


def _moved(value: object, before: Home, after: Home) -> str | None:
    """A path inside the home as it is now; `None` for anything else."""
    old = str(before.path)
    if not isinstance(value, str) or not (value == old or value.startswith(f"{old}/")):
        return None
    return f"{after.path}{value.removeprefix(old)}"
