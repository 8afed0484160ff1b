"""Which profiles a messaging platform would take for one and the same bot.

Owns: the comparison across profiles, and what a person is told of it. Must not know where credentials are kept,
and never sees one itself.
"""

import asyncio
from collections.abc import Iterable

from hermesd.domain.cloning import Credential
from hermesd.domain.creation import Shared, shared_credentials
from hermesd.domain.profile import Home, ProfileName
from hermesd.services.gatewayviews import GatewayViews
from hermesd.services.homes import KnownHomes
from hermesd.services.runtimes import Runtimes


class Sharing:
    """Compares the bot credentials of profiles."""

    def __init__(self, homes: KnownHomes, runtimes: Runtimes, views: GatewayViews) -> None:
        self._homes = homes
        self._runtimes = runtimes
        self._views = views

    async def of_home(self, home: Home) -> tuple[Shared, ...]:
        """What a profile's home has in common with other profiles."""
        own = await asyncio.to_thread(self._runtimes.agent_of(home.name).credentials, home)
        return await self.of(home.name, own)

    async def of(self, name: ProfileName, own: Iterable[Credential]) -> tuple[Shared, ...]:
        """Which of these credentials, those of a profile or of one to be, other profiles have too."""
        own = tuple(own)
        if not own:
            return ()
        others = [known.home for known in await self._homes.scan() if known.home.name != name]
        return shared_credentials(own, await asyncio.to_thread(self._credentials, others))

    async def warnings(self, home: Home) -> list[str]:
        """What a person has to know of what a new profile shares: with whom, what follows and the ways out."""
        holders: dict[tuple[str, str], list[ProfileName]] = {}
        for holder, variables in _by_holder(await self.of_home(home)).items():
            holders.setdefault((variables, await self._consequence(holder, home.name)), []).append(holder)
        told = [
            f"shared with {', '.join(map(str, sorted(names)))}: {variables}; {consequence}"
            for (variables, consequence), names in holders.items()
        ]
        if told:
            told.append(
                f"to give {home.name} bots of its own, edit {home.path / '.env'}, "
                "or clone again with --channels strip"
            )
        return told

    async def _consequence(self, holder: ProfileName, name: ProfileName) -> str:
        """What becomes of gateways with one bot (hermes-agent 0.19.0: the second asks again and again)."""
        view = await self._views.get(holder)
        if view.record.process is None and view.foreign_pid is None:
            return "of their gateways, only one can be connected at a time"
        return (
            f"the gateway of {holder} runs, so that of {name} will not get through until {holder} stops "
            f"or restarts, and then {holder} may not"
        )

    def _credentials(self, homes: Iterable[Home]) -> dict[ProfileName, list[Credential]]:
        return {home.name: self._runtimes.agent_of(home.name).credentials(home) for home in homes}


def _by_holder(shared: Iterable[Shared]) -> dict[ProfileName, str]:
    """The variables that each other profile has in common with this one, in words."""
    found: dict[ProfileName, list[str]] = {}
    for one in shared:
        for holder in one.profiles:
            found.setdefault(holder, []).append(one.credential.variable)
    return {holder: ", ".join(variables) for holder, variables in sorted(found.items())}
