"""Ports of profiles: no two profiles are given one, and whoever cannot have its usual port gets another.

Owns: that choosing and writing are one thing, however many profiles are made or started at once. What is chosen is
decided in `domain/listening.py`, and written by agents. Must not know files.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from hermesd.domain.channels import CHANNELS
from hermesd.domain.claims import Claim
from hermesd.domain.cloning import CloneOrder
from hermesd.domain.errors import ChangedMeanwhile
from hermesd.domain.gateway import LIVE
from hermesd.domain.listening import API_SERVER, BRIDGES, Neighbour, PortMove, clashing, displaced, moves, ports_of
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home
from hermesd.services.events import Events
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.keepers import Keepers
from hermesd.services.runtimes import Runtimes

_PLATFORMS = frozenset(channel.platform for channel in CHANNELS)
_ATTEMPTS = 3
"""How often a change is begun anew because somebody else wrote the file."""


class Listening:
    """Gives out ports."""

    def __init__(
        self, ports: Ports, events: Events, homes: KnownHomes, runtimes: Runtimes, keepers: Keepers
    ) -> None:
        self._ports = ports
        self._events = events
        self._homes = homes
        self._runtimes = runtimes
        self._keepers = keepers
        self._choosing = asyncio.Lock()
        """Held from the look at what is taken until the choice is written or promised."""
        self._promised: list[int] = []
        """Ports of profiles that nobody can find yet."""

    async def planned(self, source: Home, order: CloneOrder) -> tuple[PortMove, ...]:
        """The ports that a clone would get now, so that it can run beside its source."""
        claims = await asyncio.to_thread(self._claims, source)
        own = claims if order.has_channels else [one for one in claims if one.platform not in _PLATFORMS]
        if not ports_of(own):
            return ()
        neighbours = await self._neighbours()
        return await self._chosen(clashing(own, neighbours), neighbours)

    @asynccontextmanager
    async def promised(self, source: Home | None, order: CloneOrder) -> AsyncIterator[Sequence[PortMove]]:
        """The ports of a clone that is being made, which nobody else is given until it can be found."""
        if source is None:
            yield ()
            return
        async with self._choosing:
            found = await self.planned(source, order)
            self._promised += (move.port for move in found)
        try:
            yield found
        finally:
            for move in found:
                self._promised.remove(move.port)

    @asynccontextmanager
    async def taken(self, known: Identified) -> AsyncIterator[frozenset[int]]:
        """Ports that the API of a profile cannot have; nobody else chooses one while this is held."""
        async with self._choosing:
            own = await asyncio.to_thread(self._claims, known.home)
            others = [one for one in own if one.platform != API_SERVER]
            yield frozenset(self._taken(await self._neighbours(known), others))

    async def settle(self, known: Identified) -> list[str]:
        """Gives a profile whose gateway is about to start what it cannot have of its usual ports.

        Returns what a person has to know, a sentence each. What a person wrote stays, whoever else has it.

        Raises:
            ConfigInvalid: it must be written by hand.
            ChangedMeanwhile, DiskFull, NotPermitted, PortInUse: it could not be given.
        """
        if not any(claim.is_usual for claim in ports_of(await asyncio.to_thread(self._claims, known.home))):
            return []
        async with self._choosing:
            found = await self._settled(known)
        for move in found:
            name = known.home.name.text
            await self._events.record("profile.configured", f"profile {name}: {move}", profile=name)
        return [told(move) for move in found]

    async def _settled(self, known: Identified) -> list[PortMove]:
        agent = self._runtimes.agent_of(known.home.name)
        for attempt in range(1, _ATTEMPTS + 1):
            neighbours = await self._neighbours(known)
            own = await asyncio.to_thread(self._claims, known.home)
            wanted = await self._chosen(displaced(own, neighbours), neighbours, own)
            try:
                return await asyncio.to_thread(agent.move_ports, known.home, wanted) if wanted else []
            except ChangedMeanwhile:
                if attempt == _ATTEMPTS:
                    raise
        return []

    async def _chosen(
        self, crowded: Sequence[tuple[Claim, str]], neighbours: Sequence[Neighbour], own: Iterable[Claim] = ()
    ) -> tuple[PortMove, ...]:
        if not crowded:
            return ()
        sockets = await asyncio.to_thread(self._ports.sockets.look)
        return moves(crowded, self._taken(neighbours, own), sockets)

    def _taken(self, neighbours: Iterable[Neighbour], own: Iterable[Claim]) -> set[int]:
        claims = [*own, *(claim for one in neighbours for claim in one.claims)]
        return {*self._promised, *(claim.port for claim in ports_of(claims))}

    async def _neighbours(self, but: Identified | None = None) -> list[Neighbour]:
        """Every other profile, or every one."""
        others = [one for one in await self._homes.scan() if but is None or one.id != but.id]
        claims = await asyncio.to_thread(lambda: [self._claims(one.home) for one in others])
        return [
            Neighbour(one.home.name.text, found, is_up=self._is_up(one.id))
            for one, found in zip(others, claims, strict=True)
        ]

    def _is_up(self, profile_id: str) -> bool:
        gateway = self._keepers.record_of(profile_id).gateway
        return gateway.wanted_up or gateway.state in LIVE

    def _claims(self, home: Home) -> list[Claim]:
        return self._runtimes.agent_of(home.name).claims(home)


def told(move: PortMove) -> str:
    """What a person has to know of a port that was changed."""
    if move.claim.platform in BRIDGES:
        return f"{move} ({move.claim.source})"
    return f"{move} ({move.claim.source}); whatever calls it must call the new one"
