"""Descriptions: what each profile is for, as a person or its own agent says.

Owns: that a person's words give way to nobody who was not told to replace them, and that agents are asked one
after the other. Must not know files, or how an agent is asked.
"""

import asyncio
import json
from collections.abc import Mapping

from hermesd.domain.description import Description, parse_description
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.services.events import Events
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.operations import Job, Operations, Request
from hermesd.services.runtimes import Choice, Runtimes

KIND = "profile.describe"


class Descriptions:
    """Writes what profiles are for."""

    def __init__(
        self, ports: Ports, events: Events, operations: Operations, homes: KnownHomes, runtimes: Runtimes
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._asking = asyncio.Lock()
        """Held while an agent is asked: each takes one of the few threads that everything else needs too."""

    async def describe(self, name: ProfileName, text: str, requester: str = "") -> None:
        """Writes what a person says; an empty text takes away what is there.

        Raises:
            ArgumentInvalid: it is no description.
            ProfileNotFound: there is no such profile.
            ProfileBusy: the profile is being changed.
        """
        wanted = Description(parse_description(text))
        known = await self._homes.get(name)
        await self._write(known, wanted, {"requester": requester}, keeps_persons=False)

    async def generate(self, name: ProfileName, *, overwrite: bool, requester: str) -> Operation:
        """Has the profile's own agent write it.

        Nothing of it is resumed: without its process there is no answer, and nothing has been changed.

        Raises:
            ProfileNotFound: there is no such profile.
            RuntimeMissing: nothing is installed that could be asked.
            ArgumentInvalid: a person has described the profile, and that is not to be overwritten.
        """
        known = await self._homes.get(name)
        choice = await self._runtimes.choice_for(name)
        facts = await asyncio.to_thread(choice.agent.facts, known.home)
        if not overwrite and Description(facts.description, facts.description_is_generated).is_persons:
            raise ArgumentInvalid(
                f"cannot have '{name}' described: a person has described it",
                fixes=[f"hermesctl profile describe {name} --auto --overwrite"],
                profile=name.text,
            )

        async def work(job: Job) -> None:
            await self._generate(known, choice, job, overwrite=overwrite)

        return await self._operations.start(Request(KIND, name.text, json.dumps([overwrite])), requester, work)

    async def _generate(self, known: Identified, choice: Choice, job: Job, *, overwrite: bool) -> None:
        if self._asking.locked():
            job.report("wait")
        async with self._asking:
            job.report("ask the agent")
            text = await asyncio.to_thread(
                choice.agent.generate_description,
                choice.runtime,
                known.home,
                self._ports.gateway_environment,
                lambda: job.is_cancelled,
            )
        now = Identified(await self._homes.home_of(known.id), known.id)  # it may have been renamed meanwhile
        await self._write(now, Description(text, is_generated=True), job.asked, keeps_persons=not overwrite)

    async def _write(
        self, known: Identified, wanted: Description, asked: Mapping[str, str], *, keeps_persons: bool
    ) -> None:
        name = known.home.name
        self._operations.refuse_if_changing(name.text)
        agent = self._runtimes.agent_of(name)
        before = await asyncio.to_thread(agent.facts, known.home)
        await asyncio.to_thread(agent.write_description, known.home, wanted, keeps_persons=keeps_persons)
        if wanted == Description(before.description, before.description_is_generated):
            return
        told = f"profile {name} is described" if wanted.text else f"profile {name} has no description"
        await self._events.record("profile.described", told, profile=name.text, **asked)
