"""Which profiles there are, by name and by stable id.

Owns: the binding of names, homes and ids. Must not know what is in a home.
"""

import asyncio
from dataclasses import dataclass

from hermesd.domain.errors import ProfileNotFound
from hermesd.domain.ports import Homes, Store
from hermesd.domain.profile import Home, HomeIdentity, ProfileName, closest


@dataclass(frozen=True)
class Identified:
    """A home and the stable id bound to it."""

    home: Home
    id: str


class KnownHomes:
    """Finds homes; every look is at the directory tree itself."""

    def __init__(self, homes: Homes, store: Store) -> None:
        self._homes = homes
        self._store = store
        self._ids: dict[HomeIdentity, str] = {}
        self._last: dict[str, Home] = {}
        """Where the home of an id was last seen."""

    async def scan(self) -> list[Identified]:
        """Every profile, the default first, then by name."""
        homes = await asyncio.to_thread(self._homes.scan)
        return [await self._identified(home) for home in homes]

    async def get(self, name: ProfileName) -> Identified:
        """One profile.

        Raises:
            ProfileNotFound: there is none; it names the closest ones.
        """
        home = await asyncio.to_thread(self._homes.find, name)
        if home is None:
            raise await self._not_found(name)
        return await self._identified(home)

    async def home_of(self, profile_id: str) -> Home:
        """The home that a stable id is bound to, whatever it is called now.

        It is looked for where it was last, and everywhere only if it is there no more: every start asks this.

        Raises:
            ProfileNotFound: it is gone.
        """
        last = self._last.get(profile_id)
        if last is not None and await asyncio.to_thread(self._homes.find, last.name) == last:
            return last
        for known in await self.scan():
            if known.id == profile_id:
                return known.home
        raise ProfileNotFound("the profile's home is gone")

    async def forget(self, known: Identified) -> None:
        """Drops the id of a home that is gone, with all that is remembered under it."""
        self._ids.pop(known.home.identity, None)
        self._last.pop(known.id, None)
        await self._store.forget_profile(known.id)

    async def _identified(self, home: Home) -> Identified:
        if home.identity not in self._ids:
            self._ids[home.identity] = await self._store.profile_id(home.identity)
        known = Identified(home, self._ids[home.identity])
        self._last[known.id] = home
        return known

    async def _not_found(self, name: ProfileName) -> ProfileNotFound:
        known = [home.name for home in await asyncio.to_thread(self._homes.scan)]
        near = closest(name.text, known)
        hint = f"did you mean {' or '.join(repr(other) for other in near)}?" if near else ""
        return ProfileNotFound(
            f"there is no profile '{name}'",
            hint=hint,
            fixes=["hermesctl profile list"],
            profile=name.text,
            closest=", ".join(near),
        )
