"""Many gateways through a long time: a world that does anything to a daemon, on a clock that costs nothing.

Owns: what happens when, and what must hold after each step. Must not know how services do their work: it sees
their records, and the processes and signals of the fake backend.
"""

import heapq
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count

from hermesd.domain.errors import DiskFull, HermesError, NotPermitted, PortInUse, RuntimeMissing
from hermesd.domain.gateway import LIVE, State
from hermesd.domain.operation import OperationState
from hermesd.domain.policy import Policy
from hermesd.domain.process import ExitCause, ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord
from hermesd.domain.settings import Settings
from hermesd.services.keepers import CHECK_S
from hermesd.services.turns import WAITING
from tests.services.house import REQUESTER
from tests.services.simulated_ports import RandomHouse

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
STUCK_S = 5 * MINUTE_S
SLACK_S = 1.0
POLICY = Policy()

LONGEST_S = {
    State.STARTING: POLICY.start_limit_s + SLACK_S,
    State.STOPPING: POLICY.grace_extra_s + SLACK_S,
    State.BACKOFF: POLICY.backoff_rare_s * (1 + POLICY.jitter) + SLACK_S,
    State.PARKED: DAY_S + SLACK_S,
}
"""How long a gateway may stay in a state while a daemon runs; in the others, as long as their cause lasts."""

AT_REST = frozenset(State) - LIVE
WRITES = ("save_gateway", "save_operation", "append_event")
REFUSALS: tuple[HermesError, ...] = (
    DiskFull("no space is left"),
    NotPermitted("the log cannot be opened"),
    RuntimeMissing("the program is not there"),
    HermesError("the system has no process left"),
)

Deed = Callable[[], Awaitable[None]]


@dataclass
class Stay:
    """A stay of a gateway in one state."""

    record: GatewayRecord
    since_s: float
    """On the clock that stands still with the machine."""


