"""Creation: a profile comes to be, blank or out of another one.

Owns: the order of the steps that carry out a plan, and how a creation goes on that was cut off. Until the home is
published, by one rename, a failure leaves nothing; from then on the profile is there, and what could not be added
is told. Must not know files or formats.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from hermesd.domain import layout
from hermesd.domain.agent import Agent, ModelEndpoint, Setup
from hermesd.domain.creation import CreationPlan, NewProfile
from hermesd.domain.errors import Cancelled, ConfigInvalid
from hermesd.domain.listening import PortMove
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from hermesd.services.aliases import add_alias
from hermesd.services.creation_plans import KIND, CreationPlans, Order, is_seeded
from hermesd.services.events import Events
from hermesd.services.homes import KnownHomes, home_gone, refuse_other
from hermesd.services.listening import Listening
from hermesd.services.operations import Job, Operations, Request, Resume, Resumption, Work
from hermesd.services.runtimes import Runtimes
from hermesd.services.sharing import Sharing
from hermesd.services.skills import Skills

UNPUBLISHED = HomeIdentity(0, 0, 0)
"""Stands for the identity of a home that nobody can find yet."""


class Creations:
    """Makes profiles."""

    def __init__(
        self,
        ports: Ports,
        events: Events,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        plans: CreationPlans,
        sharing: Sharing,
        skills: Skills,
        listening: Listening,
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._plans = plans
        self._sharing = sharing
        self._skills = skills
        self._listening = listening

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        return {KIND: self._resume}

    async def plan(self, new: NewProfile) -> CreationPlan:
        """What `create` would do. Changes nothing.

        Raises:
            HermesError: as `create`.
        """
        _, plan = await self._plans.prepared(new)
        return plan

    async def create(self, new: NewProfile, requester: str) -> Operation:
        """Makes a profile and its alias.

        Raises:
            ArgumentInvalid: what is asked for contradicts itself.
            ProfileExists: something has the name.
            ProfileNotFound: there is nothing to clone.
            ProfileBusy: something works on the name, or changes what is to be cloned.
            ConfigInvalid, NotPermitted: the source cannot be read, or no home be made.
        """
        if begun := self._operations.under_way(lambda one: _is_for(one, new)):
            return begun
        order, _ = await self._plans.prepared(new)
        return await self._operations.start(order.request, requester, self._creating(order, is_resumed=False))

    def _creating(self, order: Order, *, is_resumed: bool) -> Work:
        """The steps of a creation. Each may have been done already by a daemon that died."""

        async def work(job: Job) -> None:
            new = order.new
            home = await asyncio.to_thread(self._ports.homes.find, new.name) if is_resumed else None
            if home is None:
                home = await self._make(order, job)
            if new.source is not None:
                job.report("settle")
                await job.attempt(self._settle(new.source, home, job), "what is kept beside profiles")
                await job.attempt(self._tell_shared(home, job), "what it shares")
            if new.with_alias:
                job.report("alias")
                await add_alias(self._ports, new.name, job)
            await job.attempt(self._record(new, job), "the history")

        return work

    async def _make(self, order: Order, job: Job) -> Home:
        """Builds and publishes the home; a failure leaves nothing."""
        new, source = order.new, await self._source(order)
        job.report("copy" if source else "create", f"from {new.source}" if source else "")
        await self._homes.make_way(new.name)
        bundled = await self._skills.bundled_for(new.name)
        files = layout.fresh_files(description=new.description, with_skills=new.with_skills)
        create = self._ports.homes.create
        told: dict[Path, list[str]] = {}
        async with self._listening.promised(source, new.order) as moves:

            def fill(staged: Path) -> None:
                told[staged] = self._fill(new, source, Home(new.name, staged, UNPUBLISHED), bundled, moves, job)

            home = await asyncio.to_thread(create, new.name, files, layout.DIRECTORIES, fill=fill)
        for staged, sentences in told.items():
            for sentence in sentences:
                job.warn(sentence.replace(str(staged), str(home.path)))
        return home

    def _fill(
        self,
        new: NewProfile,
        source: Home | None,
        staged: Home,
        bundled: Sequence[Path],
        moves: Sequence[PortMove],
        job: Job,
    ) -> list[str]:
        """Makes a fresh home what was asked for, while nobody can see it; runs in a thread."""
        agent, told = self._runtimes.agent_of(new.name), list[str]()
        if source is not None:
            refuse_other(self._ports, source)
            told = agent.clone(source, new.name, staged.path, new.order, lambda: job.is_cancelled)
            refuse_other(self._ports, source)
            told += _moved(agent, staged, moves)
        if new.model:
            agent.set_up(staged, Setup(ModelEndpoint(new.model)), taken_ports=frozenset())
        if is_seeded(new):
            self._ports.skills.sync(staged.path, bundled)
        if job.is_cancelled:
            raise Cancelled(f"the creation of '{new.name}' was cancelled", profile=new.name.text)
        return told

    async def _source(self, order: Order) -> Home | None:
        """What is cloned, as it is now; raises `ProfileNotFound` if it is not the profile that was meant."""
        if order.new.source is None:
            return None
        known = await self._homes.get(order.new.source)
        if known.id != order.source_id:
            raise home_gone(known.home.name)
        return known.home

    async def _settle(self, source: ProfileName, home: Home, job: Job) -> None:
        known = await self._homes.get(source)
        agent = self._runtimes.agent_of(home.name)
        for sentence in await asyncio.to_thread(agent.settle_clone, known.home, home):
            job.warn(sentence)

    async def _tell_shared(self, home: Home, job: Job) -> None:
        for sentence in await self._sharing.warnings(home):
            job.warn(sentence)

    async def _record(self, new: NewProfile, job: Job) -> None:
        origin = {"source": new.source.text} if new.source else {}
        message = f"profile {new.name} was created" + (f" from {new.source}" if new.source else "")
        await self._events.record("profile.created", message, profile=new.name.text, **origin, **job.asked)

    def _resume(self, operation: Operation) -> Resumption | None:
        order = Order.read(operation.profile, operation.parameters)
        return Resumption(self._creating(order, is_resumed=True), source_profile=order.request.source_profile)


def _moved(agent: Agent, staged: Home, moves: Sequence[PortMove]) -> list[str]:
    """Gives a clone ports of its own. One whose files cannot be changed safely is worth having all the same."""
    try:
        return list(map(str, agent.move_ports(staged, moves)))
    except ConfigInvalid as error:
        return [f"{error.message}: {move.holder} has port {move.claim.port} too" for move in moves]


def _is_for(request: Request, new: NewProfile) -> bool:
    """Whether a request that runs asks for exactly this."""
    return (request.kind, request.profile) == (KIND, new.name.text) and (
        Order.read(request.profile, request.parameters).new == new
    )
