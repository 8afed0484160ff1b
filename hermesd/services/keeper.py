"""The keeper of one gateway: drives its machine.

Owns: one gateway's record, the order of its events, its timer and its watchers. Every step is recorded before
its effects are carried out. Must not know which profiles there are or who asks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from hermesd.domain.errors import (
    ArgumentInvalid,
    GatewayForeign,
    GatewayStuck,
    HermesError,
    Incompatible,
    PortInUse,
    ProfileNotFound,
    RuntimeMissing,
)
from hermesd.domain.gateway import LIVE, Effect, Event, State, Timer, step, timer
from hermesd.domain.policy import Policy, delay_s
from hermesd.domain.ports import GatewayRecord, Ports
from hermesd.domain.process import (
    ExitCause,
    ExitReport,
    ExitStatus,
    LastExit,
    Phase,
    Probe,
    ProcessIdentity,
    SpawnSpec,
)
from hermesd.domain.profile import Home
from hermesd.services.events import Events
from hermesd.services.runtimes import Choice, Runtimes
from hermesd.services.tasks import background

log = logging.getLogger(__name__)

PROBE_STARTING_S = 0.1
"""How often an agent is asked whether it is ready."""

PROBE_DEGRADED_S = 30.0
"""How often an agent that is up in part is asked whether the rest came back."""

SHOWN = {State.RUNNING: "ready", State.KILLING: "stopping"}
"""States that people know by another word."""

COMMANDS = frozenset({Event.START, Event.STOP, Event.RESTART})
IMPOSSIBLE = (RuntimeMissing, Incompatible, ArgumentInvalid)
"""Failures to start that no waiting mends."""


@dataclass
class Fact:
    """Something that happened, on its way to the machine."""

    event: Event
    spawn_id: str = ""
    """The start it belongs to; a fact about an earlier one is dropped. Empty: it concerns the gateway as such."""
    last_exit: LastExit | None = None
    detail: str = ""
    recorded: asyncio.Future[None] | None = None
    """Resolved once the step is recorded; only commands have one."""
    arming: int = 0
    """For TIMER: which arming of the timer rang. One that has been disarmed since is dropped."""


class Keeper:
    """Keeps one gateway the way its wish says."""

    def __init__(
        self,
        record: GatewayRecord,
        home: Home,
        *,
        ports: Ports,
        policy: Policy,
        runtimes: Runtimes,
        events: Events,
        find_home: Callable[[str], Awaitable[Home]],
    ) -> None:
        self.record = record
        self.home = home
        self.failure: HermesError | None = None
        """Why the last start could not even be made."""
        self._ports = ports
        self._policy = policy
        self._runtimes = runtimes
        self._events = events
        self._find_home = find_home
        self._facts: asyncio.Queue[Fact] = asyncio.Queue()
        self._timer: asyncio.Task[None] | None = None
        self._arming = 0
        self._watchers: list[asyncio.Task[None]] = []
        self._change = asyncio.Event()
        self._ending_for = ExitCause.STOPPED
        self._ending_detail = ""
        self._is_halted = False

    @property
    def lock_path_name(self) -> str:
        """Name of the file whose lock the gateway's tree holds."""
        return f"{self.record.profile_id}.lock"

    async def run(self) -> None:
        """Applies facts one after the other, for ever."""
        while True:
            await self._apply(await self._facts.get())

    async def command(self, event: Event) -> None:
        """Posts a person's command; returns once the wish is recorded.

        Raises:
            DiskFull, StateCorrupt, NotPermitted: it could not be recorded, and nothing has changed.
        """
        recorded = asyncio.get_running_loop().create_future()
        self._facts.put_nowait(Fact(event, recorded=recorded))
        await recorded

    def post(self, event: Event) -> None:
        """Posts something that happened to the gateway as such."""
        self._facts.put_nowait(Fact(event))

    async def changed(self) -> None:
        """Returns after the next change of the record."""
        await self._change.wait()

    async def resume(self) -> None:
        """Takes up a record that an earlier daemon left: adopts its process, or learns that it is lost."""
        state = self.record.gateway.state
        if state in LIVE:
            process = await self._ports.backend.find(self.record.spawn_id, self.record.process)
            if process is not None:
                self.record = replace(self.record, process=process)
                self._watch(process)
                self._facts.put_nowait(Fact(Event.ADOPTED, self.record.spawn_id))
            else:
                await self._report_lost()
        elif state is State.STOPPED and self.record.gateway.wanted_up:
            self.post(Event.START)
        else:
            await self._arm(remaining_of=self.record.next_start_at_s)

    async def halt(self) -> None:
        """Ends the process without changing the wish, for a daemon that leaves for good."""
        self._is_halted = True
        self._disarm()
        self._stop_watching()
        process = self.record.process
        if self.record.gateway.state not in LIVE:
            return
        if process is not None:
            await self._terminate(process)
            await self._wait_or_kill(process)
        stopped = replace(self.record.gateway, state=State.STOPPED, attempts=0, is_stable=False)
        await self._save(replace(self.record, gateway=stopped, spawn_id="", process=None, next_start_at_s=None))

    def close(self) -> None:
        """Stops watching; the gateway lives on and the next daemon adopts it."""
        self._disarm()
        self._stop_watching()

    async def _apply(self, fact: Fact) -> None:
        if self._is_stale(fact):
            return
        before = self.record.gateway
        after, effects = step(before, fact.event)
        record = self._recorded(fact, replace(self.record, gateway=after), will_spawn=Effect.SPAWN in effects)
        if fact.recorded is None:
            await self._keep(record)
        else:
            try:
                await self._save(record)
            except HermesError as error:
                fact.recorded.set_exception(error)
                return
        if after.state is not before.state:
            await self._tell(fact, before.state)
            if after.state not in LIVE:
                self._stop_watching()
        if after.state is not before.state or fact.event in (Event.TIMER, Event.ADOPTED):
            await self._arm()
        if fact.recorded is not None:
            fact.recorded.set_result(None)
        self._wake()
        for effect in effects:
            await self._carry_out(effect)

    def _is_stale(self, fact: Fact) -> bool:
        if fact.event is Event.TIMER:
            return fact.arming != self._arming
        return self._is_halted or (fact.spawn_id != "" and fact.spawn_id != self.record.spawn_id)

    def _recorded(self, fact: Fact, record: GatewayRecord, *, will_spawn: bool) -> GatewayRecord:
        """What is remembered of this step."""
        before = self.record
        gateway = record.gateway
        if gateway.state is not before.gateway.state:
            record = replace(record, since_s=self._ports.clock.now_s(), next_start_at_s=None, detail="")
        if fact.event in COMMANDS:
            record = replace(record, restarts=0)
            self.failure = None
        if fact.last_exit is not None:
            record = replace(record, last_exit=fact.last_exit)
        if fact.event in (Event.READY, Event.PORT_TAKEN, Event.SPAWN_FAILED, Event.SPAWN_IMPOSSIBLE):
            record = replace(record, detail=fact.detail)
        if gateway.state not in LIVE:
            record = replace(record, spawn_id="", process=None)
        if will_spawn:
            is_asked_for = fact.event in COMMANDS or before.gateway.state in (State.STOPPING, State.KILLING)
            record = replace(
                record,
                spawn_id=self._ports.new_id(),
                process=None,
                restarts=record.restarts + (0 if is_asked_for else 1),
            )
        self._note_ending(fact.event, before)
        return record

    def _note_ending(self, event: Event, before: GatewayRecord) -> None:
        """Remembers why the process is about to be ended, for the story of its exit."""
        if event is Event.TIMER and before.gateway.state is State.STARTING:
            self._ending_for, self._ending_detail = ExitCause.START_TIMEOUT, before.detail
        elif event is Event.HUNG:
            self._ending_for, self._ending_detail = ExitCause.HUNG, before.detail
        elif event in COMMANDS or event is Event.READY:
            self._ending_for, self._ending_detail = ExitCause.STOPPED, ""

    async def _save(self, record: GatewayRecord) -> None:
        await self._ports.store.save_gateway(record)
        self.record = record

    async def _keep(self, record: GatewayRecord) -> None:
        """Records what happened by itself. A full disk must not silence a bot, so it goes on without a record."""
        try:
            await self._save(record)
        except HermesError as error:
            log.error("profile=%s not recorded: %s", self.home.name, error.message)
            self.record = record

    async def _tell(self, fact: Fact, before: State) -> None:
        record = self.record
        pid = record.process.pid if record.process else 0
        log.info(
            "profile=%s from=%s to=%s event=%s pid=%d spawn=%s",
            self.home.name, before, record.gateway.state, fact.event, pid, record.spawn_id,
        )  # fmt: skip
        facts = {"from": before.value, "to": record.gateway.state.value, "event": fact.event.value}
        if fact.last_exit is not None:
            facts |= {"cause": fact.last_exit.cause.value, "status": str(fact.last_exit.status)}
        await self._record_event(f"gateway.{SHOWN.get(record.gateway.state, record.gateway.state)}", **facts)

    async def _record_event(self, kind: str, **facts: str) -> None:
        name = self.home.name.text
        try:
            await self._events.record(kind, f"gateway of {name}: {kind.split('.')[1]}", profile=name, **facts)
        except HermesError as error:
            log.error("profile=%s event %s not recorded: %s", name, kind, error.message)

    async def _arm(self, *, remaining_of: float | None = None) -> None:
        self._disarm()
        gateway = self.record.gateway
        kind = timer(gateway)
        if kind is None:
            return
        drain_s = await self._drain_s() if kind is Timer.GRACE else 0.0
        seconds = delay_s(self._policy, gateway, kind, drain_s=drain_s, roll=self._ports.roll())
        now_s = self._ports.clock.now_s()
        if remaining_of is not None:
            seconds = min(max(remaining_of - now_s, 0.0), seconds)
        if gateway.state in (State.BACKOFF, State.PARKED):
            await self._keep(replace(self.record, next_start_at_s=now_s + seconds))
        self._timer = background(self._ring_after(seconds, self._arming), f"timer {self.home.name}")

    async def _ring_after(self, seconds: float, arming: int) -> None:
        await self._ports.clock.sleep_s(seconds)
        self._facts.put_nowait(Fact(Event.TIMER, arming=arming))

    def _disarm(self) -> None:
        self._arming += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _drain_s(self) -> float:
        agent = self._runtimes.agent_of(self.home.name)
        return (await asyncio.to_thread(agent.facts, self.home)).drain_s

    async def _carry_out(self, effect: Effect) -> None:
        process = self.record.process
        match effect:
            case Effect.SPAWN:
                await self._spawn()
            case Effect.TERMINATE if process is not None:
                await self._terminate(process)
            case Effect.KILL if process is not None:
                await self._kill(process)
            case Effect.ALERT:
                await self._record_event("gateway.alert", attempts=str(self.record.gateway.attempts))
            case Effect.TERMINATE | Effect.KILL:
                end = LastExit(ExitCause.UNKNOWN, ExitStatus(), "", self._ports.clock.now_s())
                self._facts.put_nowait(Fact(Event.LOST, self.record.spawn_id, end))

    async def _spawn(self) -> None:
        """Starts a process, or tells the machine at once why there is none."""
        try:
            self.home = await self._find_home(self.record.profile_id)
            choice = await self._runtimes.choice_for(self.home.name)
            process = await self._start(choice)
        except HermesError as error:
            self.failure = error
            log.warning("profile=%s not started: %s", self.home.name, error.message)
            if isinstance(error, ProfileNotFound):
                await self._apply(Fact(Event.HOME_GONE))
            await self._apply(self._not_started(error))
            return
        await self._keep(replace(self.record, process=process))
        self._watch(process)
        self._wake()

    async def _start(self, choice: Choice) -> ProcessIdentity:
        agent = choice.agent
        foreign = await asyncio.to_thread(agent.foreign_gateway, self.home, None)
        if foreign is not None:
            raise foreign_error(self.home, foreign)
        await asyncio.to_thread(agent.check, self.home, is_running=False)
        launch = await asyncio.to_thread(agent.launch, choice.runtime, self.home)
        spec = SpawnSpec(
            name=self.home.name.text,
            spawn_id=self.record.spawn_id,
            argv=launch.argv,
            environment={**self._ports.gateway_environment, **launch.environment},
            working_directory=self._ports.user_home,
            log_path=self._ports.logs.path(self.record.profile_id),
            lock_path=self._ports.lock_directory / self.lock_path_name,
        )
        return await self._ports.backend.start(spec)

    def _not_started(self, error: HermesError) -> Fact:
        port_taken = isinstance(error, PortInUse)
        event = Event.PORT_TAKEN if port_taken else Event.SPAWN_FAILED
        if isinstance(error, IMPOSSIBLE):
            event = Event.SPAWN_IMPOSSIBLE
        cause = ExitCause.PORT_TAKEN if port_taken else ExitCause.NOT_LAUNCHED
        end = LastExit(cause, ExitStatus(), error.message, self._ports.clock.now_s())
        return Fact(event, last_exit=end, detail=error.message)

    async def _terminate(self, process: ProcessIdentity) -> None:
        agent = self._runtimes.agent_of(self.home.name)
        try:
            await asyncio.to_thread(agent.prepare_stop, self.home, process)
        except HermesError as error:
            log.warning("profile=%s stop not announced: %s", self.home.name, error.message)
        await self._ports.backend.terminate(process)

    async def _kill(self, process: ProcessIdentity) -> None:
        log.warning("profile=%s pid=%d did not end in time and is killed", self.home.name, process.pid)
        await self._ports.backend.kill(process)

    async def _wait_or_kill(self, process: ProcessIdentity) -> None:
        grace_s = self._policy.grace_extra_s + await self._drain_s()
        ended = asyncio.create_task(self._ports.backend.wait(process))
        patience = asyncio.create_task(self._ports.clock.sleep_s(grace_s))
        await asyncio.wait({ended, patience}, return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()
        if not ended.done():
            await self._kill(process)
        await ended
        await self._is_cleared()

    def _watch(self, process: ProcessIdentity) -> None:
        self._stop_watching()
        name = self.home.name
        self._watchers = [
            background(self._watch_exit(process), f"exit of {name}"),
            background(self._watch_readiness(process), f"readiness of {name}"),
        ]

    def _stop_watching(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        self._watchers = []

    async def _watch_exit(self, process: ProcessIdentity) -> None:
        status = await self._ports.backend.wait(process)
        await self._report_exit(process, status)

    async def _report_exit(self, process: ProcessIdentity, status: ExitStatus) -> None:
        while not await self._is_cleared():
            await self._ports.clock.sleep_s(self._policy.kill_retry_s)
        agent = self._runtimes.agent_of(self.home.name)
        report = await asyncio.to_thread(agent.explain_exit, self.home, process, status)
        self._facts.put_nowait(self._exit_fact(process.spawn_id, report, status))

    def _exit_fact(self, spawn_id: str, report: ExitReport, status: ExitStatus) -> Fact:
        cause, detail = report.cause, report.detail
        if self.record.gateway.state in (State.STOPPING, State.KILLING):
            cause, detail = self._ending_for, self._ending_detail
        end = LastExit(cause, status, detail, self._ports.clock.now_s())
        return Fact(report.event, spawn_id, end, detail)

    async def _report_lost(self) -> None:
        record = self.record
        process = record.process
        status = ExitStatus()
        detail = "it ended while no daemon watched; how is not known"
        await self._is_cleared()
        if process is not None:
            agent = self._runtimes.agent_of(self.home.name)
            report = await asyncio.to_thread(agent.explain_exit, self.home, process, status)
            detail = report.detail or detail
        end = LastExit(ExitCause.UNKNOWN, status, detail, self._ports.clock.now_s())
        self._facts.put_nowait(Fact(Event.LOST, record.spawn_id, end))

    async def _is_cleared(self) -> bool:
        """Ends what is left of the tree; says whether nothing is."""
        lock_path = self._ports.lock_directory / self.lock_path_name
        try:
            await self._ports.backend.clear(self.record.spawn_id, lock_path)
        except GatewayStuck as error:
            log.error("profile=%s %s", self.home.name, error.message)
            return False
        return True

    async def _watch_readiness(self, process: ProcessIdentity) -> None:
        agent = self._runtimes.agent_of(self.home.name)
        clock = self._ports.clock
        up_since_s: float | None = None
        while True:
            probe = await asyncio.to_thread(agent.probe, self.home, process)
            if probe.phase is Phase.READY:
                self._facts.put_nowait(Fact(Event.READY, process.spawn_id))
                return
            if probe.phase is Phase.DEGRADED:
                up_since_s = clock.monotonic_s() if up_since_s is None else up_since_s
                if clock.monotonic_s() - up_since_s >= self._policy.degraded_after_s:
                    self._facts.put_nowait(Fact(Event.READY, process.spawn_id, detail=probe.detail))
                    await clock.sleep_s(PROBE_DEGRADED_S)
                    continue
            self._show(probe)
            await clock.sleep_s(PROBE_STARTING_S)

    def _show(self, probe: Probe) -> None:
        if self.record.gateway.state is State.STARTING and probe.detail != self.record.detail:
            self.record = replace(self.record, detail=probe.detail)
            self._wake()

    def _wake(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


def foreign_error(home: Home, pid: int) -> GatewayForeign:
    """The refusal to start beside a gateway of somebody else."""
    return GatewayForeign(
        f"a gateway that hermesd did not start serves profile '{home.name}' (pid {pid})",
        hint="hermesd never signals it; stop it where it was started, then try again",
        fixes=[f"hermesctl gateway start {home.name}"],
        profile=home.name.text,
        pid=str(pid),
    )
