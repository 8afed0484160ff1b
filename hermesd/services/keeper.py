"""The keeper of one gateway: drives its machine.

Owns: one gateway's record, the order of its facts, its timer and its watchers. Every step is recorded before its
effects are carried out. Must not know which profiles there are or who asks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from hermesd.domain.errors import GatewayStuck, HermesError, ProfileBusy, ProfileNotFound
from hermesd.domain.fleet import NO_CHANNEL
from hermesd.domain.gateway import LIVE, Effect, Event, Gateway, State, Timer, step, timer
from hermesd.domain.policy import Policy, delay_s
from hermesd.domain.ports import GatewayRecord, Ports
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus, LastExit, Probe, ProcessIdentity
from hermesd.domain.profile import Home
from hermesd.services.checkups import Checkups, Vitals
from hermesd.services.effects import Effects
from hermesd.services.events import Events
from hermesd.services.facts import (
    COMMANDS,
    SETTLED,
    Fact,
    charged,
    is_awaited,
    is_to_boot,
    out_of_budget,
    remembered,
    with_start,
)
from hermesd.services.tasks import background
from hermesd.services.turns import WAITING, Place, Turns

log = logging.getLogger(__name__)

EXITED = "gateway.exited"
"""Kind of the event that tells one end of a gateway's process."""

UNHEALTHY = {Event.HUNG: ExitCause.HUNG, Event.UNWELL: ExitCause.UNWELL}
"""Ends for the sake of a gateway's health, as they are told."""

SHOWN = {State.RUNNING: "ready", State.KILLING: "stopping"}
"""States that people know by another word."""


