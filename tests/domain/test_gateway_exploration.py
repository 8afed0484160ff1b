"""The gateway machine, explored: its whole reachable state space under everything that can happen.

The promises are in `tests/domain/gateway_invariants.py`, the world they are tried in is
`tests/domain/gateway_model.py`. Nothing here is sampled. That the exploration can fail is tested as well, on
machines with one cell changed.
"""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest

from hermesd.domain.gateway import (
    ALERT_AT,
    LIVE,
    TABLE,
    Effect,
    Event,
    Gateway,
    ParkedFor,
    State,
    Step,
    step,
    timer,
)
from tests.domain.gateway_invariants import INVARIANTS
from tests.domain.gateway_model import COMMANDS, Edge, Exploration, Process, World, describe, edges_from, explore

pytestmark = [pytest.mark.fast, pytest.mark.domain]

EVERY_GATEWAY = [
    Gateway(*values)
    for values in itertools.product(
        State, (False, True), range(ALERT_AT + 2), (False, True), (False, True), (None, *ParkedFor)
    )
]
"""Every gateway there can be, reachable or not, up to one failure beyond the cap."""


@pytest.fixture(scope="module")
def exploration() -> Exploration:
    """The state space, walked once."""
    return explore()


def broken(exploration: Exploration, name: str) -> list[Edge]:
    """The edges that break a promise, those with the shortest stories first."""
    return [edge for edge in exploration.edges if not INVARIANTS[name](edge)]


@pytest.mark.parametrize("name", INVARIANTS)
def test_promise_holds_everywhere(exploration: Exploration, name: str) -> None:
    """Nothing that can happen breaks the promise."""
    offenders = broken(exploration, name)
    assert not offenders, f"{INVARIANTS[name].__doc__}\n{exploration.story(offenders[0])}"


def test_table_is_total() -> None:
    """Every state has a cell for every event."""
    assert {state: set(row) for state, row in TABLE.items()} == {state: set(Event) for state in State}


def test_step_never_raises() -> None:
    """Even a gateway that cannot come about takes every event, and its timer can be asked."""
    for gateway, event in itertools.product(EVERY_GATEWAY, Event):
        stepped, effects = step(gateway, event)
        assert isinstance(stepped, Gateway)
        assert all(isinstance(effect, Effect) for effect in effects)
        timer(stepped)


def test_step_is_pure() -> None:
    """The same gateway and event always give the same step."""
    for gateway, event in itertools.product(EVERY_GATEWAY, Event):
        assert step(gateway, event) == step(replace(gateway), event)


def test_wish_changes_by_command_alone_whatever_the_gateway() -> None:
    """No event but a command touches the wish, even of a gateway that cannot come about."""
    for gateway, event in itertools.product(EVERY_GATEWAY, set(Event) - COMMANDS):
        assert step(gateway, event)[0].wanted_up is gateway.wanted_up


def test_failures_beyond_the_tenth_are_alike() -> None:
    """The cap of the exploration hides nothing: beyond it the machine does the same for any number."""
    for gateway, event in itertools.product((g for g in EVERY_GATEWAY if g.attempts > ALERT_AT), Event):
        more, effects = step(replace(gateway, attempts=gateway.attempts + 7), event)
        same, same_effects = step(gateway, event)
        grown = 0 if same.attempts == 0 else same.attempts + 7
        assert (more, effects) == (replace(same, attempts=grown), same_effects)


def test_everything_is_visited(exploration: Exploration) -> None:
    """The exploration reaches every state, and each event happens in it."""
    assert {world.gateway.state for world in exploration.worlds} == set(State)
    assert {edge.event for edge in exploration.edges} - {None} == set(Event)
    assert {world.process for world in exploration.worlds} == set(Process) - {Process.DOUBLE}


def test_spawns_where_nothing_is(exploration: Exploration) -> None:
    """A spawn leads to STARTING, and signals lead to the states in which an end is awaited."""
    for edge in exploration.edges:
        state = edge.after.gateway.state
        if Effect.SPAWN in edge.effects:
            assert state is State.STARTING, exploration.story(edge)
        if {Effect.TERMINATE, Effect.KILL} & set(edge.effects):
            assert state in LIVE - {State.STARTING, State.RUNNING}, exploration.story(edge)


def fair_continuations(worlds: Iterable[World]) -> dict[World, set[World]]:
    """What `worlds` may become while nobody commands and no process comes from nowhere, no-ops left out."""
    graph: dict[World, set[World]] = {}
    waiting = list(worlds)
    while waiting:
        world = waiting.pop()
        if world in graph:
            continue
        graph[world] = {
            edge.after
            for edge in edges_from(world)
            if edge.event not in COMMANDS and not edge.is_surprise and edge.after != world
        }
        waiting.extend(graph[world])
    return graph


def without_end(graph: dict[World, set[World]]) -> set[World]:
    """The worlds from which one can go on for ever: what is left when dead ends are taken away, one by one."""
    left = dict(graph)
    while dead_ends := {world for world, nexts in left.items() if not nexts & left.keys()}:
        for world in dead_ends:
            del left[world]
    return set(left)


def test_stop_always_settles(exploration: Exploration) -> None:
    """After a stop there is no endless way, and every way ends stopped, unwanted and without a process."""
    stopped = {edge.after for edge in exploration.edges if edge.event is Event.STOP}
    graph = fair_continuations(stopped)
    assert not without_end(graph), "\n".join(map(describe, without_end(graph)))
    ends = [world for world, nexts in graph.items() if not nexts]
    assert {(world.gateway, world.process) for world in ends} == {(Gateway(), Process.NONE)}


