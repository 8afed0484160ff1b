"""Ports that gateways listen on: which of them a profile must have anew, and which ones it gets.

Owns: the choice. A port that a person wrote is theirs, and is never given another one behind their back. Must not
know files, nor who listens: it is told.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.errors import PortInUse

FIRST_API_PORT = 8643
"""Ports of APIs are handed out from here: 8642 is what an agent takes that nobody gave a port."""

LAST_PORT = 65_535

_FIRST_UNPRIVILEGED = 1024

API_SERVER = "api_server"
"""For whom the claim of an API's port is."""

BRIDGES = frozenset({"photon", "whatsapp"})
"""Platforms whose port is only between a gateway and a program that it starts: nobody else has to know it."""


@dataclass(frozen=True)
class Sockets:
    """What the machine says of ports, at a moment."""

    listening: frozenset[int] = frozenset()
    """Ports that something listens on, at whatever address."""
    fleeting: range = range(0)
    """Ports that the kernel gives to connections, so that one of them can be taken at any moment."""


@dataclass(frozen=True)
class Neighbour:
    """Another profile, as far as ports go."""

    name: str
    claims: Sequence[Claim]
    is_up: bool = False
    """Whether its gateway runs or is wanted."""


@dataclass(frozen=True)
class PortMove:
    """A port that a profile gets in place of another one."""

    claim: Claim
    """What it would listen on else."""
    port: int
    holder: str
    """Who has the other one: a profile, or a platform of its own."""

    def __str__(self) -> str:
        return f"{self.claim.platform} listens on port {self.port}, since {self.holder} has {self.claim.port}"


def ports_of(claims: Iterable[Claim]) -> list[Claim]:
    """The claims that are ports."""
    return [claim for claim in claims if claim.kind is ClaimKind.PORT]


def written_ports(claims: Iterable[Claim]) -> list[Claim]:
    """Those of them that somebody wrote."""
    return [claim for claim in ports_of(claims) if not claim.is_usual]


def clashing(own: Iterable[Claim], neighbours: Sequence[Neighbour]) -> list[tuple[Claim, str]]:
    """Ports of a profile that another one claims, whether or not it runs, with who it is."""
    found = ((claim, next(_holders(claim, neighbours), "")) for claim in ports_of(own))
    return [(claim, holder) for claim, holder in found if holder]


def displaced(own: Iterable[Claim], neighbours: Sequence[Neighbour]) -> list[tuple[Claim, str]]:
    """Usual ports that a profile cannot have, although nobody named one for it, with who has them.

    Somebody has a port who named it, or whose gateway runs or is wanted. Two profiles that merely could both be
    started keep what is usual: a port that is known elsewhere is not changed before it must be.
    """
    claims = ports_of(own)
    entitled = [
        Neighbour(one.name, ports_of(one.claims) if one.is_up else written_ports(one.claims)) for one in neighbours
    ]
    found = []
    for claim in claims:
        holders = chain(_holders(claim, entitled), _siblings(claim, claims))
        if claim.is_usual and (holder := next(holders, "")):
            found.append((claim, holder))
    return found


def _holders(claim: Claim, neighbours: Iterable[Neighbour]) -> Iterator[str]:
    return (
        f"'{one.name}'" for one in neighbours if any(claim.port == other.port for other in ports_of(one.claims))
    )


def _siblings(claim: Claim, claims: Sequence[Claim]) -> Iterator[str]:
    """Other platforms of the same gateway that have the port: one that is named comes before all that are not."""
    before = claims[: claims.index(claim)]
    return (
        one.platform
        for one in claims
        if one.port == claim.port and one.platform != claim.platform and (one in before or not one.is_usual)
    )


def moves(crowded: Iterable[tuple[Claim, str]], taken: Iterable[int], sockets: Sockets) -> tuple[PortMove, ...]:
    """A port of its own for each claim: none that is taken, none that something listens on, each another one.

    Raises:
        PortInUse: there is none.
    """
    gone = {*taken, *sockets.listening}
    found = []
    for claim, holder in crowded:
        first = FIRST_API_PORT if claim.platform == API_SERVER else max(claim.port + 1, _FIRST_UNPRIVILEGED)
        port = lowest_free(first, gone.__contains__, sockets.fleeting)
        gone.add(port)
        found.append(PortMove(claim, port, holder))
    return tuple(found)


def lowest_free(first: int, is_taken: Callable[[int], bool], fleeting: Collection[int]) -> int:
    """The lowest free port from `first` on, and below it only if all above are taken; a fleeting one last of all.

    Raises:
        PortInUse: there is none.
    """
    for port in _candidates(first, fleeting):
        if not is_taken(port):
            return port
    raise PortInUse("no port is free", port=str(first))


def _candidates(first: int, fleeting: Collection[int]) -> Iterator[int]:
    ports = (*range(first, LAST_PORT + 1), *range(_FIRST_UNPRIVILEGED, first))
    yield from (port for port in ports if port not in fleeting)
    yield from (port for port in ports if port in fleeting)
