"""Gateways as people ask for them: started, stopped, shown and explained.

Owns: what must be true before a wish is written, and when an operation counts as done. Must not know how a keeper
does its work.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from hermesd.domain.budget import DAY_S, HOUR_S, Budget, used
from hermesd.domain.dump import Dump
from hermesd.domain.errors import (
    ArgumentInvalid,
    Cancelled,
    GatewayCrashed,
    GatewayMisconfigured,
    GatewayNotReady,
    GatewayStuck,
    HermesError,
    PortInUse,
)
from hermesd.domain.fleet import NO_CHANNEL
from hermesd.domain.gateway import LIVE, Event, State
from hermesd.domain.health import Condition, Health
from hermesd.domain.operation import Happening, Operation, OperationState
from hermesd.domain.ports import GatewayRecord, Ports
from hermesd.domain.process import ExitCause, ExitStatus, Foreign, LastExit
from hermesd.domain.profile import ProfileName
from hermesd.domain.samples import Sample
from hermesd.domain.settings import Settings
from hermesd.services.drains import Drains
from hermesd.services.events import Events
from hermesd.services.foreign import foreign_error, start_command
from hermesd.services.healthviews import HealthView, view_health
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.keeper import EXITED, Keeper
from hermesd.services.keepers import Keepers
from hermesd.services.operations import Job, Operations, Request
from hermesd.services.runtimes import Runtimes
from hermesd.services.samples import Samples

NOT_STARTING = frozenset({State.BACKOFF, State.PARKED, State.FAILED})
"""States that mean that the start at hand did not work, whatever is tried later."""

EXPLAINED = 10
"""Ends and lines that an explanation holds at most."""

MOST_LINES = 100_000
"""Lines of captured output that one call can ask for."""


@dataclass(frozen=True)
class GatewayView:
    """A gateway as it is shown."""

    name: ProfileName
    record: GatewayRecord
    foreign: Foreign | None
    """The gateway that somebody else started."""
    log_path: str
    budget: Budget
    used_in_hour: int
    """Starts charged to the rolling hour."""
    used_in_day: int
    """Starts charged to the rolling day."""
    warnings: tuple[str, ...]
    """What is asked for and is not given to the process that runs."""
    health: HealthView | None = None
    """How it is doing; `None` unless it is up and was looked at."""
    usage: Sample | None = None
    """What it used when it was last looked at."""

    @property
    def foreign_pid(self) -> int | None:
        """Pid of the gateway that somebody else started."""
        return None if self.foreign is None else self.foreign.pid


@dataclass(frozen=True)
class Explanation:
    """Why a gateway is as it is."""

    view: GatewayView
    exits: Sequence[LastExit]
    """Its last ends, newest first."""
    last_lines: Sequence[str]
    """The last lines it wrote, oldest first."""
    dumps: Sequence[Dump] = ()
    """What was kept of processes before they were ended, newest first."""


class Gateways:
    """Starts, stops and shows gateways."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        events: Events,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        keepers: Keepers,
        samples: Samples,
    ) -> None:
        self._ports = ports
        self._policy = settings.policy
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._keepers = keepers
        self._drains = Drains(ports, runtimes)
        self._samples = samples

    async def all(self) -> list[GatewayView]:
        """The gateway of every profile."""
        return await self._views(await self._homes.scan())

    async def get(self, name: ProfileName) -> GatewayView:
        """The gateway of one profile.

        Raises:
            ProfileNotFound: there is no such profile.
        """
        return await self.view(await self._homes.get(name))

    async def view(self, known: Identified) -> GatewayView:
        """The gateway of a home as it is now."""
        (view,) = await self._views([known])
        return view

    async def _views(self, homes: Sequence[Identified]) -> list[GatewayView]:
        """Gateways as they are now; homes are looked into in one thread, whose turn costs more than the look."""
        kept = [(known, self._keepers.record_of(known.id)) for known in homes]
        resting = [(known, record) for known, record in kept if record.gateway.state not in LIVE]
        foreign = await asyncio.to_thread(self._foreign, resting) if resting else {}
        return [self._view(known, record, foreign.get(known.id)) for known, record in kept]

    def _foreign(self, resting: Sequence[tuple[Identified, GatewayRecord]]) -> dict[str, Foreign | None]:
        """By profile id."""
        agents = [self._runtimes.agent_of(known.home.name) for known, _ in resting]
        return {
            known.id: agent.foreign_gateway(known.home, record.process)
            for agent, (known, record) in zip(agents, resting, strict=True)
        }

    def _view(self, known: Identified, record: GatewayRecord, foreign: Foreign | None) -> GatewayView:
        log_path = str(self._ports.logs.path(known.id))
        now_s = self._ports.clock.now_s()
        return GatewayView(
            known.home.name,
            record,
            foreign,
            log_path,
            self._policy.budget,
            used_in_hour=used(record.starts_s, now_s, HOUR_S),
            used_in_day=used(record.starts_s, now_s, DAY_S),
            warnings=self._keepers.warnings_of(known.id),
            health=self._health(known.id),
            usage=self._samples.latest(known.id, record.process),
        )

    def _health(self, profile_id: str) -> HealthView | None:
        vitals = self._keepers.vitals_of(profile_id)
        if vitals is None:
            return None
        age_s = self._ports.processes.age_s(vitals.process)
        return view_health(
            vitals, self._ports.clock, process_age_s=age_s, silent_after_s=self._policy.hung_after_s
        )

    async def start(self, name: ProfileName, requester: str) -> Operation:
        """Wishes the gateway up and follows it until it is ready.

        Raises:
            ProfileNotFound, RuntimeMissing, ConfigInvalid, PortInUse, GatewayForeign: it could not start, and
                the wish is as it was.
        """
        keeper = await self._checked(name)
        return await self._begin("gateway.start", name, requester, lambda job: self._start_for_person(keeper, job))

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
        keeper = await self._checked(name)
        return await self._begin("gateway.restart", name, requester, lambda job: self._restart(keeper, job))

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
        return await self.view(known)

    async def explain(self, name: ProfileName) -> Explanation:
        """Why the gateway is as it is: its last ends and its last words.

        Raises:
            ProfileNotFound: there is no such profile.
        """
        known = await self._homes.get(name)
        told = await self._ports.store.events(after=0, profile=name.text, limit=EXPLAINED, kinds=[EXITED])
        lines = await self._last_lines(known, EXPLAINED)
        dumps = await asyncio.to_thread(self._ports.dumps.of, known.id)
        return Explanation(await self.view(known), [_exit_of(event) for event in reversed(told)], lines, dumps)

    async def read_log(self, name: ProfileName, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """The last lines of a gateway's captured output, then, with `follow`, new ones as they come.

        Raises:
            ProfileNotFound: there is no such profile.
            ArgumentInvalid: `lines` is above `MOST_LINES`.
        """
        if lines > MOST_LINES:
            raise ArgumentInvalid(f"{lines} lines are more than can be sent", hint=f"ask for at most {MOST_LINES}")
        known = await self._homes.get(name)
        if follow:
            masking = self._runtimes.agent_of(name).masking(known.home)
            async for line in self._ports.logs.follow(known.id, lines):
                yield masking(line)
            return
        for line in await self._last_lines(known, lines):
            yield line

    async def _last_lines(self, known: Identified, lines: int) -> list[str]:
        """The last captured ones, without the secrets that an agent may have told."""
        masking = self._runtimes.agent_of(known.home.name).masking(known.home)

        def read() -> list[str]:
            return [masking(line) for line in self._ports.logs.tail(known.id, lines)]

        return await asyncio.to_thread(read)

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
                raise _stuck(keeper)
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
        await keeper.command(Event.START, job.asked)
        await self._warn_of_silence(keeper, job)
        await self._until_ready(keeper, job)

    async def _warn_of_silence(self, keeper: Keeper, job: Job) -> None:
        agent = self._runtimes.agent_of(keeper.home.name)
        if not (await asyncio.to_thread(agent.facts, keeper.home)).channels:
            job.warn(NO_CHANNEL)

    async def _start(self, keeper: Keeper, job: Job) -> None:
        await keeper.command(Event.START, job.asked)
        await self._until_ready(keeper, job)

    async def _restart(self, keeper: Keeper, job: Job) -> None:
        await job.attempt(self._drains.take_back(keeper))
        replaced = keeper.record.spawn_id
        await keeper.command(Event.RESTART, job.asked)
        await self._warn_of_silence(keeper, job)
        await self._until_ready(keeper, job, replaced=replaced)

    async def _until_ready(self, keeper: Keeper, job: Job, *, replaced: str = "") -> None:
        """Follows a start to its end. That the `replaced` process is still ready does not count."""
        attempts = keeper.record.gateway.attempts
        while True:
            record = keeper.record
            state = record.gateway.state
            health = keeper.vitals.health if keeper.is_up and keeper.vitals else Health()
            job.report(_phase(record), health.detail or record.detail)
            if not record.gateway.wanted_up:
                raise Cancelled("a later command stopped the gateway", profile=keeper.home.name.text)
            if state is State.RUNNING and (not replaced or record.spawn_id != replaced):
                if health.condition is not Condition.WELL:
                    job.warn(f"up, but {health.condition}: {health.detail}")
                for warning in keeper.warnings:
                    job.warn(warning)
                return
            is_second_try = state is State.STARTING and record.gateway.attempts > attempts
            if state in NOT_STARTING or is_second_try:
                raise _start_failure(keeper)
            await keeper.changed()

    async def _stop(self, keeper: Keeper, job: Job) -> None:
        await keeper.command(Event.STOP, job.asked)
        killing_since_s: float | None = None
        while keeper.record.gateway.state is not State.STOPPED:
            if keeper.record.gateway.wanted_up:
                raise Cancelled("a later command started the gateway", profile=keeper.home.name.text)
            job.report(_phase(keeper.record))
            if keeper.record.gateway.state is State.KILLING:
                now_s = self._ports.clock.monotonic_s()
                killing_since_s = now_s if killing_since_s is None else killing_since_s
                if now_s - killing_since_s >= self._policy.stuck_s:
                    raise _stuck(keeper)
            await keeper.changed()

    async def _checked(self, name: ProfileName) -> Keeper:
        """The keeper of a profile whose gateway could start now."""
        known = await self._homes.get(name)
        self._operations.refuse_if_changing(name.text)
        choice = await self._runtimes.choice_for(name)
        keeper = await self._keepers.of(known)
        is_live = keeper.record.gateway.state in LIVE
        if not is_live:
            await self._keepers.refuse_predecessor(keeper)
            await self._refuse_foreign(keeper, start_command(keeper.home), deed="start")
        await asyncio.to_thread(choice.agent.check, known.home, is_running=is_live)
        return keeper

    async def _refuse_foreign(self, keeper: Keeper, *then: str, deed: str = "end") -> None:
        """`then` is what to run once it has ended."""
        agent = self._runtimes.agent_of(keeper.home.name)
        own = keeper.record.process
        if foreign := await asyncio.to_thread(agent.foreign_gateway, keeper.home, own):
            raise foreign_error(keeper.home, foreign, *then, deed=deed)


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancels a task and returns once it has let go of everything."""
    task.cancel()
    await asyncio.wait({task})


def _exit_of(event: Happening) -> LastExit:
    """The end that an event tells."""
    facts = event.facts
    code, number = facts.get("code"), facts.get("signal")
    status = ExitStatus(int(code) if code else None, int(number) if number else None)
    return LastExit(ExitCause(facts["cause"]), status, facts["detail"], event.at_s)


def _phase(record: GatewayRecord) -> str:
    return "ready" if record.gateway.state is State.RUNNING else record.gateway.state.value


def _start_failure(keeper: Keeper) -> HermesError:
    """Why a start failed, as the person who asked for it is told."""
    if keeper.failure is not None:
        return keeper.failure
    name = keeper.home.name.text
    end = keeper.record.last_exit
    cause = end.cause if end else ExitCause.UNKNOWN
    kind = FAILURES.get(cause, GatewayCrashed)
    ended = f"it ended with {end.status}" if end and end.status != ExitStatus() else f"cause: {cause}"
    why = ". ".join(part for part in (end.detail if end else "", ended) if part)
    hint = (
        "it waits for you" if keeper.record.gateway.state is State.FAILED else "it will be tried again by itself"
    )
    return kind(
        f"gateway '{name}' did not start",
        hint=hint,
        fixes=[f"hermesctl gateway logs {name}", f"hermesctl gateway start {name}"],
        why=why,
        profile=name,
    )


def _stuck(keeper: Keeper) -> GatewayStuck:
    name = keeper.home.name.text
    pid = keeper.record.process.pid if keeper.record.process else 0
    return GatewayStuck(
        f"gateway '{name}' did not end",
        hint="its process survives SIGKILL, as one does that waits for a broken disk or network mount",
        fixes=[f"hermesctl gateway status {name}"],
        profile=name,
        pid=str(pid),
    )


FAILURES: Mapping[ExitCause, type[HermesError]] = {
    ExitCause.PORT_TAKEN: PortInUse,
    ExitCause.MISCONFIGURED: GatewayMisconfigured,
    ExitCause.START_TIMEOUT: GatewayNotReady,
}
"""The failure that a cause of exit stands for; any other is a crash."""
