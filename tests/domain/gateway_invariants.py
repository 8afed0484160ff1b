"""What must hold for everything that can happen to a gateway, as named predicates on one edge of the model.

Owns: the promises. Must not know how the state space is walked.
"""

from collections.abc import Callable

from hermesd.domain.gateway import ALERT_AT, LIVE, Effect, Event, ParkedFor, State, Timer, timer
from tests.domain.gateway_model import RELAPSES_CAP, Edge, Process

WISHES = {Event.START: True, Event.RESTART: True, Event.STOP: False}
SIGNALS = {Effect.TERMINATE, Effect.KILL}
INTO_FAILED = {Event.MISCONFIGURED, Event.SPAWN_IMPOSSIBLE}
INTO_PARKED = {
    Event.CLAIM_DENIED: ParkedFor.CLAIM,
    Event.BUDGET_SPENT: ParkedFor.BUDGET,
    Event.NO_CHANNEL: ParkedFor.CHANNEL,
}
OUT_OF_PARKED = {
    ParkedFor.CLAIM: Event.CLAIM_FREED,
    ParkedFor.BUDGET: Event.TIMER,
    ParkedFor.CHANNEL: Event.CHANNEL_FOUND,
}
FOR_HEALTH = {Event.HUNG, Event.UNWELL}


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
    """One event never asks for two things to be done to processes; to look at one does nothing to it."""
    return len([effect for effect in edge.effects if effect not in {Effect.ALERT, Effect.DUMP}]) <= 1


def looked_at_before_it_is_ended(edge: Edge) -> bool:
    """What is ended for its health, for being late or by force is looked at first, and nothing else is.

    A kill that is only repeated finds nothing new.
    """
    for_time = edge.event is Event.TIMER and edge.before.gateway.state in {State.STARTING, State.STOPPING}
    for_health = edge.event in FOR_HEALTH and edge.before.gateway.state is State.RUNNING
    if not (for_time or for_health):
        return Effect.DUMP not in edge.effects
    return edge.effects[0] is Effect.DUMP and edge.effects[1] in SIGNALS


def flapping_slows_down(edge: Edge) -> bool:
    """An end for its health counts on from the last ones, whatever was stable in between."""
    before, after = edge.before.gateway, edge.after.gateway
    if edge.event in FOR_HEALTH and before.state is State.RUNNING:
        more = after.relapses > before.relapses or after.relapses == RELAPSES_CAP
        return more and after.attempts > min(before.attempts, ALERT_AT) and after.attempts >= after.relapses
    return after.relapses in {0, before.relapses}


def relapses_are_forgotten_for_named_reasons_only(edge: Edge) -> bool:
    """By a command, by a rest, or by doing well for long after being stable."""
    before, after = edge.before.gateway, edge.after.gateway
    if after.relapses >= before.relapses:
        return True
    did_well = edge.event is Event.TIMER and before.is_stable
    return did_well or edge.event in WISHES or (after.state is State.STOPPED and not after.wanted_up)


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
    """A wanted gateway has a process, waits for a moment, a claim or a channel, or has failed for good."""
    gateway = edge.after.gateway
    if not gateway.wanted_up or gateway.state is State.FAILED:
        return True
    waits = timer(gateway) is not None or gateway.parked_for in {ParkedFor.CLAIM, ParkedFor.CHANNEL}
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
    return edge.after.gateway.state is State.KILLING and edge.effects[-1] is Effect.KILL


def fails_for_named_reasons_only(edge: Edge) -> bool:
    """FAILED is entered by a refused configuration and an impossible spawn, by nothing else."""
    entered = edge.after.gateway.state is State.FAILED and edge.before.gateway.state is not State.FAILED
    return not entered or edge.event in INTO_FAILED


def parks_for_named_reasons_only(edge: Edge) -> bool:
    """PARKED is entered by a denied claim, a spent budget or the lack of a channel, and says which."""
    gateway = edge.after.gateway
    if gateway.state is not State.PARKED:
        return gateway.parked_for is None
    if edge.before.gateway.state is State.PARKED and edge.event is not Event.NO_CHANNEL:
        return gateway.parked_for is edge.before.gateway.parked_for
    return edge.event is not None and gateway.parked_for is INTO_PARKED.get(edge.event)


def parked_leaves_for_named_reasons_only(edge: Edge) -> bool:
    """A parked gateway starts by command or once it has what it waits for; else it stops or is found alive."""
    before, after = edge.before.gateway, edge.after.gateway
    if before.state is not State.PARKED or after.state is State.PARKED:
        return True
    own_way = OUT_OF_PARKED.get(before.parked_for) if before.parked_for else None
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
    """A start without a waiting time needs a command, something that came free, or a process that was stable."""
    if Effect.SPAWN not in edge.effects:
        return True
    before = edge.before.gateway
    if edge.event in {Event.START, Event.RESTART, Event.CLAIM_FREED, Event.CHANNEL_FOUND}:
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
        looked_at_before_it_is_ended,
        flapping_slows_down,
        relapses_are_forgotten_for_named_reasons_only,
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
