"""The keeper of one gateway: drives its machine.

Owns: the order of a gateway's facts. One fact is one step of the table; the step is recorded; then its effects are
carried out. What that takes has an object each: the record (`ledgers.py`), a start on its way (`starts.py`), the
timer (`alarms.py`), the process under watch (`watches.py`), why it is ended (`endings.py`), what is told
(`stories.py`), what an earlier daemon left (`inheritances.py`). They post facts; steps are made here alone. Must
not know which profiles there are or who asks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from hermesd.domain.errors import GatewayStuck, HermesError, PortInUse, ProfileBusy, ProfileNotFound, TokenInUse
from hermesd.domain.fleet import NO_CHANNEL
from hermesd.domain.gateway import LIVE, Effect, Event, Gateway, ParkedFor, State, step
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus
from hermesd.domain.profile import Home
from hermesd.domain.record import GatewayRecord
from hermesd.domain.runtime import Launch
from hermesd.services.alarms import Alarm
from hermesd.services.checkups import Checkups, Vitals
from hermesd.services.claims import Claims
from hermesd.services.effects import Effects, Started
from hermesd.services.endings import Endings
from hermesd.services.events import Events
from hermesd.services.facts import COMMANDS, Fact, TurnCame, at_rest, is_to_boot, remembered
from hermesd.services.inheritances import Inheritance
from hermesd.services.ledgers import Ledger
from hermesd.services.starts import Starts
from hermesd.services.stories import Story
from hermesd.services.turns import WAITING, Turns
from hermesd.services.watches import Watch

log = logging.getLogger(__name__)


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
        claims: Claims,
        find_home: Callable[[str], Awaitable[Home]],
        stored: GatewayRecord | None = None,
    ) -> None:
        """`stored` is what the store has, if that is known."""
        self.failure: HermesError | None = None
        """Why the last start could not even be made."""
        self._ports = ports
        self._effects = effects
        self._claims = claims
        self._find_home = find_home
        self._facts: asyncio.Queue[Fact | TurnCame] = asyncio.Queue()
        self._turn = asyncio.Lock()
        """Held by whoever changes the record and waits meanwhile."""
        self._is_halted = False
        self._is_let_go = False
        post = self._facts.put_nowait
        self._ledger = Ledger(ports.store, record, home, stored=stored)
        self._story = Story(events, self._ledger)
        self._starts = Starts(ports, policy, turns, self._ledger, post, claims.starts)
        self._endings = Endings(effects, self._ledger, self._story)
        self._alarm = Alarm(ports, policy, effects, self._ledger, self._starts, self._endings, post)
        self._watch = Watch(ports, policy, effects, checkups, self._ledger, self._endings, post)
        self._inheritance = Inheritance(ports, effects, self._ledger, self._story, post)

    @property
    def record(self) -> GatewayRecord:
        """What is remembered of the gateway."""
        return self._ledger.record

    @property
    def home(self) -> Home:
        """Where its profile was last seen."""
        return self._ledger.home

    @property
    def is_up(self) -> bool:
        """Whether its process has been ready and was not told to end since."""
        return self._ledger.is_up

    @property
    def vitals(self) -> Vitals | None:
        """How the process that runs is doing; `None` without one."""
        return self._watch.vitals

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is asked for and is not given to the process that runs."""
        return self._watch.warnings

    async def changed(self) -> None:
        """Returns after the next change of the record.

        Raises:
            ProfileNotFound: the profile is gone, and its gateway is kept no more.
        """
        if not self._is_let_go:
            await self._ledger.changed()
        if self._is_let_go:
            raise _gone(self.home)

    async def run(self) -> None:
        """Applies facts one after the other, for ever."""
        while True:
            fact = await self._facts.get()
            async with self._turn:
                try:
                    await (self._apply(fact) if isinstance(fact, Fact) else self._take_turn(fact))
                except Exception:
                    log.exception("profile=%s event=%s failed", self.home.name, fact)
                    fact.refuse(HermesError("hermesd made a mistake", hint="its log says more"))

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

    def boot(self, *, has_channel: bool) -> None:
        """Starts the gateway if the daemon that comes up has to, or waits until something could reach it."""
        event = Event.START if has_channel else Event.NO_CHANNEL
        self._facts.put_nowait(Fact(event, detail=NO_CHANNEL, is_boot=True))

    def find_channel(self) -> None:
        """Notices that something could reach it now."""
        self._facts.put_nowait(Fact(Event.CHANNEL_FOUND))

    def find_claims_free(self) -> None:
        """Notices that all it waits for was free a moment ago."""
        self._facts.put_nowait(Fact(Event.CLAIM_FREED))

    def find_denied(self, why: str) -> None:
        """Notices on whom it waits. Nobody needs it recorded: the next daemon looks for itself."""
        if self.record.gateway.parked_for is ParkedFor.CLAIM and self.record.detail != why:
            self._ledger.amend(replace(self.record, detail=why))
            self._ledger.wake()

    def follow_home(self, home: Home) -> None:
        """Notices where its home is now, and by which name."""
        self._ledger.home = home

    def lose_home(self) -> None:
        """Notices that the home in which the process was started is gone."""
        self._facts.put_nowait(Fact(Event.HOME_GONE, self.record.spawn_id))

    def examined(self, vitals: Vitals, due: Event | None) -> None:
        """Notices that its process was looked at, and that a restart is due if it is."""
        if due is not None:
            self._facts.put_nowait(Fact(due, vitals.process.spawn_id, detail=vitals.health.detail))
        self._ledger.wake()

    async def resume(self) -> None:
        """Takes up a record that an earlier daemon left: adopts its process, or learns that it is lost."""
        async with self._turn:
            process = await self._inheritance.find()
            if process is not None:
                await self._watch.begin(process)
                self._starts.occupy()
                self._facts.put_nowait(Fact(Event.ADOPTED, self.record.spawn_id))
                return
            await self._inheritance.settle()
            if self.record.gateway.state not in LIVE:
                await self._wait_on()

    async def enable(self, is_enabled: bool, start_order: int | None = None) -> None:
        """Records whether the gateway is started with the daemon, and its place in line unless that stays.

        Raises:
            DiskFull, StateCorrupt, NotPermitted: it could not be recorded, and nothing has changed.
        """
        async with self._turn:
            order = self.record.start_order if start_order is None else start_order
            await self._ledger.save(replace(self.record, is_enabled=is_enabled, start_order=order))
        self._ledger.wake()

    @property
    def is_held(self) -> bool:
        """Whether it was ended, to come back with a `release`."""
        return self._is_halted

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
        self.close()
        async with self._turn:
            if self.record.gateway.state not in LIVE:
                return is_cleared
            if self.record.process is not None:
                is_cleared = await self._effects.end(self.home, self.record, self.record.process)
            stopped = replace(self.record.gateway, state=State.STOPPED, attempts=0, is_stable=False)
            await self._ledger.keep(at_rest(self.record, stopped))
        self._ledger.wake()
        self._claims.stir()
        return is_cleared

    def close(self) -> None:
        """Stops watching; the gateway lives on and the next daemon adopts it."""
        self._alarm.disarm()
        self._starts.leave()
        self._watch.end()

    def let_go(self) -> None:
        """The same for ever, for the profile is gone: whoever waits for this gateway is told so."""
        self.close()
        self._is_let_go = True
        while not self._facts.empty():
            self._facts.get_nowait().refuse(_gone(self.home))
        self._ledger.wake()

    async def _wait_on(self) -> None:
        """Waits again for what the state waits for, at most until the moment that was recorded."""
        wait_s = await self._alarm.wait_s(self.record.gateway, until_s=self.record.next_start_at_s)
        await self._ledger.keep(self._alarm.scheduled(self.record, wait_s))
        self._alarm.arm(wait_s)

    async def _apply(self, fact: Fact) -> None:
        """Makes one step: recorded and told first, carried out then. `_turn` is held from beginning to end."""
        if self._is_stale(fact):
            name = self.home.name
            fact.refuse(ProfileBusy(f"profile '{name}' is being changed", profile=name.text))
            return
        before = self.record.gateway
        after, effects = step(before, fact.event)
        record = self._stepped(fact, after, will_start=Effect.SPAWN in effects)
        has_timer = after.state is not before.state or fact.event in (Event.TIMER, Event.ADOPTED)
        wait_s = await self._alarm.wait_s(after) if has_timer else None
        if not await self._is_recorded(fact, self._alarm.scheduled(record, wait_s)):
            if Effect.SPAWN in effects:
                self._starts.leave()
            return
        self._starts.follow(fact)
        if after.state not in LIVE:
            self._watch.end()
            self._claims.stir()
        if has_timer:
            self._alarm.arm(wait_s)
        fact.accept()
        self._ledger.wake()
        for effect in effects:
            await self._carry_out(effect)

    def _is_stale(self, fact: Fact) -> bool:
        if fact.event is Event.TIMER:
            return self._alarm.is_stale(fact)
        if fact.is_boot and not is_to_boot(self.record.gateway):
            return True
        return self._is_halted or (fact.spawn_id != "" and fact.spawn_id != self.record.spawn_id)

    def _stepped(self, fact: Fact, after: Gateway, *, will_start: bool) -> GatewayRecord:
        """The record after a step."""
        self._endings.note(fact, self.record)
        if fact.event in COMMANDS:
            self.failure = None
        record = remembered(self.record, after, fact, now_s=self._ports.clock.now_s())
        return self._starts.announced(record, fact) if will_start else record

    async def _is_recorded(self, fact: Fact, record: GatewayRecord) -> bool:
        """Records and tells a step. A command that cannot be recorded is refused and changes nothing.

        Other facts have happened all the same. What is told of them is written together with the record: nobody
        waits twice for the disk between a crash and the next start.
        """
        before = self.record.gateway.state
        if fact.recorded is None:
            await asyncio.gather(self._ledger.keep(record), self._story.step(fact, before, record))
            return True
        try:
            await self._ledger.save(record)
        except HermesError as error:
            fact.refuse(error)
            return False
        await self._story.step(fact, before, record)
        return True

    async def _carry_out(self, effect: Effect) -> None:
        record, process = self.record, self.record.process
        match effect:
            case Effect.SPAWN if self._starts.is_over_budget:
                self.failure, fact = self._starts.out_of_budget()
                await self._apply(fact)
            case Effect.SPAWN if not self._starts.is_in_line:  # else its turn begins it
                await self._start()
            case Effect.TERMINATE | Effect.KILL if not self._starts.has_begun:
                self._facts.put_nowait(Fact(Event.LOST, record.spawn_id))
            case Effect.TERMINATE if process is not None:
                await self._effects.terminate(self.home, process)
            case Effect.KILL if process is not None:
                await self._effects.kill(self.home, record, process)
            case Effect.TERMINATE | Effect.KILL:
                lost, now_s = ExitReport(Event.LOST, ExitCause.UNKNOWN), self._ports.clock.now_s()
                self._facts.put_nowait(Fact.of_end(lost, record.spawn_id, ExitStatus(), now_s=now_s))
            case Effect.DUMP if process is not None and not self._endings.is_dumped(process):
                await self._endings.dump(process)
                if record.gateway.state is not State.KILLING:  # its grace begins when it is asked to end
                    self._alarm.arm(await self._alarm.wait_s(record.gateway))
            case Effect.ALERT:
                await self._story.record("gateway.alert", attempts=str(record.gateway.attempts))

    async def _take_turn(self, turn: TurnCame) -> None:
        """Starts what waited, unless that is not wanted any more."""
        if self._starts.is_due(turn) and not self._is_halted:
            await self._start()

    async def _start(self) -> None:
        """Starts a process, or tells the machine at once why there is none."""
        self._starts.has_begun = True
        if self.record.detail == WAITING:
            self._ledger.amend(replace(self.record, detail=""))
            self._alarm.arm(await self._alarm.wait_s(self.record.gateway))
        try:
            self._ledger.home = await self._find_home(self.record.profile_id)
            prepared = await self._effects.prepare(self.home, self.record)
            claiming = replace(self.record, home=self.home, claims=prepared.claims)
            self._ledger.amend(claiming)  # from this moment on, nobody else's start passes
            await self._ledger.keep(claiming)
            started = await self._begin(prepared.launch)
        except HermesError as error:
            self.failure = error
            log.warning("profile=%s not started: %s", self.home.name, error.message)
            await self._apply(self._effects.not_started(error))
            return
        await self._ledger.keep(replace(self.record, process=started.process))
        await self._watch.begin(started.process, has_watchdog=started.has_watchdog)
        self._ledger.wake()

    async def _begin(self, launch: Launch) -> Started:
        await self._starts.charge_bots()
        try:
            return await self._effects.start(self.home, self.record, launch)
        except (TokenInUse, PortInUse):
            await self._starts.refund_bots()
            raise


def _gone(home: Home) -> ProfileNotFound:
    return ProfileNotFound(f"profile '{home.name}' is gone", profile=home.name.text)
