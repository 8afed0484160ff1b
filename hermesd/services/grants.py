"""Which profiles have the same login at a provider.

Owns: the comparison across profiles. Must not know where logins lie, and never sees one: digests are compared.
"""

import asyncio
from collections.abc import Iterable, Mapping

from hermesd.domain.grants import Grant, SharedGrant, shared_grants
from hermesd.domain.profile import Home, ProfileName
from hermesd.services.homes import KnownHomes
from hermesd.services.runtimes import Runtimes


async def shared_by(
    homes: KnownHomes, runtimes: Runtimes, name: ProfileName, own: Iterable[Grant]
) -> tuple[SharedGrant, ...]:
    """Which of these grants, those of a profile or of one to be, other profiles have too."""
    own = tuple(own)
    if not own:
        return ()
    others = [known.home for known in await homes.scan() if known.home.name != name]
    return shared_grants(own, await asyncio.to_thread(_grants, runtimes, others))


async def shared_by_home(homes: KnownHomes, runtimes: Runtimes, home: Home) -> tuple[SharedGrant, ...]:
    """What a profile's home has in common with other profiles."""
    own = await asyncio.to_thread(runtimes.agent_of(home.name).grants, home)
    return await shared_by(homes, runtimes, home.name, own)


def _grants(runtimes: Runtimes, homes: Iterable[Home]) -> Mapping[ProfileName, list[Grant]]:
    return {home.name: runtimes.agent_of(home.name).grants(home) for home in homes}
