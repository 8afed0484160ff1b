"""A closed model of one gateway: the machine, the process it drives, and all that can happen to both.

Owns: which events are possible when, and what effects do to the process. It is generous to trouble: a spawn takes
a while, signals to a process that is not there yet are lost, a killed process may linger, an end is noticed late,
the daemon may be replaced at any moment. Failures beyond the cap are not told apart, which the machine does not
do either, so the model is finite. Must not know which behaviour is right: the tests do.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from hermesd.domain.gateway import ALERT_AT, Effect, Event, Gateway, Step, step, timer

ATTEMPTS_CAP = ALERT_AT + 1
RELAPSES_CAP = 2
"""What a restart for health adds to is not told apart beyond this: one before, and one on top."""


class Process(StrEnum):
    """What is really there."""

    NONE = "none"
    ORDERED = "ordered"
    """A spawn is asked for and neither done nor refused."""
    ALIVE = "alive"
    TOLD = "told"
    """It got SIGTERM."""
    KILLED = "killed"
    """It got SIGKILL and has not gone yet."""
    ENDED = "ended"
    """It has ended and the machine has not heard of it."""
    DOUBLE = "double"
    """A spawn was asked for while there was one: what must never be."""


BREATHING = frozenset({Process.ALIVE, Process.TOLD, Process.KILLED})
COMMANDS = frozenset({Event.START, Event.STOP, Event.RESTART})
EXITS = (Event.CRASHED, Event.RESTART_REQUESTED, Event.MISCONFIGURED, Event.PORT_TAKEN)
REFUSALS = (
    Event.SPAWN_FAILED,
    Event.SPAWN_IMPOSSIBLE,
    Event.CLAIM_DENIED,
    Event.BUDGET_SPENT,
    Event.PORT_TAKEN,
)
REMARKS = (Event.READY, Event.HUNG, Event.UNWELL, Event.LIMIT_HIT, Event.HOME_GONE)
"""What is said of a process while it lives, or arrives late."""


@dataclass(frozen=True)
class World:
    """The machine and what is really there."""

    gateway: Gateway
    process: Process = Process.NONE
    is_alerted: bool = False
    """Whether people were told in the present crash loop."""


@dataclass(frozen=True)
class Edge:
    """One thing that happened. Without an event, only the process changed."""

    before: World
    event: Event | None
    effects: tuple[Effect, ...]
    after: World
    is_surprise: bool = False
    """Whether a process came from nowhere, which no fair continuation contains."""

    def __str__(self) -> str:
        effects = f" ({', '.join(self.effects)})" if self.effects else ""
        event = self.event or "meanwhile"
        return f"--{event}{effects}--> {describe(self.after)}"


Stepper = Callable[[Gateway, Event], Step]


def describe(world: World) -> str:
    """A world on one line."""
    gateway = world.gateway
    flags = [
        "up" if gateway.wanted_up else "down",
        *(["stable"] if gateway.is_stable else []),
        *(["port"] if gateway.is_port_taken else []),
        *([f"for {gateway.parked_for}"] if gateway.parked_for else []),
        *([f"relapses={gateway.relapses}"] if gateway.relapses else []),
        *(["alerted"] if world.is_alerted else []),
    ]
    return f"{gateway.state} [{' '.join(flags)} attempts={gateway.attempts} process={world.process}]"


@dataclass(frozen=True)
class Exploration:
    """Everything that can happen, from a fresh gateway on."""

    edges: tuple[Edge, ...]
    first_edges: dict[World, Edge | None]
    """The edge by which each world was reached first, hence by a shortest path."""

    @property
    def worlds(self) -> list[World]:
        """Every reachable world."""
        return list(self.first_edges)

    def story(self, edge: Edge) -> str:
        """A shortest way to `edge`, a line a step, for people."""
        steps = [edge]
        while (earlier := self.first_edges[steps[0].before]) is not None:
            steps.insert(0, earlier)
        return "\n".join([describe(steps[0].before), *map(str, steps)])


def explore(machine: Stepper = step) -> Exploration:
    """Visits the whole reachable state space of `machine`, breadth first."""
    start = World(Gateway())
    first_edges: dict[World, Edge | None] = {start: None}
    edges: list[Edge] = []
    queue = deque([start])
    while queue:
        for edge in edges_from(queue.popleft(), machine):
            edges.append(edge)
            if edge.after not in first_edges:
                first_edges[edge.after] = edge
                queue.append(edge.after)
    return Exploration(tuple(edges), first_edges)


def edges_from(world: World, machine: Stepper = step) -> Iterator[Edge]:
    """Everything that can happen in `world`."""
    for process in quiet_changes(world.process):
        yield Edge(world, None, (), replace(world, process=process))
    for event, process in possible_events(world):
        gateway, effects = machine(world.gateway, event)
        gateway = replace(
            gateway,
            attempts=min(gateway.attempts, ATTEMPTS_CAP),
            relapses=min(gateway.relapses, RELAPSES_CAP),
        )
        after = World(gateway, driven(process, effects), is_alerted(world, gateway, effects))
        surprise = event is Event.ADOPTED and world.process is Process.NONE
        yield Edge(world, event, effects, after, surprise)


def quiet_changes(process: Process) -> Iterator[Process]:
    """What the process may become without the machine hearing of it."""
    if process is Process.ORDERED:
        yield Process.ALIVE
    if process in BREATHING:
        yield Process.ENDED


def possible_events(world: World) -> Iterator[tuple[Event, Process]]:
    """Every event that can arrive, and what the process is at that moment, before any effect."""
    process = world.process
    for event in (*COMMANDS, Event.CLAIM_FREED, Event.CHANNEL_FOUND):
        yield event, process
    if process is Process.NONE:
        yield Event.NO_CHANNEL, process
    if timer(world.gateway) is not None:
        yield Event.TIMER, process
    if process is Process.ORDERED:
        for refusal in REFUSALS:
            yield refusal, Process.NONE
    if process in BREATHING or process is Process.ENDED:
        for remark in REMARKS:
            yield remark, process
    if process is Process.ENDED:
        for exit_event in EXITS:
            yield exit_event, Process.NONE
    yield from findings(process)


def findings(process: Process) -> Iterator[tuple[Event, Process]]:
    """What a new daemon may find: the process, no process, or one that nobody expected."""
    if process in BREATHING:
        yield Event.ADOPTED, process
    if process in {Process.ORDERED, Process.NONE}:
        yield Event.ADOPTED, Process.ALIVE
    if process in {Process.ORDERED, Process.NONE, Process.ENDED}:
        yield Event.LOST, Process.NONE


def driven(process: Process, effects: tuple[Effect, ...]) -> Process:
    """What the process becomes when `effects` are carried out."""
    for effect in effects:
        match effect:
            case Effect.SPAWN:
                process = Process.ORDERED if process is Process.NONE else Process.DOUBLE
            case Effect.TERMINATE if process is Process.ALIVE:
                process = Process.TOLD
            case Effect.KILL if process in BREATHING:
                process = Process.KILLED
            case Effect.TERMINATE | Effect.KILL | Effect.ALERT | Effect.DUMP:
                pass
    return process


def is_alerted(world: World, gateway: Gateway, effects: tuple[Effect, ...]) -> bool:
    """Whether people know of the crash loop that `gateway` is in."""
    return gateway.attempts > 0 and (world.is_alerted or Effect.ALERT in effects)
