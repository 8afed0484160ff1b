"""Which profiles there are, by name and by stable id.

Owns: the binding of names, homes and ids. An id stays with its home, whatever that is called; a home that is gone
and comes back from a backup under its name gets its id back. Must not know what is in a home.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.errors import HermesError, ProfileExists, ProfileNotFound
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home, HomeIdentity, ProfileName, closest
from hermesd.domain.record import Binding
from hermesd.services.absences import explain_absence
from hermesd.services.runtimes import Runtimes

log = logging.getLogger(__name__)


Bindings = dict[HomeIdentity, Binding]
"""What the store says of each home, whether it is there or not."""


@dataclass(frozen=True)
class Identified:
    """A home and the stable id bound to it."""

    home: Home
    id: str


class KnownHomes:
    """Finds homes; every look is at the directory tree itself."""

    def __init__(self, ports: Ports, runtimes: Runtimes) -> None:
        self._ports = ports
        self._runtimes = runtimes
        self._bindings: Bindings | None = None
        """What the store says; `None` until it is asked."""
        self._learning = asyncio.Lock()
        """Held while a binding is made, so that no home gets two ids."""
        self._last: dict[str, Home] = {}
        """Where the home of an id was last seen."""

    async def scan(self) -> list[Identified]:
        """Every profile, the default first, then by name."""
        bindings = await self._known()
        homes = await asyncio.to_thread(self._ports.homes.scan)
        if not all(_is_known(home, bindings) for home in homes):
            async with self._learning:
                homes = await asyncio.to_thread(self._ports.homes.scan)
                await self._learn(homes, bindings)
        return [self._identified(home, bindings) for home in homes]

    async def get(self, name: ProfileName) -> Identified:
        """One profile.

        Raises:
            ProfileNotFound: there is none; it names the closest ones.
        """
        bindings = await self._known()
        home = await asyncio.to_thread(self._ports.homes.find, name)
        if home is None:
            raise await self._not_found(name)
        if _is_known(home, bindings):
            return self._identified(home, bindings)
        for known in await self.scan():  # who it is depends on which others there are
            if known.home.name == name:
                return known
        raise await self._not_found(name)

    async def place_for(self, name: ProfileName, *, hint: str = "") -> Path:
        """Where the home of a new profile will be.

        Raises:
            ProfileExists: something has the name; of a profile it is said how to look at it, and `hint`.
            NotPermitted: nothing can be made there.
        """
        try:
            return await asyncio.to_thread(self._ports.homes.place_for, name)
        except ProfileExists as error:
            if await asyncio.to_thread(self._ports.homes.find, name) is None:
                raise  # something that is no profile, which the error names
            fixes = [f"hermesctl profile show {name}"]
            message = f"profile '{name}' exists already"
            raise ProfileExists(message, hint=hint, fixes=fixes, profile=name.text) from error

    async def home_of(self, profile_id: str) -> Home:
        """The home that a stable id is bound to, whatever it is called now.

        It is looked for where it was last, and everywhere only if it is there no more: every start asks this.

        Raises:
            ProfileNotFound: it is gone.
        """
        last = self._last.get(profile_id)
        if last is not None and await asyncio.to_thread(self._ports.homes.find, last.name) == last:
            return last
        for known in await self.scan():
            if known.id == profile_id:
                return known.home
        raise ProfileNotFound("the profile's home is gone")

    async def forget(self, profile_id: str) -> None:
        """Drops the id of a home that is gone for good, with all that is remembered under it.

        Whoever is just learning which homes there are may have seen that one, and would miss its id.
        """
        bindings = await self._known()
        async with self._learning:
            for binding in [one for one in bindings.values() if one.id == profile_id]:
                del bindings[binding.home]
            self._last.pop(profile_id, None)
            await self._ports.store.forget_profile(profile_id)

    async def expect(self, profile_id: str, identity: HomeIdentity, name: ProfileName) -> None:
        """Gives the id of a forgotten profile to the home that is about to be its own again.

        The home is bound before anybody can see it, or it would be taken for a new profile. An id that another
        home has by now stays there.
        """
        bindings = await self._known()
        async with self._learning:
            if all(binding.id != profile_id for binding in bindings.values()):
                await self._bind(Binding(profile_id, identity, name.text), bindings)

    async def lost(self) -> list[Binding]:
        """What is remembered of profiles whose home is nowhere, and whose name nobody else has, by name.

        That no home at all is found says more about the file system than about profiles.
        """
        present = {known.home.identity for known in await self.scan()}
        bindings = (await self._known()).values() if present else []
        gone = [one for one in bindings if one.name and one.home not in present]
        return sorted(gone, key=lambda one: one.name)

    async def make_way(self, name: ProfileName) -> None:
        """Takes a name from whoever had it, before a profile is made that is to have it.

        Else a clone, in which somebody seems to have lived, would be taken for the restored home of a profile that
        hermes-agent deleted, and its gateway would be started as that one's was to be.
        """
        bindings = await self._known()
        async with self._learning:
            for identity, binding in list(bindings.items()):
                if binding.name == name.text:
                    nameless = Binding(binding.id, binding.home, "")
                    await self._ports.store.bind(nameless)
                    bindings[identity] = nameless

    def _identified(self, home: Home, bindings: Bindings) -> Identified:
        known = Identified(home, bindings[home.identity].id)
        self._last[known.id] = home
        return known

    async def _known(self) -> Bindings:
        if self._bindings is None:
            found = {binding.home: binding for binding in await self._ports.store.bindings()}
            if self._bindings is None:  # else somebody who asked at the same time was faster
                self._bindings = found
        return self._bindings

    async def _learn(self, homes: Sequence[Home], bindings: Bindings) -> None:
        """Binds what is new among all homes there are, and records what is called otherwise now.

        Renamed homes come first: a name that one of them has tells nothing of a new home.
        """
        seen = {(home.identity, home.name.text) for home in homes}
        for home in homes:
            binding = bindings.get(home.identity)
            if binding is not None and (home.identity, binding.name) not in seen:
                try:
                    await self._bind(Binding(binding.id, home.identity, home.name.text), bindings)
                except HermesError as error:  # it is the same profile all the same
                    log.error("profile=%s its name is not recorded: %s", home.name, error.message)
        for home in homes:
            if home.identity not in bindings:
                found = await self._predecessor(home, bindings, {identity for identity, _ in seen})
                await self._bind(Binding(found or self._ports.new_id(), home.identity, home.name.text), bindings)

    async def _predecessor(self, home: Home, bindings: Bindings, present: set[HomeIdentity]) -> str:
        """Id of the profile that a new home is the restored one of; empty if it is a new profile.

        It is restored if somebody has lived in it already and the profile of its name has no home any more. A
        blank home under an old name was made anew, by somebody who deleted the old one.
        """
        for binding in bindings.values():
            if binding.name == home.name.text and binding.home not in present:
                agent = self._runtimes.agent_of(home.name)
                if await asyncio.to_thread(agent.is_lived_in, home):
                    log.info("profile=%s id=%s is back in a restored home", home.name, binding.id)
                    return binding.id
        return ""

    async def _bind(self, binding: Binding, bindings: Bindings) -> None:
        """Records a binding, and knows it as the store does from then on."""
        await self._ports.store.bind(binding)
        for identity, other in list(bindings.items()):
            if other.id == binding.id:
                del bindings[identity]
            elif other.name == binding.name:
                bindings[identity] = Binding(other.id, other.home, "")
        bindings[binding.home] = binding

    async def _not_found(self, name: ProfileName) -> ProfileNotFound:
        homes = await asyncio.to_thread(self._ports.homes.scan)
        near = closest(name.text, [home.name for home in homes])
        hint = f"did you mean {' or '.join(repr(other) for other in near)}?" if near else ""
        absence = await explain_absence(self._ports, name, homes, (await self._known()).values())
        return ProfileNotFound(
            f"there is no profile '{name}'",
            hint=absence.message if absence else hint,
            fixes=[absence.fix if absence else "hermesctl profile list"],
            profile=name.text,
            closest="" if absence else ", ".join(near),
        )


def _is_known(home: Home, bindings: Bindings) -> bool:
    """Whether a home has its id already, under the name that it has now."""
    binding = bindings.get(home.identity)
    return binding is not None and binding.name == home.name.text


def refuse_other(ports: Ports, home: Home) -> None:
    """Asked after a home was read: what hermes-agent removes or renames meanwhile was not read whole.

    Raises:
        ProfileNotFound: the home is not the one of its name any more.
    """
    if ports.homes.find(home.name) != home:
        raise home_gone(home.name)


def home_gone(name: ProfileName) -> ProfileNotFound:
    """The failure for a profile whose name is free, or another one's, by now."""
    return ProfileNotFound(f"the profile that was '{name}' is gone", profile=name.text)