class Keeper:
    """Keeps one gateway the way its wish says."""

    def __init__(
        self,
        record: GatewayRecord,
        home: Home,
        *,
        ports: Ports,
        policy: Policy,
        effects: Effects,
        events: Events,
        checkups: Checkups,
        turns: Turns,
        find_home: Callable[[str], Awaitable[Home]],
        stored: GatewayRecord | None = None,
    ) -> None:
        """`stored` is what the store has, if that is known."""
        self.record = record
        self.home = home
        self.failure: HermesError | None = None
        """Why the last start could not even be made."""
        self.warnings: tuple[str, ...] = ()
        """What is asked for and is not given to the process that runs."""
        self.vitals: Vitals | None = None
        """How the process that runs is doing; `None` without one."""
        self._ports = ports
        self._policy = policy
        self._effects = effects
        self._events = events
        self._checkups = checkups
        self._turns = turns
        self._place: Place | None = None
        """In line for a start, or taking its turn."""
        self._beginning: asyncio.Task[None] | None = None
        self._has_begun = True
        """Whether there was an attempt to make a process for the start that is recorded."""
        self._find_home = find_home
        self._stored = stored
        self._facts: asyncio.Queue[Fact] = asyncio.Queue()
        self._turn = asyncio.Lock()
        """Held by whoever changes the record and waits meanwhile."""
        self._timer: asyncio.Task[None] | None = None
        self._arming = 0
        self._start_possible_at_s = 0.0
        self._watchers: list[asyncio.Task[None]] = []
        self._change = asyncio.Event()
        self._ending_for = ExitCause.STOPPED
        self._ending_detail = ""
        self._dumped_spawn = ""
        """The start whose process a dump was kept of."""
        self._is_halted = False
        self._is_let_go = False
        self._asked: Mapping[str, str] = {}
        """Who asked for what happens, until it has happened."""

    async def run(self) -> None:
        """Applies facts one after the other, for ever."""
        while True:
            fact = await self._facts.get()
            async with self._turn:
                try:
                    await self._apply(fact)
                except Exception:
                    log.exception("profile=%s event=%s failed", self.home.name, fact.event)
                    _give_up(fact)

    async def command(self, event: Event, asked: Mapping[str, str] | None = None) -> None:
        """Posts a person's command; returns once the wish is recorded. `asked` says who, to those who are told.

        Raises:
            DiskFull, StateCorrupt, NotPermitted: it could not be recorded, and nothing has changed.
            ProfileNotFound: the profile is gone, and its gateway is kept no more.
        """
        if self._is_let_go:
            raise _gone(self.home)
        recorded = asyncio.get_running_loop().create_future()
        self._facts.put_nowait(Fact(event, recorded=recorded, asked=asked or {}))
        await recorded

    def lose_home(self) -> None:
        """Notices that the home in which the process was started is gone."""
        self._facts.put_nowait(Fact(Event.HOME_GONE, self.record.spawn_id))

    @property
    def is_up(self) -> bool:
        """Whether its process has been ready and was not told to end since."""
        return self.record.gateway.state is State.RUNNING and self.record.process is not None

    def examined(self, vitals: Vitals, due: Event | None) -> None:
        """Notices that its process was looked at, and that a restart is due if it is."""
        if due is not None:
            self._facts.put_nowait(Fact(due, vitals.process.spawn_id, detail=vitals.health.detail))
        self._wake()

    async def enable(self, is_enabled: bool, start_order: int | None = None) -> None:
        """Records whether the gateway is started with the daemon, and its place in line unless that stays.

        Raises:
            DiskFull, StateCorrupt, NotPermitted: it could not be recorded, and nothing has changed.
        """
        async with self._turn:
            order = self.record.start_order if start_order is None else start_order
            await self._save(replace(self.record, is_enabled=is_enabled, start_order=order))
        self._wake()

    async def changed(self) -> None:
        """Returns after the next change of the record.

        Raises:
            ProfileNotFound: the profile is gone, and its gateway is kept no more.
        """
        if not self._is_let_go:
            await self._change.wait()
        if self._is_let_go:
            raise _gone(self.home)

    async def resume(self) -> None:
        """Takes up a record that an earlier daemon left: adopts its process, or learns that it is lost."""
        async with self._turn:
            state = self.record.gateway.state
            process = None
            if state in LIVE:
                process = await self._effects.find(self.record)
            if process is not None:
                self.record = replace(self.record, process=process)
                self._watch(process)
                await self._look_at_limits(process)
                self._occupy_turn()
                self._facts.put_nowait(Fact(Event.ADOPTED, self.record.spawn_id))
            elif not self.record.is_enabled:
                await self._leave_alone()
            elif state in LIVE and not self._is_of_the_past:
                await self._report_loss()
            elif state in LIVE:
                await self._put_to_rest()
            else:
                await self._effects.is_cleared(self.home, self.record)
                await self._wait_on()

    def boot(self, *, has_channel: bool) -> None:
        """Starts the gateway if the daemon that comes up has to, or waits until something could reach it."""
        event = Event.START if has_channel else Event.NO_CHANNEL
        self._facts.put_nowait(Fact(event, detail=NO_CHANNEL, is_boot=True))

    def find_channel(self) -> None:
        """Notices that something could reach it now."""
        self._facts.put_nowait(Fact(Event.CHANNEL_FOUND))

    async def hold(self) -> None:
        """Ends the process without changing the wish, and starts none until `release`.

        Raises:
            GatewayStuck: something of it lives on.
        """
        if not await self.halt():
            raise GatewayStuck(f"something of gateway '{self.home.name}' survives", profile=self.home.name.text)

    async def release(self) -> None:
        """Goes on after a `hold`, as far as it came: what ran runs, what waits for its time waits on."""
        if not self._is_halted:
            return
        self._is_halted = False
        is_live = self.record.gateway.state in LIVE
        if is_live:
            await self.resume()
        if self.record.gateway.state is State.STOPPED and self.record.gateway.wanted_up:
            self._facts.put_nowait(Fact(Event.START))
        if not is_live:
            async with self._turn:
                await self._wait_on()

    async def halt(self) -> bool:
        """Ends the process without changing the wish, for a daemon that leaves for good.

        Returns whether nothing of it is left.
        """
        is_cleared = True
        self._is_halted = True
        self._disarm()
        self._leave_line()
        self._stop_watching()
        async with self._turn:
            if self.record.gateway.state not in LIVE:
                return is_cleared
            if self.record.process is not None:
                is_cleared = await self._effects.end(self.home, self.record, self.record.process)
            stopped = replace(self.record.gateway, state=State.STOPPED, attempts=0, is_stable=False)
            await self._keep(_at_rest(self.record, stopped))
        self._wake()
        return is_cleared

    def close(self) -> None:
        """Stops watching; the gateway lives on and the next daemon adopts it."""
        self._disarm()
        self._leave_line()
        if self._beginning is not None:
            self._beginning.cancel()
        self._stop_watching()

    def let_go(self) -> None:
        """The same for ever, for the profile is gone: whoever waits for this gateway is told so."""
        self.close()
        self._is_let_go = True
        while not self._facts.empty():
            fact = self._facts.get_nowait()
            if fact.recorded is not None:
                fact.recorded.set_exception(_gone(self.home))
        self._wake()

    async def _wait_on(self) -> None:
        """Waits again for what the state waits for, at most until the moment that was recorded."""
        wait_s = await self._wait_s(self.record.gateway, until_s=self.record.next_start_at_s)
        await self._keep(self._with_next_start(self.record, wait_s))
        self._arm(wait_s)

    async def _apply(self, fact: Fact) -> None:
        if self._is_stale(fact):
            _refuse(fact, self.home)
            return
        before = self.record.gateway
        after, effects = step(before, fact.event)
        record = self._remembered(fact, after, will_start=Effect.SPAWN in effects)
        has_timer = after.state is not before.state or fact.event in (Event.TIMER, Event.ADOPTED)
        wait_s = await self._wait_s(after) if has_timer else None
        record = self._with_next_start(record, wait_s)
        if not await self._is_recorded(fact, record):
            if Effect.SPAWN in effects:
                self._leave_line()
            return
        self._follow_line(fact)
        if after.state not in LIVE:
            self._stop_watching()
        if has_timer:
            self._arm(wait_s)
        if fact.recorded is not None:
            fact.recorded.set_result(None)
        self._wake()
        for effect in effects:
            await self._carry_out(effect)

    def _is_stale(self, fact: Fact) -> bool:
        if fact.event is Event.TIMER:
            return fact.arming != self._arming
        if fact.is_boot and not is_to_boot(self.record.gateway):
            return True
        return self._is_halted or (fact.spawn_id != "" and fact.spawn_id != self.record.spawn_id)

    def _remembered(self, fact: Fact, after: Gateway, *, will_start: bool) -> GatewayRecord:
        now_s = self._ports.clock.now_s()
        before = self.record
        self._note_ending(fact, before)
        if fact.event in COMMANDS:
            self.failure = None
        record = remembered(before, after, fact, now_s=now_s)
        if will_start:
            record, self._start_possible_at_s = charged(record, self._policy.budget, now_s=now_s)
            id_ = self._ports.new_id()
            record = with_start(record, before.gateway.state, fact, spawn_id=id_, home=self.home)
            if self._start_possible_at_s <= now_s:
                record = self._in_line(record, is_awaited=is_awaited(before.gateway.state, fact))
        return record

    def _note_ending(self, fact: Fact, before: GatewayRecord) -> None:
        """Remembers why the process is about to be ended, for the story of its exit."""
        event = fact.event
        if event is Event.TIMER and before.gateway.state is State.STARTING:
            self._ending_for, self._ending_detail = ExitCause.START_TIMEOUT, before.detail
        elif event is Event.HOME_GONE:
            self._ending_for, self._ending_detail = ExitCause.STOPPED, "its home was removed or replaced"
        elif event in UNHEALTHY and before.gateway.state is State.RUNNING:
            self._ending_for, self._ending_detail = UNHEALTHY[event], fact.detail
        elif event in COMMANDS or event is Event.READY:
            self._ending_for, self._ending_detail = ExitCause.STOPPED, ""

    async def _is_recorded(self, fact: Fact, record: GatewayRecord) -> bool:
        """Records and tells a step. A command that cannot be recorded is refused and changes nothing.

        Other facts have happened all the same. What is told of them is written together with the record: nobody
        waits twice for the disk between a crash and the next start.
        """
        before = self.record.gateway.state
        if fact.recorded is None:
            await asyncio.gather(self._keep(record), self._tell(fact, before, record))
            return True
        try:
            await self._save(record)
        except HermesError as error:
            fact.recorded.set_exception(error)
            return False
        await self._tell(fact, before, record)
        return True

    async def _save(self, record: GatewayRecord) -> None:
        """What the store has already is not written again: who adopts hundreds has nothing to tell it."""
        if record != self._stored:
            await self._ports.store.save_gateway(record)
            self._stored = record
        self.record = record

    async def _keep(self, record: GatewayRecord) -> None:
        """Records what happened by itself. A full disk must not silence a bot, so it goes on without a record."""
        try:
            await self._save(record)
        except HermesError as error:
            log.error("profile=%s not recorded: %s", self.home.name, error.message)
            self.record = record

    async def _tell(self, fact: Fact, before: State, record: GatewayRecord) -> None:
        state = record.gateway.state
        asked = self._asked = fact.asked or self._asked
        if state in SETTLED:
            self._asked = {}
        told = (
            [] if fact.last_exit is None else [self._record_event(EXITED, **_exit_facts(fact.last_exit), **asked)]
        )
        if state is not before:
            pid = record.process.pid if record.process else 0
            log.info(
                "profile=%s from=%s to=%s event=%s pid=%d spawn=%s",
                self.home.name, before, state, fact.event, pid, record.spawn_id,
            )  # fmt: skip
            facts = {"from": before.value, "to": state.value, "event": fact.event.value}
            told.append(self._record_event(f"gateway.{SHOWN.get(state, state)}", **facts, **asked))
        await asyncio.gather(*told)

    async def _record_event(self, kind: str, **facts: str) -> None:
        name = self.home.name.text
        why = ", ".join(part for part in (facts.get("cause", "").replace("_", " "), facts.get("detail")) if part)
        message = f"gateway of {name}: {kind.split('.')[1]}" + (f" ({why})" if why else "")
        try:
            await self._events.record(kind, message, profile=name, **facts)
        except HermesError as error:
            log.error("profile=%s event %s not recorded: %s", name, kind, error.message)

    async def _wait_s(self, gateway: Gateway, *, until_s: float | None = None) -> float | None:
        """Seconds until a state's timer rings, at most until a moment that is known; `None` if it has no timer."""
        kind = timer(gateway)
        if kind is None or (kind is Timer.START_LIMIT and self._is_in_line):
            return None
        can_drain = kind is Timer.GRACE and self._ending_for is not ExitCause.HUNG  # a dead loop finishes no turn
        drain_s = await self._effects.drain_s(self.home) if can_drain else 0.0
        seconds = delay_s(self._policy, gateway, kind, drain_s=drain_s, roll=self._ports.roll())
        if kind is Timer.BUDGET and until_s is None:
            until_s = self._start_possible_at_s
        if until_s is not None:
            seconds = min(max(until_s - self._ports.clock.now_s(), 0.0), seconds)
        return seconds

    def _with_next_start(self, record: GatewayRecord, wait_s: float | None) -> GatewayRecord:
        """The record with the moment of the next start, if it waits for one."""
        if wait_s is None or record.gateway.state not in (State.BACKOFF, State.PARKED):
            return record
        return replace(record, next_start_at_s=self._ports.clock.now_s() + wait_s)

    def _arm(self, wait_s: float | None) -> None:
        """Sets the timer of the state."""
        self._disarm()
        if wait_s is not None:
            self._timer = background(self._ring_after(wait_s, self._arming), f"timer {self.home.name}")

    async def _ring_after(self, seconds: float, arming: int) -> None:
        await self._ports.clock.sleep_s(seconds)
        self._facts.put_nowait(Fact(Event.TIMER, arming=arming))

    def _disarm(self) -> None:
        self._arming += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _carry_out(self, effect: Effect) -> None:
        process = self.record.process
        match effect:
            case Effect.SPAWN if self._start_possible_at_s > self._ports.clock.now_s():
                await self._apply(self._out_of_budget())
            case Effect.SPAWN if not self._is_in_line:  # else its turn begins it
                await self._start()
            case Effect.TERMINATE | Effect.KILL if not self._has_begun:
                self._facts.put_nowait(Fact(Event.LOST, self.record.spawn_id))
            case Effect.TERMINATE if process is not None:
                await self._effects.terminate(self.home, process)
            case Effect.KILL if process is not None:
                await self._effects.kill(self.home, self.record, process)
            case Effect.TERMINATE | Effect.KILL:
                self._report(ExitReport(Event.LOST, ExitCause.UNKNOWN), self.record.spawn_id, ExitStatus())
            case Effect.DUMP if process is not None and process.spawn_id != self._dumped_spawn:
                await self._dump(process)
            case Effect.ALERT:
                await self._record_event("gateway.alert", attempts=str(self.record.gateway.attempts))

    async def _dump(self, process: ProcessIdentity) -> None:
        """Keeps what can be seen of a process that is about to be ended, once for each."""
        is_overdue = self.record.gateway.state is State.KILLING
        cause, detail = self._ending_for, self._ending_detail or ("it did not end in time" if is_overdue else "")
        path = await self._effects.dump(self.home, self.record, process, cause, detail)
        if path is not None:
            self._dumped_spawn = process.spawn_id
            await self._record_event("gateway.dumped", path=str(path), cause=cause.value, pid=str(process.pid))
        if not is_overdue:
            self._arm(await self._wait_s(self.record.gateway))  # its grace begins when it is asked to end

    @property
    def _is_in_line(self) -> bool:
        """Whether the start that is recorded waits for its turn."""
        return self._place is not None and self._place.is_waiting

    def _in_line(self, record: GatewayRecord, *, is_awaited: bool) -> GatewayRecord:
        """The record of a start that takes its turn now if one is free, else waits for it."""
        self._leave_line()
        self._has_begun = False
        spawn_id = record.spawn_id
        self._place = Place(self.home.name.text, record.start_order, is_awaited, lambda: self._begin(spawn_id))
        self._turns.take(self._place)
        return replace(record, detail=WAITING) if self._is_in_line else record

    def _occupy_turn(self) -> None:
        """An adopted gateway that is starting keeps others waiting like any other."""
        self._leave_line()
        self._has_begun = True
        if self.record.gateway.state is State.STARTING:
            self._place = Place(self.home.name.text, self.record.start_order, is_asked_for=False, begin=_nothing)
            self._turns.occupy(self._place)

    def _follow_line(self, fact: Fact) -> None:
        """Ends a turn, or the wait for it, with the state that it was for; whom a person waits for goes first."""
        if self.record.gateway.state is not State.STARTING:
            self._leave_line()
        elif self._place is not None and fact.recorded is not None:
            self._turns.prefer(self._place)

    def _leave_line(self) -> None:
        if self._place is not None:
            place, self._place = self._place, None
            self._turns.leave(place)

    def _begin(self, spawn_id: str) -> None:
        self._beginning = background(self._start_in_turn(spawn_id), f"turn of {self.home.name}")

    async def _start_in_turn(self, spawn_id: str) -> None:
        """Starts what waited, unless that is not wanted any more."""
        async with self._turn:
            is_current = self.record.spawn_id == spawn_id and self.record.gateway.state is State.STARTING
            if is_current and not self._has_begun and not self._is_halted:
                await self._start()

    async def _start(self) -> None:
        """Starts a process, or tells the machine at once why there is none."""
        self._has_begun = True
        if self.record.detail == WAITING:
            self.record = replace(self.record, detail="")
            self._arm(await self._wait_s(self.record.gateway))
        try:
            self.home = await self._find_home(self.record.profile_id)
            if self.home != self.record.home:
                await self._keep(replace(self.record, home=self.home))
            started = await self._effects.start(self.home, self.record)
        except HermesError as error:
            self.failure = error
            log.warning("profile=%s not started: %s", self.home.name, error.message)
            await self._apply(self._effects.not_started(error))
            return
        await self._keep(replace(self.record, process=started.process))
        self._watch(started.process, has_watchdog=started.has_watchdog)
        await self._look_at_limits(started.process)
        self._wake()

    async def _look_at_limits(self, process: ProcessIdentity) -> None:
        """Says which limits are asked for in vain: nobody shall rely on them."""
        unenforced = await self._effects.unenforced_limits(self.home, process)
        self.warnings = tuple(f"{limit} is set, but nothing here can enforce it" for limit in unenforced)
        for warning in self.warnings:
            log.warning("profile=%s pid=%d %s", self.home.name, process.pid, warning)

    def _out_of_budget(self) -> Fact:
        self.failure, fact = out_of_budget(self.home, self._policy.budget)
        return fact

    async def _leave_alone(self) -> None:
        """Does not start what is disabled: nobody wants it until somebody says so again."""
        await self._effects.is_cleared(self.home, self.record)
        await self._keep(_at_rest(self.record, Gateway()))

    def _watch(self, process: ProcessIdentity, *, has_watchdog: bool = False) -> None:
        """Without `has_watchdog` nothing is awaited that an earlier daemon may have heard."""
        self._stop_watching()
        self.vitals = self._checkups.begin(process)
        name = self.home.name
        self._watchers = [background(self._watch_exit(process), f"exit of {name}")]
        if self.record.gateway.state is State.STARTING:
            watching = self._watch_start(self.vitals, has_watchdog=has_watchdog)
            self._watchers.append(background(watching, f"start of {name}"))

    def _stop_watching(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        self._watchers = []
        self.vitals = None

    async def _watch_exit(self, process: ProcessIdentity) -> None:
        status = await self._ports.backend.wait(process)
        while not await self._effects.is_cleared(self.home, self.record):
            await self._ports.clock.sleep_s(self._policy.kill_retry_s)
        report = await self._effects.explain_exit(self.home, process, status)
        if self.record.gateway.state in (State.STOPPING, State.KILLING):
            report = replace(report, cause=self._ending_for, detail=self._ending_detail)
        self._report(report, process.spawn_id, status)

    @property
    def _is_of_the_past(self) -> bool:
        """Whether the start that is recorded cannot go on: the machine was rebooted, or its turn never came."""
        process = self.record.process
        if process is None:
            return self.record.detail == WAITING
        return process.boot_id != self._ports.processes.boot_id()

    async def _put_to_rest(self) -> None:
        """Forgets a start of the past, but for how it ended; what is wanted stays, for whoever brings that up."""
        await self._effects.is_cleared(self.home, self.record)
        before, now_s = self.record, self._ports.clock.now_s()
        stopped = Gateway(wanted_up=before.gateway.wanted_up)
        record = replace(_at_rest(before, stopped), since_s=now_s, detail="")
        if before.process is not None:
            report = await self._effects.explain_loss(self.home, before.process)
            end = LastExit(report.cause, ExitStatus(), report.detail, now_s)
            record = replace(record, last_exit=end)
            await self._record_event(EXITED, **_exit_facts(end))
        await self._keep(record)

    async def _report_loss(self) -> None:
        await self._effects.is_cleared(self.home, self.record)
        report = await self._effects.explain_loss(self.home, self.record.process)
        self._report(report, self.record.spawn_id, ExitStatus())

    def _report(self, report: ExitReport, spawn_id: str, status: ExitStatus) -> None:
        end = LastExit(report.cause, status, report.detail, self._ports.clock.now_s())
        self._facts.put_nowait(Fact(report.event, spawn_id, end, report.detail))

    async def _watch_start(self, vitals: Vitals, *, has_watchdog: bool) -> None:
        """Whoever waits for the start is told at once what does not work; in the history that comes after it."""
        agent = self._effects.agent_of(self.home)
        await self._checkups.until_ready(vitals, agent, self.home, self._show, has_watchdog=has_watchdog)
        self._facts.put_nowait(Fact(Event.READY, vitals.process.spawn_id))
        while self.record.gateway.state is State.STARTING:
            await self._change.wait()
        if self.is_up:
            await self._checkups.tell(self.home, vitals)

    def _show(self, probe: Probe) -> None:
        if self.record.gateway.state is State.STARTING and probe.detail != self.record.detail:
            self.record = replace(self.record, detail=probe.detail)
            self._wake()

    def _wake(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


def _nothing() -> None:
    return None


def _give_up(fact: Fact) -> None:
    """Answers whoever waits for a fact whose step a defect cut off; the gateway is kept all the same."""
    if fact.recorded is not None and not fact.recorded.done():
        fact.recorded.set_exception(HermesError("hermesd made a mistake", hint="its log says more"))


def _refuse(fact: Fact, home: Home) -> None:
    """Answers whoever waits for a command that came while the gateway is held."""
    if fact.recorded is not None:
        fact.recorded.set_exception(ProfileBusy(f"profile '{home.name}' is being changed", profile=home.name.text))


def _gone(home: Home) -> ProfileNotFound:
    return ProfileNotFound(f"profile '{home.name}' is gone", profile=home.name.text)


def _at_rest(record: GatewayRecord, gateway: Gateway) -> GatewayRecord:
    return replace(record, gateway=gateway, spawn_id="", home=None, process=None, next_start_at_s=None)


def _exit_facts(end: LastExit) -> dict[str, str]:
    facts = {"cause": end.cause.value, "detail": end.detail}
    if end.status.code is not None:
        facts["code"] = str(end.status.code)
    if end.status.signal is not None:
        facts["signal"] = str(end.status.signal)
    return facts
