"""What must hold for everything that can happen to a gateway, as named predicates on one edge of the model.

Owns: the promises. Must not know how the state space is walked.
"""

from collections.abc import Callable

from hermesd.domain.gateway import ALERT_AT, LIVE, Effect, Event, ParkedFor, State, Timer, timer
from tests.domain.gateway_model import Edge, Process

WISHES = {Event.START: True, Event.RESTART: True, Event.STOP: False}
SIGNALS = {Effect.TERMINATE, Effect.KILL}
INTO_FAILED = {Event.MISCONFIGURED, Event.SPAWN_IMPOSSIBLE}
INTO_PARKED = {Event.CLAIM_DENIED: ParkedFor.CLAIM, Event.BUDGET_SPENT: ParkedFor.BUDGET}


def never_two_processes(edge: Edge) -> bool:
    """A spawn is asked for only when there is no process, nor one on its way."""
    return edge.after.process is not Process.DOUBLE


def never_a_signal_to_nobody(edge: Edge) -> bool:
    """A signal is sent only where a process is, or is on its way."""
    return not (SIGNALS & set(edge.effects)) or _process_met_by_effects(edge) is not Process.NONE


def _process_met_by_effects(edge: Edge) -> Process:
    found_alive = edge.event is Event.ADOPTED
    return Process.ALIVE if found_alive else edge.before.process


def live_states_and_processes_agree(edge: Edge) -> bool:
    """The machine reckons with a process exactly when there is one or one is on its way."""
    return (edge.after.gateway.state in LIVE) == (edge.after.process is not Process.NONE)


def at_most_one_deed(edge: Edge) -> bool:
    """One event never asks for two things to be done to processes."""
    return len([effect for effect in edge.effects if effect is not Effect.ALERT]) <= 1


def wish_follows_commands_only(edge: Edge) -> bool:
    """The wish is what the last command said, and nothing else changes it."""
    before, after = edge.before.gateway.wanted_up, edge.after.gateway.wanted_up
    return after is (before if edge.event is None else WISHES.get(edge.event, before))


def unwanted_gateways_rest_or_end(edge: Edge) -> bool:
    """What is not wanted is stopped or on its way there; what is wanted is never just stopped."""
    gateway = edge.after.gateway
    ending = {State.STOPPING, State.KILLING}
    if gateway.wanted_up:
        return gateway.state is not State.STOPPED
    return gateway.state in {State.STOPPED, *ending}


def never_silent(edge: Edge) -> bool:
    """A wanted gateway has a process, waits for a moment or a claim, or has failed for good."""
    gateway = edge.after.gateway
    if not gateway.wanted_up or gateway.state is State.FAILED:
        return True
    waits = timer(gateway) is not None or gateway.parked_for is ParkedFor.CLAIM
    return waits or edge.after.process is not Process.NONE


def ending_is_never_awaited_for_ever(edge: Edge) -> bool:
    """A process that was told to end is told again, harder, after a while."""
    expected = {State.STOPPING: Timer.GRACE, State.KILLING: Timer.KILL_RETRY}
    state = edge.after.gateway.state
    return state not in expected or timer(edge.after.gateway) is expected[state]


def impatience_escalates(edge: Edge) -> bool:
    """When the grace is over the process is killed, and again until it has gone."""
    if edge.event is not Event.TIMER or edge.before.gateway.state not in {State.STOPPING, State.KILLING}:
        return True
    return edge.after.gateway.state is State.KILLING and edge.effects == (Effect.KILL,)


def fails_for_named_reasons_only(edge: Edge) -> bool:
    """FAILED is entered by a refused configuration and an impossible spawn, by nothing else."""
    entered = edge.after.gateway.state is State.FAILED and edge.before.gateway.state is not State.FAILED
    return not entered or edge.event in INTO_FAILED


def parks_for_named_reasons_only(edge: Edge) -> bool:
    """PARKED is entered by a denied claim or a spent budget, and says which."""
    gateway = edge.after.gateway
    if gateway.state is not State.PARKED:
        return gateway.parked_for is None
    if edge.before.gateway.state is State.PARKED:
        return gateway.parked_for is edge.before.gateway.parked_for
    return edge.event is not None and gateway.parked_for is INTO_PARKED.get(edge.event)


