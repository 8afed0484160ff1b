"""Aliases: commands that call hermesctl for one profile.

Owns: which of them may be made and removed, and what is said of those that others wrote. Must not know files.
"""

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from hermesd.domain.alias import Alias, parse_name
from hermesd.domain.errors import AliasTaken, HermesError, NotFound
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.services.events import Events
from hermesd.services.homes import KnownHomes
from hermesd.services.operations import Job, Operations


@dataclass(frozen=True)
class AliasView:
    """An alias as it is shown."""

    alias: Alias
    has_profile: bool


async def add_alias(ports: Ports, name: ProfileName, job: Job) -> None:
    """Gives a profile that was just made the command of its name; that it cannot have it is told, and no more."""
    try:
        await asyncio.to_thread(ports.aliases.create, name.text, name)
    except HermesError as error:
        job.warn(f"no alias: {error.message}; use hermesctl -p {name}")


class Aliases:
    """Lists, makes and removes aliases."""

    def __init__(self, ports: Ports, events: Events, operations: Operations, homes: KnownHomes) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes

    @property
    def directory(self) -> str:
        """Where aliases are made."""
        return str(self._ports.aliases.directory)

    @property
    def is_on_path(self) -> bool:
        """Whether commands there are found, by the daemon's own PATH."""
        return self._ports.aliases.is_on_path

    async def all(self, profile: ProfileName | None = None) -> list[AliasView]:
        """Every alias, or those of one profile, by name."""
        found = await asyncio.to_thread(self._ports.aliases.scan)
        names = {known.home.name for known in await self._homes.scan()}
        return [AliasView(one, one.profile in names) for one in found if profile in (None, one.profile)]

    async def create(self, profile: ProfileName, name: str, requester: str = "") -> AliasView:
        """Makes an alias, called as the profile where `name` is empty; what is as asked stays.

        Raises:
            ArgumentInvalid: the name is none.
            ProfileNotFound: there is no such profile.
            AliasTaken: the name is another command, or somebody else's file.
            ProfileBusy: the profile is being changed.
        """
        wanted = parse_name(name or profile.text)
        await self._homes.get(profile)
        self._operations.refuse_if_changing(profile.text)
        is_new = not any(one.alias.name == wanted for one in await self.all(profile))
        made = await asyncio.to_thread(self._ports.aliases.create, wanted, profile)
        if is_new:
            await self._record(f"'{wanted}' calls profile {profile}", profile, requester)
        return AliasView(made, has_profile=True)

    async def remove(self, profile: ProfileName, name: str, requester: str = "") -> list[AliasView]:
        """Removes one alias of a profile, or all where `name` is empty; the profile may be gone.

        Raises:
            NotFound: there is none that could be removed.
            AliasTaken: it is not hermesd's.
            ProfileBusy: the profile is being changed.
        """
        self._operations.refuse_if_changing(profile.text)
        found = await self.all()
        going = _named(found, profile, name) if name else _ours(found, profile)
        for one in going:
            await asyncio.to_thread(self._ports.aliases.remove, one.alias)
            await self._record(f"'{one.alias.name}' calls profile {profile} no more", profile, requester)
        return going

    async def _record(self, told: str, profile: ProfileName, requester: str) -> None:
        await self._events.record("profile.alias", told, profile=profile.text, requester=requester)


def _named(found: Sequence[AliasView], profile: ProfileName, name: str) -> list[AliasView]:
    """The one alias that is meant."""
    meant = [one for one in found if one.alias.name == name]
    if not meant:
        raise NotFound(
            f"there is no alias '{name}'",
            fixes=[f"hermesctl profile alias {profile} --list"],
            profile=profile.text,
        )
    alias = meant[0].alias
    if alias.profile != profile:
        raise NotFound(
            f"cannot remove the alias '{name}': it is one of '{alias.profile}', not of '{profile}'",
            fixes=[f"hermesctl profile alias {alias.profile} --name {name} --remove"],
            profile=profile.text,
        )
    if not alias.is_ours:
        raise AliasTaken(
            f"cannot remove the alias '{name}': hermesd did not write {alias.path}",
            fixes=[f"rm {shlex.quote(str(alias.path))}"],
            path=str(alias.path),
        )
    return meant


def _ours(found: Sequence[AliasView], profile: ProfileName) -> list[AliasView]:
    """All that may be removed of a profile's."""
    own = [one for one in found if one.alias.profile == profile]
    going = [one for one in own if one.alias.is_ours]
    if not going:
        others = [f"rm {shlex.quote(str(one.alias.path))}" for one in own]
        raise NotFound(
            f"profile '{profile}' has no alias of hermesd's",
            hint="others wrote those that there are" if others else "",
            fixes=others or ["hermesctl profile alias --list"],
            profile=profile.text,
        )
    return going
