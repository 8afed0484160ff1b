"""Renaming: a profile gets another name, and everything that goes by its name follows.

Owns: the order of the steps, and how a rename goes on that was cut off. A failure before the home has moved undoes
it; from then on it is finished, and what cannot follow is told. Must not know files or formats.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from hermesd.domain.alias import Alias
from hermesd.domain.errors import (
    AliasTaken,
    ConfigInvalid,
    HermesError,
    ProfileExists,
    ProfileNameInvalid,
    ProfileNotFound,
)
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home, ProfileName
from hermesd.services.events import Events
from hermesd.services.gateways import Gateways
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.operations import Job, Operations, Request, Resume, Resumption, Work
from hermesd.services.profiles import Profiles
from hermesd.services.runtimes import Runtimes
from hermesd.services.terminals import Terminals

KIND = "profile.rename"


@dataclass(frozen=True)
class _Plan:
    """What a rename is to do; kept with its operation, for a daemon that goes on with it."""

    before: ProfileName
    after: ProfileName
    profile_id: str
    is_up: bool
    """Whether the gateway ran, so that it is started again."""

    @property
    def parameters(self) -> str:
        return json.dumps([self.after.text, self.profile_id, self.is_up])


class Renames:
    """Gives profiles other names."""

    def __init__(
        self,
        ports: Ports,
        events: Events,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        gateways: Gateways,
        profiles: Profiles,
        terminals: Terminals,
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._gateways = gateways
        self._profiles = profiles
        self._terminals = terminals

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        return {KIND: self._resume}

    async def rename(self, before: ProfileName, after: ProfileName, requester: str) -> Operation:
        """Gives a profile another name; its gateway comes back as it was.

        Raises:
            ProfileNameInvalid: the default profile cannot be renamed.
            ProfileNotFound: there is no such profile.
            ProfileExists: the new name is in use.
            ConfigInvalid: another program would run under the new name.
            HermesError: its gateway runs and could not be started again.
        """
        if before.is_default:
            raise ProfileNameInvalid(
                "the default profile cannot be renamed",
                hint="it is the root that holds all other profiles, and hermes-agent keeps no other name for it",
                profile=before.text,
            )
        meant = (KIND, before.text, after.text)
        if begun := self._operations.under_way(lambda one: (one.kind, one.profile, one.other_profile) == meant):
            return begun
        known = await self._homes.get(before)
        if before == after or await asyncio.to_thread(self._ports.homes.find, after) is not None:
            what = "is its name already" if before == after else "is the name of another profile"
            raise ProfileExists(f"cannot rename '{before}': '{after}' {what}", profile=after.text)
        self._refuse_other_program(before, after)
        plan = _Plan(before, after, known.id, self._gateways.is_up(known))
        if plan.is_up:
            await self._gateways.check(before)
        return await self._operations.start(_request(plan), requester, self._renaming(plan))

    def _renaming(self, plan: _Plan) -> Work:
        """The steps of a rename. Each may have been done already by a daemon that died."""

        async def work(job: Job) -> None:
            known = await self._moved(plan) or await self._move(plan, job)
            await self._follow(plan, known.home, job)
            await self._events.record(
                "profile.renamed",
                f"profile {plan.before} is called {plan.after} now",
                profile=plan.after.text,
                before=plan.before.text,
                **job.asked,
            )
            await job.attempt(
                self._gateways.release(known, job, is_up=plan.is_up),
                f"renamed, but its gateway is not up (see hermesctl gateway why {plan.after})",
            )

        return work

    async def _moved(self, plan: _Plan) -> Identified | None:
        """The profile under its new name, if a daemon that died came that far."""
        if await asyncio.to_thread(self._ports.homes.find, plan.after) is None:
            return None
        known = await self._homes.get(plan.after)
        return known if known.id == plan.profile_id else None

    async def _move(self, plan: _Plan, job: Job) -> Identified:
        """Ends the gateway and moves the home. A failure leaves both as they were."""
        known = await self._homes.get(plan.before)
        if known.id != plan.profile_id:
            raise ProfileNotFound(f"the profile that was '{plan.before}' is gone", profile=plan.before.text)
        await self._gateways.hold(known, job)
        job.report("move data")
        try:
            await asyncio.to_thread(self._ports.homes.move, known.home, plan.after)
        except HermesError:
            await self._gateways.release(known, job, is_up=plan.is_up)
            raise
        return await self._homes.get(plan.after)

    async def _follow(self, plan: _Plan, home: Home, job: Job) -> None:
        """Brings everything else to the new name; what cannot be brought there is told, and hinders nothing."""
        before, after = plan.before, plan.after
        job.report("update names")
        await job.attempt(self._profiles.follow_rename(before, after), "the sticky default")
        await job.attempt(self._follow_in_agent(before, home, job), "what the agent keeps")
        await job.attempt(self._follow_in_aliases(before, after, job), "aliases")
        for terminal in await self._terminals.follow_rename(before, after):
            job.warn(f"'{terminal.verb}' (pid {terminal.process.pid}) still works where '{before}' was: end it")
        if self._runtimes.settings_of(before).limits and not self._runtimes.settings_of(after).limits:
            job.warn(f"the limits of [profile.{before}] in the settings do not hold for [profile.{after}]")

    async def _follow_in_agent(self, before: ProfileName, home: Home, job: Job) -> None:
        agent = self._runtimes.agent_of(home.name)
        earlier = Home(before, home.path.with_name(before.text), home.identity)
        for service in await asyncio.to_thread(agent.leftovers, earlier):
            job.warn(str(service))
        for leftover in await asyncio.to_thread(agent.follow_rename, earlier, home):
            job.warn(leftover)

    async def _follow_in_aliases(self, before: ProfileName, after: ProfileName, job: Job) -> None:
        """The alias called after the profile is renamed, others serve the new name; none serves the old one."""
        for alias in await asyncio.to_thread(self._ports.aliases.scan):
            if alias.profile != before:
                continue
            if not alias.is_ours:
                job.warn(f"{alias.path} is not ours to change and still calls '{before}'")
            if alias.name == before.text:
                await self._rename_alias(alias, after, job)
            else:
                await asyncio.to_thread(self._ports.aliases.repoint, alias, after)

    async def _rename_alias(self, alias: Alias, after: ProfileName, job: Job) -> None:
        """Neither step touches what is not ours."""
        try:
            await asyncio.to_thread(self._ports.aliases.create, after.text, after)
        except AliasTaken as error:
            job.warn(f"no alias: {error.message}; use hermesctl -p {after}")
        await asyncio.to_thread(self._ports.aliases.remove, alias)

    def _refuse_other_program(self, before: ProfileName, after: ProfileName) -> None:
        """The settings go by names, and are a person's: they must name the same program for both."""
        if self._runtimes.settings_of(before).command != self._runtimes.settings_of(after).command:
            raise ConfigInvalid(
                f"cannot rename '{before}': the settings give '{after}' another program",
                hint=f"give [profile.{before}] and [profile.{after}] the same command, then restart the daemon",
                profile=before.text,
            )

    def _resume(self, operation: Operation) -> Resumption | None:
        after, profile_id, is_up = json.loads(operation.parameters)
        plan = _Plan(ProfileName(operation.profile), ProfileName(after), profile_id, is_up)
        return Resumption(self._renaming(plan), other_profile=plan.after.text)


def _request(plan: _Plan) -> Request:
    return Request(KIND, plan.before.text, plan.parameters, is_exclusive=True, other_profile=plan.after.text)
