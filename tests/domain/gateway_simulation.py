"""One gateway in virtual time: the machine, its timers, and a process that behaves as a test says.

Owns: the clock, the queue of what is to happen, and which process an event is about. Must not know which
behaviour is right: the tests do. A virtual year takes seconds.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from hermesd.domain.gateway import Effect, Event, Gateway, step, timer
from hermesd.domain.policy import Policy, delay_s

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

Script = list[tuple[float, Event]]
"""What a fresh process does of itself: seconds after its spawn and the event."""

EXITS = frozenset(
    {
        Event.CRASHED,
        Event.RESTART_REQUESTED,
        Event.MISCONFIGURED,
        Event.PORT_TAKEN,
        Event.SPAWN_FAILED,
        Event.SPAWN_IMPOSSIBLE,
        Event.CLAIM_DENIED,
        Event.BUDGET_SPENT,
        Event.LOST,
    }
)
"""Events after which there is no process."""


@dataclass(frozen=True)
class Behaviour:
    """How the processes of one gateway behave."""

    script: Callable[[], Script]
    """Called at each spawn."""
    ends_after_s: Callable[[Effect], float | None] = lambda _: 0.1
    """Seconds from a signal to the end; `None` if the process does not care."""


@dataclass
class Simulation:
    """One gateway. `happen` posts an event, `run_until` lets time pass."""

    behaviour: Behaviour
    roll: Callable[[], float]
    policy: Policy = Policy()
    gateway: Gateway = Gateway()
    now_s: float = 0.0
    spawn: int = 0
    """Number of the present or last process."""
    is_alive: bool = False
    starts_s: list[float] = field(default_factory=list)
    alerts_s: list[float] = field(default_factory=list)
    without_process_since_s: float = 0.0
    longest_silence_s: float = 0.0
    """The longest time without a process that ended because it was over."""
    trace: list[str] = field(default_factory=list)
    """What happened last, for people."""

    def __post_init__(self) -> None:
        self._order = itertools.count()
        self._queue: list[tuple[float, int, Event, int]] = []
        self._timer_due_s: float | None = None

    def run_until(self, end_s: float) -> None:
        """Lets everything happen that is due until `end_s`."""
        while (due_s := self._next_due_s()) is not None and due_s <= end_s:
            self.now_s = due_s
            if self._timer_due_s == due_s:
                self.happen(Event.TIMER)
                continue
            _, _, event, spawn = heapq.heappop(self._queue)
            if spawn == self.spawn and self.is_alive:
                self.happen(event)
        self.now_s = end_s

    def happen(self, event: Event) -> None:
        """Posts one event now, and carries out what the machine asks for."""
        before = self.gateway
        if event in EXITS:
            self._end_process()
        self.gateway, effects = step(before, event)
        entered = self.gateway.state is not before.state or Effect.SPAWN in effects
        if entered or event in {Event.TIMER, Event.ADOPTED}:
            self._arm_timer()
        for effect in effects:
            self._carry_out(effect, event)
        self.trace = [*self.trace[-30:], f"{self.now_s:.1f} {event} {before} -> {self.gateway} {effects}"]

    def _next_due_s(self) -> float | None:
        due = [self._queue[0][0]] if self._queue else []
        due += [self._timer_due_s] if self._timer_due_s is not None else []
        return min(due, default=None)

    def _arm_timer(self) -> None:
        waits_for = timer(self.gateway)
        if waits_for is None:
            self._timer_due_s = None
            return
        delay = delay_s(self.policy, self.gateway, waits_for, drain_s=10.0, roll=self.roll())
        self._timer_due_s = self.now_s + delay

    def _carry_out(self, effect: Effect, cause: Event) -> None:
        match effect:
            case Effect.ALERT:
                self.alerts_s.append(self.now_s)
            case Effect.DUMP:
                assert self.is_alive, "\n".join(["a look at nobody", *self.trace])
            case Effect.SPAWN:
                self._spawn(cause)
            case Effect.TERMINATE | Effect.KILL:
                assert self.is_alive, "\n".join(["a signal to nobody", *self.trace])
                after_s = self.behaviour.ends_after_s(effect)
                if after_s is not None:
                    self._post(after_s, Event.CRASHED)

    def _spawn(self, cause: Event) -> None:
        assert not self.is_alive, "\n".join(["two processes", *self.trace])
        if cause is Event.TIMER:
            self.longest_silence_s = max(self.longest_silence_s, self.now_s - self.without_process_since_s)
        self.is_alive = True
        self.spawn += 1
        self.starts_s.append(self.now_s)
        for after_s, event in self.behaviour.script():
            self._post(after_s, event)

    def _end_process(self) -> None:
        self.is_alive = False
        self.without_process_since_s = self.now_s

    def _post(self, after_s: float, event: Event) -> None:
        heapq.heappush(self._queue, (self.now_s + after_s, next(self._order), event, self.spawn))


def most_within(moments_s: list[float], span_s: float) -> int:
    """The largest number of moments in any half-open window of `span_s` seconds, give or take a microsecond."""
    most, first = 0, 0
    for last, moment_s in enumerate(moments_s):
        while moment_s - moments_s[first] > span_s - 1e-6:
            first += 1
        most = max(most, last - first + 1)
    return most
