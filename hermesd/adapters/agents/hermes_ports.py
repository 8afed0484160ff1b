"""The ports that a gateway of hermes-agent listens on: whether they can be had, and how they are changed.

Owns: who counts as a stranger on them, and where a port is written (hermes-agent 0.19.0). What is claimed, and
which setting says it, is read by `hermes_claims.py`. Must not know other profiles.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hermesd.adapters import dotenvfile, procfs, sockets, yamlfile
from hermesd.adapters.agents import hermes_api
from hermesd.adapters.agents.hermes_claims import read_claims
from hermesd.adapters.agents.hermes_files import CONFIG, ENV
from hermesd.adapters.agents.hermes_sources import LEGACY_CONFIG
from hermesd.adapters.sockets import Listener
from hermesd.adapters.textfile import edit_command, read_text
from hermesd.adapters.unchanged import write_unchanged
from hermesd.domain.agent import ApiServer
from hermesd.domain.claims import Claim, ClaimKind, clashes_within
from hermesd.domain.errors import PortInUse
from hermesd.domain.listening import API_SERVER, BRIDGES, PortMove
from hermesd.domain.process import HOME_VARIABLE, SPAWN_ID_VARIABLE

_MODE = 0o600


def check_ports(home: Path, api: ApiServer) -> None:
    """Refuses a start whose gateway could not listen where it is told to.

    Raises:
        PortInUse: two of its platforms have one port, or somebody else listens on one.
    """
    claims = [claim for claim in read_claims(home) if claim.kind is ClaimKind.PORT]
    for first, second in clashes_within(claims):
        raise _said_twice(home, first, second)
    if not claims:
        return
    table = list(sockets.listeners())
    for claim in claims:
        found = [one for one in table if one.port == claim.port]
        if claim.platform == API_SERVER and hermes_api.is_free(api.host, api.port):
            continue  # whoever listens there does so at another address
        if not found and claim.platform != API_SERVER:
            continue
        holders = sockets.processes_of(found)
        pids = [pid for one in found for pid in holders.get(one.inode, ())]
        if not any(_is_own(pid, home, claim) for pid in pids):
            raise _taken(claim.port, found, pids, home, claim)


def port_in_use(port: int, *, hint: str = "") -> PortInUse:
    """The failure for a port that is taken, with who listens on it where the kernel tells."""
    found = [one for one in sockets.listeners() if one.port == port]
    return _refusal(port, found, [pid for held in sockets.processes_of(found).values() for pid in held], hint=hint)


def move_ports(home: Path, moves: Iterable[PortMove]) -> list[PortMove]:
    """See the port. Each file is written once, and what another one wrote meanwhile is never lost."""
    claims = {(claim.platform, claim.port): claim for claim in read_claims(home)}
    used = [
        (move, claims[move.claim.platform, move.claim.port])
        for move in moves
        if (move.claim.platform, move.claim.port) in claims
    ]
    settings: dict[tuple[str, ...], int] = {}
    variables: dict[str, str] = {}
    for move, claim in used:
        keys = _keys(claim)
        if keys:
            settings[keys] = move.port
        else:
            variables[claim.source] = str(move.port)
    _write(home, settings, variables)
    return [move for move, _ in used]


def _keys(claim: Claim) -> tuple[str, ...]:
    """The keys of a place in the configuration, from the top; none for a variable.

    What older versions kept in a file of its own is overridden there, not changed.
    """
    legacy = f"{LEGACY_CONFIG}."
    source = claim.source
    if source.startswith(legacy):
        source = f"platforms.{source.removeprefix(legacy)}"
    return tuple(source.split(".")) if "." in source else ()


def _write(home: Path, settings: Mapping[tuple[str, ...], int], variables: Mapping[str, str]) -> None:
    """Both texts are made before the first is written: what cannot be changed safely changes nothing."""
    env_path, config_path = home / ENV, home / CONFIG
    env, config = read_text(env_path), read_text(config_path)
    texts = {
        env_path: (env, dotenvfile.with_values(env, variables, env_path) if variables else env),
        config_path: (config, yamlfile.with_values(config, settings, config_path) if settings else config),
    }
    for path, (before, after) in texts.items():
        if after != before:
            write_unchanged(path, before.encode() if before or path.exists() else None, after.encode(), _MODE)


def _is_own(pid: int, home: Path, claim: Claim) -> bool:
    """Whether a process is of a gateway of this home, though that may have ended: it is cleared away, or used.

    The environment tells: a gateway of ours and all that it started know which start they are of. Bridges are
    looked after by the agent itself, also those that were started by hand.
    """
    environment = procfs.environ_of(pid) or {}
    said = environment.get(HOME_VARIABLE)
    if said is None or os.path.realpath(said) != os.path.realpath(home):
        return False
    return SPAWN_ID_VARIABLE in environment or claim.platform in BRIDGES


def _taken(port: int, found: Sequence[Listener], pids: Sequence[int], home: Path, claim: Claim) -> PortInUse:
    path = home / (CONFIG if _keys(claim) else ENV)
    name = ".".join(_keys(claim)) or claim.source
    hint = f"end that program, or set another {name} in {path}"
    told = {"platform": claim.platform, "source": claim.source}
    return _refusal(port, found, pids, hint=hint, fixes=(edit_command(path),), told=told)


def _refusal(
    port: int,
    found: Sequence[Listener],
    pids: Sequence[int],
    *,
    hint: str,
    fixes: tuple[str, ...] = (),
    told: Mapping[str, str] | None = None,
) -> PortInUse:
    """Who has the port, as far as we may look."""
    metadata = {"port": str(port), **(told or {})}
    what = f"port {port} ({metadata['platform']})" if "platform" in metadata else f"port {port}"
    who = "another program"
    if program := next((pid for pid in pids if procfs.command_name(pid)), 0):
        metadata |= {"pid": str(program), "program": procfs.command_name(program)}
        who = f"{metadata['program']} (pid {program})"
    elif found and found[0].uid != os.geteuid():
        metadata["owner"] = found[0].owner
        who = f"a program of another user, {found[0].owner}"
    return PortInUse(f"{what} is in use by {who}", hint=hint, fixes=fixes, **metadata)


def _said_twice(home: Path, first: Claim, second: Claim) -> PortInUse:
    files = dict.fromkeys(home / (CONFIG if _keys(claim) else ENV) for claim in (first, second))
    places = " and ".join(f"{claim.platform} ({claim.source})" for claim in (first, second))
    return PortInUse(
        f"port {first.port} is wanted by two platforms of one gateway: {places}",
        hint="only one can listen there, so give the other one a port of its own",
        fixes=[edit_command(path) for path in files],
        port=str(first.port),
        platform=second.platform,
        source=second.source,
        holder=first.platform,
    )
