"""What the daemon remembers of gateways and profiles, whatever happens to it.

Owns: what a record holds. Must not know where it is kept.
"""

from dataclasses import dataclass

from hermesd.domain.claims import Claim
from hermesd.domain.gateway import Gateway
from hermesd.domain.process import LastExit, ProcessIdentity
from hermesd.domain.profile import Home, HomeIdentity


@dataclass(frozen=True)
class GatewayRecord:
    """What is remembered of one gateway, whatever happens to the daemon."""

    profile_id: str
    gateway: Gateway = Gateway()
    spawn_id: str = ""
    """The start under way or running, recorded before the process exists; empty when there is none."""
    home: Home | None = None
    """The home of that start as it was then, whatever becomes of it; `None` if none is under way, or not known."""
    process: ProcessIdentity | None = None
    since_s: float | None = None
    """When the shown state began, seconds since the epoch."""
    restarts: int = 0
    next_start_at_s: float | None = None
    last_exit: LastExit | None = None
    detail: str = ""
    starts_s: tuple[float, ...] = ()
    """When it was started in the last day, seconds since the epoch, for the start budget."""
    is_enabled: bool = True
    """Whether it is started with the daemon while it is wanted."""
    start_order: int = 0
    """Its place in line when the daemon starts gateways: lower first."""
    wished_at_s: float | None = None
    """Since when it is wanted, seconds since the epoch: who waits for a claim is in line by this."""
    claims: tuple[Claim, ...] = ()
    """What its present or last process was started with, as long as it is to come back by itself."""


@dataclass(frozen=True)
class Binding:
    """A stable id, and the home it stands for."""

    id: str
    home: HomeIdentity
    name: str
    """What the profile was called when it was last seen; empty once another one is called so."""
