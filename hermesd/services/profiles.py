"""Profiles: show, set up, delete and choose them.

Owns: the order of the steps, so that a crash between any two leaves something that the next start finishes or
rolls back. Must not know files or formats.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hermesd.domain.agent import ProfileFacts, Setup
from hermesd.domain.alias import Alias
from hermesd.domain.cloning import Credential
from hermesd.domain.errors import HermesError, ProfileNameInvalid, ProfileNotFound, RuntimeMissing
from hermesd.domain.grants import SharedGrant
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports
from hermesd.domain.profile import DEFAULT, IgnoredEntry, ProfileName, parse_display_name
from hermesd.domain.trash import TrashNote
from hermesd.services.events import Events
from hermesd.services.gateways import Gateways
from hermesd.services.gatewayviews import GatewayView, GatewayViews
from hermesd.services.grants import shared_by_home
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.leftovers import Leftovers
from hermesd.services.listening import Listening
from hermesd.services.operations import Job, Operations, Request, Resume, Resumption, Work
from hermesd.services.runtimes import Runtimes


@dataclass(frozen=True)
class ProfileView:
    """A profile as it is shown."""

    known: Identified
    facts: ProfileFacts
    aliases: tuple[str, ...]
    is_sticky_default: bool
    runtime: str
    gateway: GatewayView
    credentials: tuple[Credential, ...] = ()
    """What platforms know its bots by, where that was asked for."""
    grants: tuple[SharedGrant, ...] = ()
    """Logins that other profiles have too, where that was asked for."""


def refuse_default(name: ProfileName) -> None:
    """Refuses to delete the default profile.

    Raises:
        ProfileNameInvalid: it is the one.
    """
    if name.is_default:
        raise ProfileNameInvalid(
            "the default profile cannot be deleted",
            hint="it is the root that holds all other profiles",
            profile=name.text,
        )


class Profiles:
    """Shows, sets up, deletes and chooses profiles."""

    def __init__(
        self,
        ports: Ports,
        events: Events,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        gateways: Gateways,
        views: GatewayViews,
        leftovers: Leftovers,
        listening: Listening,
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._gateways = gateways
        self._views = views
        self._leftovers = leftovers
        self._listening = listening
        self._choosing = asyncio.Lock()
        """Held while the sticky default is read and written."""

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        return {"profile.delete": self._resume_delete}

    async def all(self) -> list[ProfileView]:
        """Every profile, the default first, then by name."""
        known = await self._homes.scan()
        aliases = await asyncio.to_thread(self._ports.aliases.scan)
        sticky = await asyncio.to_thread(self._ports.homes.sticky_default)
        return [await self._view(one, aliases, sticky) for one in known]

    async def get(self, name: ProfileName) -> ProfileView:
        """One profile.

        Raises:
            ProfileNotFound: there is none.
        """
        known = await self._homes.get(name)
        aliases = await asyncio.to_thread(self._ports.aliases.scan)
        sticky = await asyncio.to_thread(self._ports.homes.sticky_default)
        held = await asyncio.to_thread(self._runtimes.agent_of(name).credentials, known.home)
        grants = await shared_by_home(self._homes, self._runtimes, known.home)
        return replace(await self._view(known, aliases, sticky), credentials=tuple(held), grants=grants)

    async def ignored(self) -> list[IgnoredEntry]:
        """What lies where profiles are and is none.

        Raises:
            NotPermitted: nobody may look there.
        """
        return await asyncio.to_thread(self._ports.homes.ignored)

    async def set_display_name(self, name: ProfileName, text: str, requester: str = "") -> ProfileView:
        """Gives a profile the name it is shown under to people; empty goes back to the one in commands.

        Raises:
            ArgumentInvalid: it is too long or cannot be shown.
            ProfileNotFound: there is no such profile.
            ProfileBusy: it is being changed, and may move.
            ConfigInvalid, Incompatible, DiskFull, NotPermitted: it cannot be written.
        """
        shown = parse_display_name(text)
        known = await self._homes.get(name)
        self._operations.refuse_if_changing(name.text)
        await asyncio.to_thread(self._runtimes.agent_of(name).set_display_name, known.home, shown)
        message = f"profile {name} is shown as {shown}" if shown else f"profile {name} is shown by its name"
        await self._events.record("profile.display_name", message, profile=name.text, requester=requester)
        return await self.get(name)

    async def set_up(self, name: ProfileName, setup: Setup, requester: str) -> Operation:
        """Points a profile at a model and enables its agent's HTTP API.

        Raises:
            ProfileNotFound: there is no such profile.
        """
        known = await self._homes.get(name)
        endpoint = setup.endpoint
        shown = [endpoint.model, endpoint.base_url, endpoint.key_env] if endpoint else []
        parameters = json.dumps([shown, setup.enable_api_server, setup.api_server_port, self._ports.new_id()])

        async def work(job: Job) -> None:
            await self._set_up(known, setup, job)

        request = Request("profile.setup", name.text, parameters, is_exclusive=True)
        return await self._operations.start(request, requester, work)

    async def delete(self, name: ProfileName, *, purge: bool, requester: str) -> Operation:
        """Ends a profile's gateway and removes profile, alias and record.

        Raises:
            ProfileNameInvalid: the default profile cannot be deleted.
            ProfileNotFound: there is no such profile.
        """
        refuse_default(name)
        known = await self._homes.get(name)
        request = Request("profile.delete", name.text, json.dumps([known.id, purge]), is_exclusive=True)
        return await self._operations.start(request, requester, self._deletion(name, known.id, purge=purge))

    async def use(self, name: ProfileName, requester: str = "") -> tuple[ProfileName, ProfileName]:
        """Makes a profile the sticky default; returns the one before and the one now.

        Raises:
            ProfileNotFound: there is no such profile.
        """
        async with self._choosing:
            return await self._use(name, requester)

    async def use_previous(self, requester: str = "") -> tuple[ProfileName, ProfileName]:
        """Goes back to the sticky default before the present one; returns the one left and the one now.

        Raises:
            NotFound: no earlier one is known.
            ProfileNotFound: it has been deleted.
        """
        async with self._choosing:
            return await self._use(await asyncio.to_thread(self._ports.homes.previous_default), requester)

    async def follow_rename(self, before: ProfileName, after: ProfileName) -> None:
        """Makes the sticky default, and the one before it, follow a profile that was renamed.

        Raises:
            DiskFull, NotPermitted: it names the old one.
        """
        async with self._choosing:
            await asyncio.to_thread(self._ports.homes.rename_sticky_default, before, after)

    async def clear_lost_default(self) -> None:
        """Goes back to no sticky default, if the one there is names no profile.

        Raises:
            DiskFull, NotPermitted: it stays.
        """
        default = ProfileName(DEFAULT)
        async with self._choosing:
            if await asyncio.to_thread(self._ports.homes.sticky_default) == default:
                await asyncio.to_thread(self._ports.homes.write_sticky_default, default)

    async def _use(self, name: ProfileName, requester: str) -> tuple[ProfileName, ProfileName]:
        if not name.is_default:
            await self._homes.get(name)
        before = await asyncio.to_thread(self._ports.homes.write_sticky_default, name)
        if before != name:
            message = f"{name} is the sticky default"
            await self._events.record("profile.used", message, profile=name.text, requester=requester)
        return before, name

    async def _view(self, known: Identified, aliases: list[Alias], sticky: ProfileName) -> ProfileView:
        name = known.home.name
        facts = await asyncio.to_thread(self._runtimes.agent_of(name).facts, known.home)
        try:
            runtime = (await self._runtimes.choice_for(name)).runtime.name
        except RuntimeMissing:
            runtime = ""
        return ProfileView(
            known,
            facts,
            tuple(alias.name for alias in aliases if alias.profile == name),
            name == sticky,
            runtime,
            await self._views.view(known),
        )

    async def _set_up(self, known: Identified, setup: Setup, job: Job) -> None:
        name = known.home.name
        job.report("configure")
        agent = self._runtimes.agent_of(name)
        async with self._listening.taken(known) as taken:
            changed = await asyncio.to_thread(agent.set_up, known.home, setup, taken_ports=taken)
        if not changed:
            return
        message = f"profile {name}: {', '.join(changed)}"
        await self._events.record("profile.configured", message, profile=name.text, **job.asked)
        if (await self._views.view(known)).record.process is not None:
            job.warn(f"takes effect after: hermesctl gateway restart {name}")

    def _deletion(self, name: ProfileName, profile_id: str, *, purge: bool) -> Work:
        """The steps of a deletion. Each may have been done already by a daemon that died."""

        async def work(job: Job) -> None:
            known = await self._still_there(name, profile_id)
            if known is not None:
                await self._warn_of_leftovers(known, job)
                await self._take_away(known, job, purge=purge)
            elif await self._lives_elsewhere(profile_id):
                job.warn(f"the profile that was '{name}' has another name by now, and stays")
                return
            await self._homes.forget(profile_id)
            job.report("remove alias")
            await job.attempt(asyncio.to_thread(self._remove_aliases, name))
            if purge:
                await job.attempt(asyncio.to_thread(self._ports.logs.remove, profile_id))
                await job.attempt(asyncio.to_thread(self._ports.dumps.remove, profile_id))
                await job.attempt(asyncio.to_thread(self._ports.versions.remove, profile_id))
                await job.attempt(self._ports.samples.forget(profile_id))
            message = f"profile {name} was deleted"
            await self._events.record("profile.deleted", message, profile=name.text, **job.asked)

        return work

    async def _warn_of_leftovers(self, known: Identified, job: Job) -> None:
        """Before the home goes, while it is known."""
        for leftover in await self._leftovers.of(known):
            job.warn(str(leftover))

    async def _take_away(self, known: Identified, job: Job, *, purge: bool) -> None:
        """Ends the gateway and takes the home out of the tree. A failure leaves both as they were."""
        name, is_up = known.home.name, self._gateways.is_up(known)
        await self._gateways.hold(known, job)
        job.report("remove data")
        try:
            await self._remove_home(known, job, purge=purge)
        except HermesError as error:
            if await self._still_there(name, known.id) is not None:
                await self._gateways.release(known, job, is_up=is_up)
                raise
            job.warn(f"profile '{name}' is gone, but not all of its data: {error.message}")
        await self._gateways.forget(known)

    async def _remove_home(self, known: Identified, job: Job, *, purge: bool) -> None:
        """Nobody chooses it as the sticky default meanwhile, for a dangling one locks hermes-agent's users out."""
        name, homes = known.home.name, self._ports.homes
        async with self._choosing:
            was_sticky = await asyncio.to_thread(homes.sticky_default) == name
            if was_sticky:  # before the home goes: afterwards a dangling default would read as none, and stay
                await asyncio.to_thread(homes.write_sticky_default, ProfileName(DEFAULT))
            try:
                if purge:
                    await asyncio.to_thread(homes.purge, known.home)
                else:
                    note = await asyncio.to_thread(self._trash_note, known, job.operation)
                    await asyncio.to_thread(homes.move_to_trash, known.home, note)
            except HermesError:
                if was_sticky and await self._still_there(name, known.id) is not None:
                    await self._choose_again(name, job)
                raise

    async def _choose_again(self, name: ProfileName, job: Job) -> None:
        try:
            await asyncio.to_thread(self._ports.homes.write_sticky_default, name)
        except HermesError as error:
            job.warn(f"'{name}' is not the sticky default any more: {error.message}")

    async def _still_there(self, name: ProfileName, profile_id: str) -> Identified | None:
        """The profile that is being deleted; `None` once it is out of the way, whoever has its name now."""
        if await asyncio.to_thread(self._ports.homes.find, name) is None:
            return None
        known = await self._homes.get(name)
        return known if known.id == profile_id else None

    async def _lives_elsewhere(self, profile_id: str) -> bool:
        try:
            await self._homes.home_of(profile_id)
        except ProfileNotFound:
            return False
        return True

    def _trash_note(self, known: Identified, operation: Operation) -> TrashNote:
        """What will be needed to bring the profile back, while it is still known."""
        name = known.home.name
        return TrashNote(
            operation.id,
            name,
            operation.started_at_s,
            known.id,
            self._runtimes.agent_of(name).facts(known.home).description,
            tuple(one.name for one in self._ports.aliases.scan() if one.profile == name and one.is_ours),
        )

    def _remove_aliases(self, name: ProfileName) -> None:
        for alias in self._ports.aliases.scan():
            if alias.profile == name and alias.is_ours:
                self._ports.aliases.remove(alias)

    def _resume_delete(self, operation: Operation) -> Resumption | None:
        profile_id, purge = json.loads(operation.parameters)
        return Resumption(self._deletion(ProfileName(operation.profile), profile_id, purge=purge))
