"""Gateways as people ask for them: started, stopped, drained, held and enabled.

Owns: what must be true before a wish is written. Must not know how a keeper does its work, how a gateway is shown,
or when what was asked for counts as done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from hermesd.domain.claims import distinct
from hermesd.domain.errors import HermesError
from hermesd.domain.findings import listed
from hermesd.domain.fleet import NO_CHANNEL
from hermesd.domain.gateway import LIVE, Event, State
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import Settings
from hermesd.services.claims import Claims
from hermesd.services.drains import Drains
from hermesd.services.events import Events
from hermesd.services.foreign import foreign_error, start_command
from hermesd.services.gatewayviews import GatewayView, GatewayViews
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.keeper import Keeper
from hermesd.services.keepers import Keepers
from hermesd.services.listening import Listening
from hermesd.services.operations import Job, Operations, Request
from hermesd.services.outcomes import stuck, until_ready, until_stopped
from hermesd.services.runtimes import Runtimes


class Gateways:
    """Changes single gateways."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        events: Events,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        keepers: Keepers,
        views: GatewayViews,
        drains: Drains,
        claims: Claims,
        listening: Listening,
    ) -> None:
        self._ports = ports
        self._policy = settings.policy
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._keepers = keepers
        self._drains = drains
        self._claims = claims
        self._listening = listening
        self._views = views

    async def start(self, name: ProfileName, requester: str) -> Operation:
        """Wishes the gateway up and follows it until it is ready.

        Raises:
            ProfileNotFound, RuntimeMissing, ConfigInvalid, PortInUse, GatewayForeign: it could not start, and
                the wish is as it was.
        """
        told: list[str] = []
        keeper = await self._checked(name, told)

        async def work(job: Job) -> None:
            _warn(job, told)
            await self._start_for_person(keeper, job)

        return await self._begin("gateway.start", name, requester, work)

    async def stop(self, name: ProfileName, requester: str) -> Operation:
        """Wishes the gateway down and follows it until its process is gone.

        Raises:
            ProfileNotFound: there is no such profile.
            GatewayForeign: the gateway that runs is not hermesd's to stop.
        """
        known = await self._homes.get(name)
        keeper = await self._keepers.of(known)
        if keeper.record.gateway.state not in LIVE:
            await self._refuse_foreign(keeper, deed="stop")
        return await self._begin("gateway.stop", name, requester, lambda job: self._stop(keeper, job))

    async def restart(self, name: ProfileName, requester: str) -> Operation:
        """Ends the gateway if it runs, starts it and follows it until it is ready.

        Raises:
            ProfileNotFound, RuntimeMissing, ConfigInvalid, PortInUse, GatewayForeign: it could not start
                again, and nothing was touched.
        """
        told: list[str] = []
        keeper = await self._checked(name, told)

        async def work(job: Job) -> None:
            _warn(job, told)
            await self._restart(keeper, job)

        return await self._begin("gateway.restart", name, requester, work)

    async def drain(self, name: ProfileName, requester: str, *, is_wanted: bool) -> Operation:
        """Has the gateway finish its turns and take no new ones, or take turns again; follows it until it does.

        Raises:
            ProfileNotFound: there is no such profile.
            ProfileBusy: the profile is being changed.
            GatewayNotRunning: it does not run, and nothing was touched.
        """
        keeper = await self._keepers.of(await self._homes.get(name))
        self._drains.refuse_at_rest(keeper)
        kind = "gateway.drain" if is_wanted else "gateway.undrain"
        return await self._begin(
            kind, name, requester, lambda job: self._drains.set(keeper, job, is_wanted=is_wanted)
        )

    async def enable(
        self, name: ProfileName, *, is_enabled: bool, start_order: int | None = None, requester: str = ""
    ) -> GatewayView:
        """Sets whether the gateway is started with the daemon while it is wanted, and its place in line.

        `start_order` is lower for those that come first; `None` leaves it as it is.

        Raises:
            ProfileNotFound: there is no such profile.
            DiskFull, StateCorrupt, NotPermitted: it could not be recorded.
        """
        known = await self._homes.get(name)
        await (await self._keepers.of(known)).enable(is_enabled, start_order)
        word = "enabled" if is_enabled else "disabled"
        message = f"gateway of {name}: {word}"
        await self._events.record(f"gateway.{word}", message, profile=name.text, requester=requester)
        return await self._views.view(known)

    async def forget(self, known: Identified) -> None:
        """Lets go of the gateway of a profile that was deleted, after a `hold`.

        Raises:
            ProfileBusy: something of the gateway still lives.
        """
        await self._keepers.forget(known.id)

    def is_up(self, known: Identified) -> bool:
        """Whether the gateway runs as it is wished, so that whoever takes it down has to start it again."""
        gateway = self._keepers.record_of(known.id).gateway
        return gateway.state in LIVE and gateway.wanted_up

    async def check(self, name: ProfileName) -> None:
        """Refuses what a start would be refused for now.

        Raises:
            ProfileNotFound, ProfileBusy, RuntimeMissing, ConfigInvalid, PortInUse, GatewayForeign: as for `start`.
        """
        await self._checked(name)

    async def hold(self, known: Identified, job: Job) -> None:
        """Ends the gateway of a profile that is moved or deleted, if it runs, and starts none until `release`.

        Raises:
            GatewayForeign, GatewayStuck: it cannot be ended, and is kept as before.
        """
        keeper = await self._keepers.of(known)
        await self._refuse_foreign(keeper)
        job.report("stop gateway")
        facts = await asyncio.to_thread(self._runtimes.agent_of(known.home.name).facts, known.home)
        limit_s = facts.drain_s + self._policy.grace_extra_s + self._policy.stuck_s
        holding = asyncio.create_task(keeper.hold())
        patience = asyncio.create_task(self._ports.clock.sleep_s(limit_s))
        try:
            await asyncio.wait({holding, patience}, return_when=asyncio.FIRST_COMPLETED)
            if not holding.done():
                raise stuck(keeper)
            await holding
        except HermesError:
            await _cancelled(holding)
            await keeper.release()
            raise
        finally:
            holding.cancel()
            patience.cancel()

    async def release(self, known: Identified, job: Job, *, is_up: bool) -> None:
        """Lets a gateway go on after a `hold`; one that was up is started and followed until it is ready.

        Raises:
            HermesError: it did not start.
        """
        keeper = await self._keepers.of(known)
        await keeper.release()
        if is_up:
            await self._start(keeper, job)

    async def _begin(
        self, kind: str, name: ProfileName, requester: str, work: Callable[[Job], Awaitable[None]]
    ) -> Operation:
        """Begins an operation; returns once its wish is recorded, for what a caller was told must survive."""
        current = await self._operations.start(Request(kind, name.text), requester, work)
        async with aclosing(self._operations.watch(current.id)) as states:
            async for current in states:
                if current.progress.phase or current.state is not OperationState.RUNNING:
                    break
        return current

    async def _start_for_person(self, keeper: Keeper, job: Job) -> None:
        """A person who starts a gateway wants it to take turns, and to be told if none can come."""
        await job.attempt(self._drains.end(keeper, job))
        if keeper.record.gateway.state is State.RUNNING:
            await self._warn_of_news(keeper, job)
        await keeper.command(Event.START, job.asked)
        await self._warn_of_silence(keeper, job)
        await until_ready(keeper, job)

    async def _warn_of_silence(self, keeper: Keeper, job: Job) -> None:
        agent = self._runtimes.agent_of(keeper.home.name)
        if not (await asyncio.to_thread(agent.facts, keeper.home)).channels:
            job.warn(NO_CHANNEL)

    async def _warn_of_news(self, keeper: Keeper, job: Job) -> None:
        """Who adds a bot and starts what runs already would wait for that bot for ever."""
        agent = self._runtimes.agent_of(keeper.home.name)
        held = {claim.key for claim in keeper.record.claims}
        named = await asyncio.to_thread(agent.claims, keeper.home)
        if fresh := [claim.source for claim in distinct(named) if claim.key not in held]:
            name = keeper.home.name
            job.warn(
                f"{listed(fresh)} changed since the start; takes effect after: hermesctl gateway restart {name}"
            )

    async def _start(self, keeper: Keeper, job: Job) -> None:
        await keeper.command(Event.START, job.asked)
        await until_ready(keeper, job)

    async def _restart(self, keeper: Keeper, job: Job) -> None:
        await job.attempt(self._drains.take_back(keeper))
        replaced = keeper.record.spawn_id
        await keeper.command(Event.RESTART, job.asked)
        await self._warn_of_silence(keeper, job)
        await until_ready(keeper, job, replaced=replaced)

    async def _stop(self, keeper: Keeper, job: Job) -> None:
        await keeper.command(Event.STOP, job.asked)
        await until_stopped(keeper, job, clock=self._ports.clock, patience_s=self._policy.stuck_s)

    async def _checked(self, name: ProfileName, told: list[str] | None = None) -> Keeper:
        """The keeper of a profile whose gateway could start now.

        With `told`, it is given ports of its own where others have its usual ones, and that is told there.
        """
        known = await self._homes.get(name)
        self._operations.refuse_if_changing(name.text)
        choice = await self._runtimes.choice_for(name)
        keeper = await self._keepers.of(known)
        is_taken = keeper.record.gateway.state in LIVE
        if not is_taken:
            await self._keepers.refuse_predecessor(keeper)
            await self._refuse_foreign(keeper, start_command(keeper.home), deed="start")
            if told is not None:
                told += await self._listening.settle(known)
            is_taken = await self._claims.is_denied(keeper.record, keeper.home)  # it will wait for that port
        await asyncio.to_thread(choice.agent.check, known.home, is_running=is_taken)
        return keeper

    async def _refuse_foreign(self, keeper: Keeper, *then: str, deed: str = "end") -> None:
        """`then` is what to run once it has ended."""
        agent = self._runtimes.agent_of(keeper.home.name)
        own = keeper.record.process
        if foreign := await asyncio.to_thread(agent.foreign_gateway, keeper.home, own):
            raise foreign_error(keeper.home, foreign, *then, deed=deed)


def _warn(job: Job, told: list[str]) -> None:
    for sentence in told:
        job.warn(sentence)


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancels a task and returns once it has let go of everything."""
    task.cancel()
    await asyncio.wait({task})
