"""Gateways that hermesd did not start, as people are told of them.

Owns: the one refusal that they cause, and how they are described. Must not know how they are recognised.
"""

from datetime import UTC, datetime

from hermesd.domain.errors import GatewayForeign
from hermesd.domain.process import Foreign
from hermesd.domain.profile import Home


def foreign_error(home: Home, foreign: Foreign, *then: str, deed: str = "end") -> GatewayForeign:
    """The refusal to do what cannot be done beside a gateway of somebody else; `deed` is a verb.

    The first way out ends it where it was started; `then` are commands to run after that.
    """
    facts = {
        "pid": str(foreign.pid),
        "owner": foreign.owner,
        "started_at": "" if foreign.started_at_s is None else _moment(foreign.started_at_s).isoformat(),
        "unit": foreign.unit,
        "tty": foreign.tty,
    }
    return GatewayForeign(
        f"cannot {deed} gateway '{home.name}': hermesd did not start the one that runs: {describe(foreign)}",
        hint="it is never signalled by hermesd",
        fixes=[foreign.resolution, *then],
        profile=home.name.text,
        **{name: value for name, value in facts.items() if value},
    )


def describe(foreign: Foreign) -> str:
    """Which process it is, in a few words: "pid 4711 of ana, since 2026-11-23 17:47 UTC, on /dev/pts/3"."""
    parts = [f"pid {foreign.pid}" + (f" of {foreign.owner}" if foreign.owner else "")]
    if foreign.started_at_s is not None:
        parts.append(f"since {_moment(foreign.started_at_s).strftime('%Y-%m-%d %H:%M UTC')}")
    if foreign.unit:
        parts.append(f"kept by {foreign.unit}")
    if foreign.tty:
        parts.append(f"on {foreign.tty}")
    if not foreign.is_proven:
        parts.append("as its record says")
    return ", ".join(parts)


def start_command(home: Home) -> str:
    """What starts the gateway of a home."""
    return f"hermesctl gateway start {home.name}"


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).replace(microsecond=0)
