"""Honcho, which remembers for hermes-agent: a peer of its own for a clone, in the workspace of its source.

Owns: where hermes-agent 0.19.0 looks for Honcho's settings, and the block that a profile has there. Must not know
what else a clone takes over.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hermesd.adapters.agents.hermes_moves import change_json
from hermesd.domain.profile import ProfileName

HONCHO = "honcho.json"
OVERRIDE = "HERMES_HONCHO_HOST"
"""A variable that says whose block is used, whatever the profile is called."""

_KEYS = ("HONCHO_API_KEY", "HONCHO_BASE_URL")
_DEFAULT_HOST = "hermes"


def shared_file(root: Path, user_home: Path | None) -> Path | None:
    """The file that profiles without one of their own read; `None` if there is none."""
    places = [root / HONCHO, *([] if user_home is None else [user_home / ".honcho" / "config.json"])]
    return next((path for path in places if path.is_file()), None)


def host_key(name: ProfileName, data: Mapping[str, Any]) -> str:
    """The key of a profile's block; `data` may say another one for the default profile's."""
    if name.is_default:
        return str(data.get("defaultHost") or "").strip() or _DEFAULT_HOST
    return f"hermes_{name.text.strip('_')}"


def give_peer(path: Path, source: ProfileName, name: ProfileName, env: Mapping[str, str]) -> list[str]:
    """Writes a clone's block if its source has Honcho on; one that is there already stays.

    `env` is what the source's `.env` says. Returns what a person has to see to. Raises `DiskFull`, `NotPermitted`.
    """
    return change_json(path, partial(_give_peer, source, name, env))


def _give_peer(source: ProfileName, name: ProfileName, env: Mapping[str, str], data: dict[str, Any]) -> list[str]:
    hosts = data.get("hosts", {})
    if not isinstance(hosts, dict) or host_key(name, data) in hosts or f"hermes.{name}" in hosts:
        return []
    old = host_key(source, data)
    block = hosts.get(old) or hosts.get(f"hermes.{source}") or {}
    if not isinstance(block, dict) or not _is_on(block, data, env):
        return []
    has_login = bool(block.get("oauth"))
    # Whoever renews a login ends the other's: a clone must not have the one of its source.
    left = {"aiPeer", "oauth", "apiKey"} if has_login else {"aiPeer"}
    fresh = {key: value for key, value in block.items() if key not in left}
    fresh["workspace"] = block.get("workspace") or data.get("workspace") or old
    fresh["aiPeer"] = _free_peer(name, hosts, data)
    data["hosts"] = {**hosts, host_key(name, data): fresh}
    return [f"Honcho wants a login of its own for '{name}': hermes -p {name} honcho setup"] if has_login else []


def _is_on(block: Mapping[str, Any], data: Mapping[str, Any], env: Mapping[str, str]) -> bool:
    """As the agent decides it: what is said, else whether there is anything to reach Honcho by."""
    for said in (block.get("enabled"), data.get("enabled")):
        if said is not None:
            return bool(said)
    given = (block.get("apiKey"), data.get("apiKey"), data.get("baseUrl"), data.get("base_url"))
    return any(given) or any(env.get(key) for key in _KEYS)


def _free_peer(name: ProfileName, hosts: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """The profile's name, unless a peer is called so already: a renamed profile keeps the one it had."""
    taken = {str(block.get("aiPeer") or key) for key, block in hosts.items() if isinstance(block, dict)}
    taken.add(str(data.get("aiPeer") or ""))
    candidates = (name.text, host_key(name, data), *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
    return next(peer for peer in candidates if peer not in taken)
