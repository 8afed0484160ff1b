"""What a hermes-agent home, and what lies beside it, keeps under the profile's name or path.

Owns: which files and keys those are (hermes-agent 0.19.0), and that each is changed at once, or left and told.
Files that people write are changed in the one key that would break; any other mention is theirs to judge. Must not
know when a profile is renamed.
"""

from functools import partial
from pathlib import Path
from typing import Any

from hermesd.adapters.agents.hermes_files import CONFIG
from hermesd.adapters.agents.hermes_moves import (
    JOBS,
    STATE,
    Move,
    change_json,
    mentions,
    move_paths,
    move_workplace,
    rekey,
)
from hermesd.adapters.textfile import read_text
from hermesd.adapters.yamlfile import parse_yaml
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.profile import DEFAULT, Home

HONCHO = "honcho.json"


def follow_rename(before: Home, after: Home, user_home: Path | None) -> list[str]:
    """See the port. `user_home` is where Honcho keeps what all programs share; `None` leaves that alone."""
    root = after.path.parent.parent
    shared = [] if user_home is None else [user_home / ".honcho" / "config.json"]
    move = Move(before.name, before.path, after.name, after.path)
    told: list[str] = []
    for path in (after.path / HONCHO, root / HONCHO, *shared):
        told += change_json(path, partial(_move_host, before, after, path))
    told += change_json(after.path / JOBS, partial(move_paths, move))
    told += move_workplace(after.path, move)
    told += _rekey(move, root)
    told += [f"{path} still names {before.path}" for path in mentions(after.path, before.path)]
    told += _routes(before, root)
    return told


def host_key(name: str) -> str:
    """The key of a profile's block in Honcho's files."""
    return f"hermes_{name.strip('_')}"


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


def _rekey(move: Move, root: Path) -> list[str]:
    """The databases, in a process of their own: no profile's database is ever opened in the daemon."""
    state = move.after_path / STATE
    databases = [state, root / "kanban.db", *(root / "kanban" / "boards").glob("*/kanban.db")]
    if not any(path.is_file() for path in databases):
        return []
    failures = rekey(state, move, root)
    return [
        f"{path} still knows '{move.before}': {why}"
        if path
        else f"the agent's databases still know '{move.before}': {why}"
        for path, why in failures
    ]


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