@dataclass
class Simulation:
    """A fleet and everything that happens to it. `run` it; after each step the invariants are checked."""

    rng: random.Random
    gateways: int
    step_s: float
    """Mean time between two deeds of the world."""
    life_s: float
    """Mean life of a process that nobody ends."""
    checked_every: int = 1
    """After how many steps every gateway is looked at; the one at hand is after each."""
    housekeeping_s: float = CHECK_S
    """How often the services look whether homes are still there."""
    wishes: dict[str, bool] = field(default_factory=dict)
    deeds: Counter[str] = field(default_factory=Counter)
    """What the world did, and how often."""

    def __post_init__(self) -> None:
        policy = replace(POLICY, look_s=self.housekeeping_s)
        self.house = RandomHouse(rng=self.rng, settings=Settings(policy))
        self.house.chance.started = self._plan_end
        self._plans: list[tuple[float, int, Deed]] = []
        self._order = count()
        self._stays: dict[str, Stay] = {}
        self._is_stuck_until_s = 0.0
        self._is_open = True
        self._open_since_s = 0.0
        self._frozen: set[str] = set()
        """Gateways that ever hung."""

    async def run(self, duration_s: float) -> None:
        """Lives through so much time."""
        await self.house.open()
        names = [f"g{number:04d}" for number in range(self.gateways)]
        await self.house.furnish(*names)
        await self.house.chance.add_stranger()
        for name in names:
            self.wishes[name] = False
            await self._command("start", name)
        end_s = self._now_s + duration_s
        for number in count():
            await self._let_pass(self.rng.expovariate(1 / self.step_s))
            if self._now_s >= end_s:
                break
            touched = await self._do_something()
            await self.house.clock.settle()
            await self._check(self.wishes if number % self.checked_every == 0 else touched)
        await self._let_pass(HOUR_S)
        await self._check(self.wishes)
        await self.house.close()

    @property
    def _homeless_s(self) -> float:
        """How soon a gateway whose home is gone has been noticed and ended."""
        return self.housekeeping_s + POLICY.grace_extra_s + MINUTE_S

    @property
    def _hung_s(self) -> float:
        """How soon a loop that stopped has been noticed."""
        return POLICY.start_limit_s + POLICY.hung_after_s + 3 * self.housekeeping_s

    @property
    def _now_s(self) -> float:
        return self.house.clock.monotonic_s()

    def _plan(self, after_s: float, deed: Deed) -> None:
        heapq.heappush(self._plans, (self._now_s + after_s, next(self._order), deed))

    async def _let_pass(self, seconds: float) -> None:
        """Time goes by, and what was planned happens."""
        end_s = self._now_s + seconds
        while self._plans and self._plans[0][0] <= end_s:
            due_s, _, deed = heapq.heappop(self._plans)
            await self.house.clock.advance(max(due_s - self._now_s, 0.0))
            await deed()
        await self.house.clock.advance(max(end_s - self._now_s, 0.0))

    async def _do_something(self) -> Iterable[str]:
        """One deed, to one gateway or to the machine; returns whom it concerns."""
        name = self.rng.choice(sorted(self.wishes))
        kind = self.rng.choices(list(DEEDS), [weight for weight, _ in DEEDS.values()])[0]
        self.deeds[kind] += 1
        await DEEDS[kind][1](self, name)
        return [name] if name in self.wishes else []

    async def start(self, name: str) -> None:
        """Somebody wants it up."""
        await self._command("start", name)

    async def stop(self, name: str) -> None:
        """Somebody wants it down; otherwise all of them would be, sooner or later, so soon up again."""
        await self._command("stop", name)
        self._plan(self.rng.expovariate(1 / DAY_S), lambda: self._command("start", name))

    async def restart(self, name: str) -> None:
        """Somebody wants it afresh."""
        await self._command("restart", name)

    async def crash(self, name: str) -> None:
        """Its process ends."""
        self._end(name)

    async def crash_in_a_loop(self, name: str) -> None:
        """For a while every process of it ends soon."""
        for number in range(self.rng.randint(5, 40)):
            self._plan(number * 20.0, lambda: self.crash(name))

    async def freeze(self, name: str) -> None:
        """Its loop stops, and its process lives on."""
        process = self.house.chance.living().get(name)
        if process is not None:
            self.house.patient.freeze(process)
            self._frozen.add(name)
            self._plan(self._hung_s, lambda: self._look_for_frozen(name, process))

    async def _look_for_frozen(self, name: str, process: ProcessIdentity) -> None:
        if self.house.chance.living().get(name) != process or name not in self.wishes:
            return
        is_told = self._is_open and await self.house.state(name) is not State.RUNNING
        is_early = not self._is_open or self._now_s < self._open_since_s + self._hung_s
        if is_early or is_told or self._now_s < self._is_stuck_until_s:
            self._plan(self._hung_s, lambda: self._look_for_frozen(name, process))
        else:
            self.house.chance.violations.append(f"{name} hangs, and nobody ends it")

    async def restart_daemon(self, _: str) -> None:
        """The daemon dies, some gateways with it, and after a while there is another one."""
        victims = self.rng.sample(sorted(self.wishes), self.rng.randint(0, min(3, len(self.wishes))))
        await self._be_without_daemon(victims, self.rng.choice((0.0, 1.0, HOUR_S)))

    async def restart_machine(self, _: str) -> None:
        """Nothing survives but what is recorded."""
        await self._be_without_daemon(list(self.house.chance.living()), 0.0)

    async def _be_without_daemon(self, victims: Iterable[str], seconds: float) -> None:
        self._is_open = False
        await self.house.close()
        for name in victims:
            self._end(name)
        await self._let_pass(seconds)
        self._stays.clear()
        await self.house.open()
        self._is_open, self._open_since_s = True, self._now_s

    async def fill_disk(self, _: str) -> None:
        """Nothing can be recorded for a while."""
        for method in WRITES:
            self.house.store.faults.arm(method, DiskFull("no space is left"))
        self._plan(self.rng.expovariate(1 / HOUR_S), self._free_disk)

    async def _free_disk(self) -> None:
        for method in WRITES:
            self.house.store.faults.disarm(method)

    async def suspend(self, _: str) -> None:
        """The machine sleeps: only the wall clock goes on."""
        self.house.clock.jump(self.rng.expovariate(1 / DAY_S))

    async def set_clock(self, _: str) -> None:
        """The wall clock is set, forward or back."""
        self.house.clock.jump(self.rng.gauss(0, 30 * DAY_S))

    async def refuse(self, name: str) -> None:
        """The next start, whoever's it is, fails; one that no waiting mends is mended by a person."""
        self.house.chance.refuse_next(self.rng.choice(REFUSALS))
        self._end(name)
        self._plan(self.rng.expovariate(1 / DAY_S), self._mend_all)

    async def _mend_all(self) -> None:
        for name in sorted(self.wishes):
            if self.wishes[name] and await self.house.state(name) is State.FAILED:
                await self._command("start", name)

    async def take_port(self, name: str) -> None:
        """A stranger holds its port for a while."""
        self.house.agent.refusals[name] = PortInUse("port 8643 is in use")
        self._end(name)
        self._plan(self.rng.expovariate(1 / HOUR_S), lambda: self._free_port(name))

    async def _free_port(self, name: str) -> None:
        self.house.agent.refusals.pop(name, None)

    async def start_elsewhere(self, name: str) -> None:
        """Somebody starts a gateway of this home without hermesd, while ours is not there."""
        self._end(name)
        self.house.agent.foreign[name] = 99
        self._plan(self.rng.expovariate(1 / HOUR_S), lambda: self._end_elsewhere(name))

    async def _end_elsewhere(self, name: str) -> None:
        self.house.agent.foreign.pop(name, None)

    async def get_stuck(self, _: str) -> None:
        """Something survives SIGKILL for a while."""
        self.house.chance.is_stuck = True
        self._is_stuck_until_s = self._now_s + STUCK_S + POLICY.kill_retry_s + SLACK_S
        self._plan(STUCK_S, self._get_loose)

    async def _get_loose(self) -> None:
        if self._now_s >= self._is_stuck_until_s - POLICY.kill_retry_s - 2 * SLACK_S:
            await self.house.chance.get_loose()

    async def remove_home(self, name: str) -> None:
        """Somebody deletes a home behind the daemon's back, and may make another one in its place at once."""
        if len(self.wishes) < self.gateways / 2:
            return
        self.house.homes.drop(name)
        self.house.agent.lived_in.discard(name)
        del self.wishes[name]
        self._stays.pop(name, None)
        has_heir = self.rng.random() < 0.5
        is_wanted = False
        if has_heir:
            self.house.homes.add(name)
            is_wanted = await self._ask("start", name)
        self._plan(self._homeless_s, lambda: self._look_for_homeless(name, has_heir=has_heir, is_wanted=is_wanted))

    async def restore_home(self, name: str) -> None:
        """Somebody replaces a home by what a backup has of it; the profile is the same one."""
        self.house.homes.replace(name)
        self.house.agent.lived_in.add(name)

    async def _look_for_homeless(self, name: str, *, has_heir: bool, is_wanted: bool) -> None:
        is_stuck = self._now_s < self._is_stuck_until_s + self._homeless_s
        if is_stuck or not self._is_open:
            if is_stuck:
                await self._get_loose()
            self._plan(
                self._homeless_s, lambda: self._look_for_homeless(name, has_heir=has_heir, is_wanted=is_wanted)
            )
        elif has_heir:
            self.wishes[name] = is_wanted
        elif name in self.house.chance.living():
            self.house.chance.violations.append(f"{name} has no home and still a process")

    async def _command(self, verb: str, name: str) -> None:
        if name in self.wishes and await self._ask(verb, name):
            self.wishes[name] = verb != "stop"

    async def _ask(self, verb: str, name: str) -> bool:
        """Asks for something; says whether that is now the wish."""
        if not self._is_open:
            return False
        gateways = self.house.services.gateways
        ask = {"start": gateways.start, "stop": gateways.stop, "restart": gateways.restart}[verb]
        try:
            operation = await ask(ProfileName(name), REQUESTER)
        except HermesError:
            return False
        error = operation.error
        is_refused = operation.state is OperationState.FAILED and error is not None
        return not (is_refused and error is not None and error.reason == DiskFull.reason)

    def _end(self, name: str) -> None:
        process = self.house.chance.living().get(name)
        if process is not None:
            self.house.chance.leaves_tree = self.rng.random() < 0.2
            self.house.chance.exit(process.pid, self.house.chance.random_status())

    def _plan_end(self, process: ProcessIdentity, name: str) -> None:
        async def end() -> None:
            if self.house.chance.living().get(name) == process:
                self._end(name)

        self._plan(self.rng.expovariate(1 / self.life_s), end)

    async def _check(self, names: Iterable[str]) -> None:
        assert not self.house.chance.violations, self.house.chance.violations
        living = self.house.chance.living()
        for name in names:
            record = await self.house.record(name)
            fault = self._fault(name, record, living.get(name))
            assert not fault, f"{self._now_s:.1f} {name}: {fault}: {record}, process {living.get(name)}"

    def _fault(self, name: str, record: GatewayRecord, process: ProcessIdentity | None) -> str:
        """What is wrong with a gateway; empty if nothing is."""
        state, is_stuck = record.gateway.state, self._now_s <= self._is_stuck_until_s
        if record.gateway.wanted_up is not self.wishes[name]:
            return "its wish was changed by nobody"
        if process is not None and (state in AT_REST or record.process != process) and not is_stuck:
            return "it has a process that it knows nothing of"
        is_in_line = state is State.STARTING and record.detail == WAITING
        if process is None and state in (State.STARTING, State.RUNNING) and not (is_stuck or is_in_line):
            return "it has no process"
        if record.last_exit and record.last_exit.cause is ExitCause.HUNG and name not in self._frozen:
            return "it was ended although it was well"
        if state is State.STOPPED and record.gateway.wanted_up:
            return "it is wanted and forgotten"
        if self._overstay_s(name, record) > 0 and not (is_stuck or is_in_line):
            return "it waits too long"
        return ""

    def _overstay_s(self, name: str, record: GatewayRecord) -> float:
        """How much longer than allowed a gateway has been in its state."""
        stay = self._stays.get(name)
        is_same = stay is not None and (stay.record.since_s, stay.record.spawn_id, stay.record.gateway.state) == (
            record.since_s,
            record.spawn_id,
            record.gateway.state,
        )
        is_same = is_same and (stay is None or (stay.record.detail == WAITING) == (record.detail == WAITING))
        if stay is None or not is_same:
            stay = self._stays[name] = Stay(record, self._now_s)
        return self._now_s - stay.since_s - LONGEST_S.get(record.gateway.state, float("inf"))


DEEDS: dict[str, tuple[int, Callable[[Simulation, str], Awaitable[None]]]] = {
    "start": (10, Simulation.start),
    "stop": (10, Simulation.stop),
    "restart": (10, Simulation.restart),
    "crash": (30, Simulation.crash),
    "crash in a loop": (3, Simulation.crash_in_a_loop),
    "freeze": (5, Simulation.freeze),
    "restart daemon": (5, Simulation.restart_daemon),
    "restart machine": (1, Simulation.restart_machine),
    "fill disk": (3, Simulation.fill_disk),
    "suspend": (3, Simulation.suspend),
    "set clock": (3, Simulation.set_clock),
    "refuse": (5, Simulation.refuse),
    "take port": (3, Simulation.take_port),
    "start elsewhere": (3, Simulation.start_elsewhere),
    "get stuck": (1, Simulation.get_stuck),
    "remove home": (1, Simulation.remove_home),
    "restore home": (2, Simulation.restore_home),
}
"""What the world does, with its weight."""