def parked_leaves_for_named_reasons_only(edge: Edge) -> bool:
    """A parked gateway starts by command, by its freed claim or by its budget; else it stops or is found alive."""
    before, after = edge.before.gateway, edge.after.gateway
    if before.state is not State.PARKED or after.state is State.PARKED:
        return True
    own_way = Event.CLAIM_FREED if before.parked_for is ParkedFor.CLAIM else Event.TIMER
    if after.state is State.STOPPED:
        return edge.event is Event.STOP
    expected = {Event.START, Event.RESTART, own_way, Event.ADOPTED}
    return after.state is State.STARTING and edge.event in expected


def alerts_once_at_the_tenth(edge: Edge) -> bool:
    """People are told at the tenth failure of a loop, when the gateway backs off, and not again in that loop."""
    gateway = edge.after.gateway
    if Effect.ALERT in edge.effects:
        told_once = not edge.before.is_alerted and edge.effects.count(Effect.ALERT) == 1
        return told_once and gateway.attempts == ALERT_AT and gateway.state is State.BACKOFF
    return gateway.state is not State.BACKOFF or gateway.attempts < ALERT_AT or edge.after.is_alerted


def stable_forgets_failures(edge: Edge) -> bool:
    """A gateway that ran for the stable period has no failures left, and only a running one is stable."""
    gateway = edge.after.gateway
    if gateway.is_stable and (gateway.state is not State.RUNNING or gateway.attempts):
        return False
    became_stable = edge.event is Event.TIMER and edge.before.gateway.state is State.RUNNING
    return not became_stable or gateway.is_stable


def failures_are_forgotten_for_named_reasons_only(edge: Edge) -> bool:
    """The count of failures falls by a command, by stability, and to nothing only."""
    before, after = edge.before.gateway, edge.after.gateway
    if edge.event is None or after.attempts >= before.attempts:
        return True
    stopped = after.state is State.STOPPED and not after.wanted_up
    return after.attempts == 0 and (edge.event in WISHES or after.is_stable or stopped)


def failed_starts_count(edge: Edge) -> bool:
    """Every way a start fails adds one failure, a time-out too, so that each loop slows down."""
    before, after = edge.before.gateway, edge.after.gateway
    failures = {Event.CRASHED, Event.RESTART_REQUESTED, Event.PORT_TAKEN, Event.LOST, Event.SPAWN_FAILED}
    if before.state is not State.STARTING or edge.event not in {*failures, Event.TIMER, Event.LIMIT_HIT}:
        return True
    return after.attempts > before.attempts or before.attempts > ALERT_AT


def starts_for_named_reasons_only(edge: Edge) -> bool:
    """A start without a waiting time needs a command, a freed claim, or a process that was stable."""
    if Effect.SPAWN not in edge.effects:
        return True
    before = edge.before.gateway
    if edge.event in {Event.START, Event.RESTART, Event.CLAIM_FREED}:
        return True
    if edge.event is Event.TIMER:
        return before.state in {State.BACKOFF, State.PARKED}
    if edge.event is Event.RESTART_REQUESTED and before.is_stable:
        return True
    return before.state in {State.STOPPING, State.KILLING} and before.attempts == 0


def port_delay_is_for_ports(edge: Edge) -> bool:
    """The long first delay is kept for a port that a stranger holds, as far as the process was not being ended."""
    gateway = edge.after.gateway
    if not gateway.is_port_taken:
        came_up = edge.before.gateway.state in {State.STARTING, State.RUNNING}
        return not (came_up and edge.event is Event.PORT_TAKEN)
    kept = edge.before.gateway.is_port_taken
    return gateway.state is State.BACKOFF and (kept or edge.event is Event.PORT_TAKEN)


INVARIANTS: dict[str, Callable[[Edge], bool]] = {
    promise.__name__: promise
    for promise in (
        never_two_processes,
        never_a_signal_to_nobody,
        live_states_and_processes_agree,
        at_most_one_deed,
        wish_follows_commands_only,
        unwanted_gateways_rest_or_end,
        never_silent,
        ending_is_never_awaited_for_ever,
        impatience_escalates,
        fails_for_named_reasons_only,
        parks_for_named_reasons_only,
        parked_leaves_for_named_reasons_only,
        alerts_once_at_the_tenth,
        stable_forgets_failures,
        failures_are_forgotten_for_named_reasons_only,
        failed_starts_count,
        starts_for_named_reasons_only,
        port_delay_is_for_ports,
    )
}
