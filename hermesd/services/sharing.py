"""Which profiles name the same bot, login or port, of which only one gateway at a time can use.

Owns: the comparison across profiles, and what a person is told of it. Must not know where anything is kept, and
never sees a value: what is compared are digests.
"""

import asyncio
from collections.abc import Iterable, Sequence

from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.creation import Shared, shared_claims
from hermesd.domain.grants import SharedGrant
from hermesd.domain.profile import Home, ProfileName
from hermesd.services.gatewayviews import GatewayViews
from hermesd.services.grants import shared_by_home
from hermesd.services.homes import KnownHomes
from hermesd.services.runtimes import Runtimes


class Sharing:
    """Compares what the gateways of profiles need for themselves."""

    def __init__(self, homes: KnownHomes, runtimes: Runtimes, views: GatewayViews) -> None:
        self._homes = homes
        self._runtimes = runtimes
        self._views = views

    async def of_home(self, home: Home) -> tuple[Shared, ...]:
        """What a profile's home has in common with other profiles."""
        own = await asyncio.to_thread(self._runtimes.agent_of(home.name).claims, home)
        return await self.of(home.name, own)

    async def of(self, name: ProfileName, own: Iterable[Claim]) -> tuple[Shared, ...]:
        """Which of these claims, those of a profile or of one to be, other profiles make too."""
        own = tuple(own)
        if not own:
            return ()
        others = [known.home for known in await self._homes.scan() if known.home.name != name]
        return shared_claims(own, await asyncio.to_thread(self._claims, others))

    async def warnings(self, home: Home) -> list[str]:
        """What a person has to know of what a new profile shares: with whom, what follows and the ways out."""
        holders: dict[tuple[str, str], list[ProfileName]] = {}
        shared = await self.of_home(home)
        for holder, places in _by_holder(shared).items():
            holders.setdefault((places, await self._consequence(holder, home.name)), []).append(holder)
        told = [
            f"shared with {', '.join(map(str, sorted(names)))}: {places}; {consequence}"
            for (places, consequence), names in holders.items()
        ]
        claims = [*told, _way_out(home, shared)] if told else []
        grants = await shared_by_home(self._homes, self._runtimes, home)
        return claims + [_of_grant(one, home.name) for one in grants if not one.is_harmless]

    async def _consequence(self, holder: ProfileName, name: ProfileName) -> str:
        """What becomes of two gateways that need one thing."""
        view = await self._views.get(holder)
        if view.record.process is None and view.foreign_pid is None:
            return "of their gateways one is started at a time, and the other waits until it is stopped"
        return (
            f"the gateway of {holder} runs, so that of {name} is not started but waits until {holder} is stopped, "
            "and then starts by itself"
        )

    def _claims(self, homes: Iterable[Home]) -> dict[ProfileName, list[Claim]]:
        return {home.name: self._runtimes.agent_of(home.name).claims(home) for home in homes}


def _by_holder(shared: Iterable[Shared]) -> dict[ProfileName, str]:
    """The places that each other profile has in common with this one, in words."""
    found: dict[ProfileName, dict[str, None]] = {}
    for one in shared:
        for holder in one.profiles:
            found.setdefault(holder, {})[one.claim.place] = None
    return {holder: ", ".join(places) for holder, places in sorted(found.items())}


def _of_grant(shared: SharedGrant, name: ProfileName) -> str:
    """What a person has to know of a login that a profile has a copy of."""
    holders = ", ".join(map(str, shared.profiles))
    told = (
        f"shared with {holders}: the login {shared.grant.provider} ({shared.grant.source}); {shared.consequence}"
    )
    way_out = shared.way_out(name)
    return f"{told}; to give {name} one of its own: {way_out}" if way_out else told


def _way_out(home: Home, shared: Sequence[Shared]) -> str:
    """How a profile gets things of its own."""
    files = sorted({file for one in shared if (file := one.claim.file)})
    edit = f"edit {' and '.join(str(home.path / file) for file in files)}" if files else ""
    has_channels = any(one.claim.kind is not ClaimKind.PORT for one in shared)
    strip = "clone again with --channels strip" if has_channels else ""
    return f"to give {home.name} its own, " + ", or ".join(part for part in (edit, strip) if part)