def test_nothing_starts_after_a_stop(exploration: Exploration) -> None:
    """After a stop no spawn is asked for until a person asks for one."""
    graph = fair_continuations(edge.after for edge in exploration.edges if edge.event is Event.STOP)
    for world in graph:
        for edge in edges_from(world):
            assert edge.event in COMMANDS or Effect.SPAWN not in edge.effects, f"{describe(world)}\n{edge}"


@pytest.mark.parametrize("command", [Event.START, Event.RESTART])
def test_start_always_leads_to_a_new_start_or_keeps_what_runs(exploration: Exploration, command: Event) -> None:
    """After a start or restart the gateway is wanted, and comes, runs, or is first ended without failures left."""
    expected = {State.STARTING, State.RUNNING, State.STOPPING, State.KILLING}
    for edge in (edge for edge in exploration.edges if edge.event is command):
        gateway = edge.after.gateway
        assert gateway.wanted_up, exploration.story(edge)
        assert gateway.state in expected, exploration.story(edge)
        assert gateway.state in {State.STARTING, State.RUNNING} or gateway.attempts == 0, exploration.story(edge)


def test_wanted_gateways_can_always_come_back(exploration: Exploration) -> None:
    """From wherever a wanted gateway is, unless it failed for good, it can run again without a command."""
    reaches: dict[World, set[World]] = {}
    for edge in exploration.edges:
        if edge.event not in COMMANDS and not edge.is_surprise:
            reaches.setdefault(edge.after, set()).add(edge.before)
    running = [world for world in exploration.worlds if world.gateway.state is State.RUNNING]
    able = set(running)
    while running:
        for earlier in reaches.get(running.pop(), set()) - able:
            able.add(earlier)
            running.append(earlier)
    for world in exploration.worlds:
        if world.gateway.wanted_up and world.gateway.state is not State.FAILED:
            assert world in able, describe(world)


MUTANTS = [
    (State.BACKOFF, Event.START, State.STARTING, True, (Effect.SPAWN, Effect.SPAWN), "never_two_processes"),
    (State.RUNNING, Event.RESTART, State.STARTING, True, (Effect.SPAWN,), "never_two_processes"),
    (State.BACKOFF, Event.STOP, State.STOPPING, False, (Effect.TERMINATE,), "never_a_signal_to_nobody"),
    (State.STOPPING, Event.CRASHED, State.STOPPING, None, (), "live_states_and_processes_agree"),
    (State.RUNNING, Event.HUNG, State.KILLING, None, (Effect.TERMINATE, Effect.KILL), "at_most_one_deed"),
    (State.RUNNING, Event.CRASHED, State.STOPPED, False, (), "wish_follows_commands_only"),
    (State.RUNNING, Event.CRASHED, State.STOPPED, None, (), "unwanted_gateways_rest_or_end"),
    (State.RUNNING, Event.CRASHED, State.PARKED, None, (), "never_silent"),
    (State.STOPPING, Event.TIMER, State.STOPPING, None, (Effect.TERMINATE,), "impatience_escalates"),
    (State.STARTING, Event.CRASHED, State.FAILED, None, (), "fails_for_named_reasons_only"),
    (State.STARTING, Event.CLAIM_DENIED, State.PARKED, None, (), "parks_for_named_reasons_only"),
    (
        State.PARKED,
        Event.CLAIM_FREED,
        State.STARTING,
        None,
        (Effect.SPAWN,),
        "parked_leaves_for_named_reasons_only",
    ),
    (State.STARTING, Event.CRASHED, State.BACKOFF, None, (Effect.ALERT,), "alerts_once_at_the_tenth"),
    (State.RUNNING, Event.TIMER, State.RUNNING, None, (), "stable_forgets_failures"),
    (State.RUNNING, Event.HUNG, State.STOPPING, None, (Effect.TERMINATE,), "looked_at_before_it_is_ended"),
    (State.RUNNING, Event.UNWELL, State.STOPPING, None, (Effect.DUMP, Effect.TERMINATE), "flapping_slows_down"),
    (State.STARTING, Event.TIMER, State.STOPPING, None, (Effect.TERMINATE,), "failed_starts_count"),
    (State.STARTING, Event.CRASHED, State.STARTING, None, (Effect.SPAWN,), "starts_for_named_reasons_only"),
    (State.STARTING, Event.PORT_TAKEN, State.BACKOFF, None, (), "port_delay_is_for_ports"),
]
"""One cell changed: in this state this event leads there, with this wish (`None`: the old one) and effects, and
breaks that promise."""


@pytest.mark.parametrize(("state", "event", "target", "wish", "effects", "name"), MUTANTS)
def test_exploration_can_fail(
    state: State, event: Event, target: State, wish: bool | None, effects: tuple[Effect, ...], name: str
) -> None:
    """A machine with one wrong cell breaks the promise that forbids it."""

    def mutant(gateway: Gateway, happened: Event) -> Step:
        if gateway.state is not state or happened is not event:
            return step(gateway, happened)
        wanted_up = gateway.wanted_up if wish is None else wish
        return replace(gateway, state=target, wanted_up=wanted_up, is_stable=False, is_port_taken=False), effects

    assert broken(explore(mutant), name)
