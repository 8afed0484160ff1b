"""The gateway machine: one total, pure table from state and event to state and effects.

Owns: what happens next. What is wanted (`wanted_up`, changed by commands only) is kept apart from what is
(`state`). Must not know time, processes or the store: whoever drives the machine records each step before it
carries out the effects, and asks `timer` what to wait for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """What a gateway is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    KILLING = "killing"
    BACKOFF = "backoff"
    PARKED = "parked"
    FAILED = "failed"


LIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING, State.KILLING})
"""States in which a process exists, or may exist."""


class Event(StrEnum):
    """What happened to a gateway. Exits are told apart by what they ask for."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    READY = "ready"
    CRASHED = "crashed"
    """The process ended in any way that is not one of the next three; exit 0 too."""
    RESTART_REQUESTED = "restart_requested"
    """The process ended with 75."""
    MISCONFIGURED = "misconfigured"
    """The process ended with 78."""
    PORT_TAKEN = "port_taken"
    """A stranger holds a port: the process ended with 78 for it, or was not started at all."""
    TIMER = "timer"
    """What `timer` said to wait for is over."""
    SPAWN_FAILED = "spawn_failed"
    """No process could be started, for a reason that can pass."""
    SPAWN_IMPOSSIBLE = "spawn_impossible"
    """No process can be started until a person changes something."""
    ADOPTED = "adopted"
    """A new daemon found the recorded process alive."""
    LOST = "lost"
    """A new daemon found the recorded process gone; how it ended is not known."""
    HUNG = "hung"
    """Its event loop, having given signs of life once, gives none."""
    UNWELL = "unwell"
    """A part of it has not worked for so long that a restart is due."""
    CLAIM_DENIED = "claim_denied"
    """Another gateway holds a token or port this one needs."""
    CLAIM_FREED = "claim_freed"
    BUDGET_SPENT = "budget_spent"
    """No start is left in the rolling budget."""
    LIMIT_HIT = "limit_hit"
    """The process reached a resource ceiling."""
    NO_CHANNEL = "no_channel"
    """The daemon would start it, but nothing could reach it."""
    CHANNEL_FOUND = "channel_found"
    """Something could reach it now."""
    HOME_GONE = "home_gone"
    """The profile's home was removed or replaced under its process. What is wanted stays as it is."""


class Effect(StrEnum):
    """What the machine asks for."""

    SPAWN = "spawn"
    TERMINATE = "terminate"
    KILL = "kill"
    DUMP = "dump"
    """Keep what can be seen of the process, which is about to be ended for its own good or by force."""
    ALERT = "alert"
    """Tell people: it has failed so often that it is now tried rarely."""


class Timer(StrEnum):
    """What a state waits for when nothing else happens."""

    START_LIMIT = "start_limit"
    STABLE = "stable"
    WELL = "well"
    GRACE = "grace"
    KILL_RETRY = "kill_retry"
    BACKOFF = "backoff"
    PORT_BACKOFF = "port_backoff"
    BUDGET = "budget"


class ParkedFor(StrEnum):
    """What a parked gateway waits for."""

    CLAIM = "claim"
    BUDGET = "budget"
    CHANNEL = "channel"


ALERT_AT = 10
"""The attempt from which a gateway is tried rarely, and people are told once."""


@dataclass(frozen=True)
class Gateway:
    """All that the machine knows of one gateway."""

    state: State = State.STOPPED
    wanted_up: bool = False
    attempts: int = 0
    """Failures since the last command or stable period."""
    is_stable: bool = False
    """Whether the running process has outlived the stable period."""
    is_port_taken: bool = False
    """Whether the back-off is for a port that a stranger holds."""
    parked_for: ParkedFor | None = None
    relapses: int = 0
    """Restarts for its health since it last did without one for long: flapping slows down."""


Step = tuple[Gateway, tuple[Effect, ...]]
Transition = Callable[[Gateway], Step]


def _to(gateway: Gateway, state: State, *effects: Effect) -> Step:
    fresh = replace(gateway, state=state, is_stable=False, is_port_taken=False, parked_for=None)
    return fresh, effects


def _stay(gateway: Gateway) -> Step:
    return gateway, ()


def _want_up(gateway: Gateway) -> Step:
    return replace(gateway, wanted_up=True), ()


def _want_up_afresh(gateway: Gateway) -> Step:
    return replace(gateway, wanted_up=True, attempts=0), ()


def _want_down(gateway: Gateway) -> Step:
    return replace(gateway, wanted_up=False), ()


def _start_afresh(gateway: Gateway) -> Step:
    return _to(replace(gateway, wanted_up=True, attempts=0, relapses=0), State.STARTING, Effect.SPAWN)


def _start_again(gateway: Gateway) -> Step:
    return _to(gateway, State.STARTING, Effect.SPAWN)


def _stop_process(gateway: Gateway) -> Step:
    return _to(replace(gateway, wanted_up=False), State.STOPPING, Effect.TERMINATE)


def _restart_process(gateway: Gateway) -> Step:
    return _to(replace(gateway, wanted_up=True, attempts=0, relapses=0), State.STOPPING, Effect.TERMINATE)


def _give_up_waiting(gateway: Gateway) -> Step:
    return _to(replace(gateway, wanted_up=False, attempts=0, relapses=0), State.STOPPED)


def _ready(gateway: Gateway) -> Step:
    return _to(gateway, State.RUNNING)


def _back_off(gateway: Gateway) -> Step:
    attempts = gateway.attempts + 1
    alert = (Effect.ALERT,) if attempts == ALERT_AT else ()
    return _to(replace(gateway, attempts=attempts), State.BACKOFF, *alert)


def _back_off_from_port(gateway: Gateway) -> Step:
    stepped, effects = _back_off(gateway)
    return replace(stepped, is_port_taken=True), effects


def _restart_requested(gateway: Gateway) -> Step:
    return _start_again(gateway) if gateway.is_stable else _back_off(gateway)


def _fail(gateway: Gateway) -> Step:
    return _to(gateway, State.FAILED)


def _end_for_failure(gateway: Gateway) -> Step:
    return _to(replace(gateway, attempts=gateway.attempts + 1), State.STOPPING, Effect.TERMINATE)


def _end_running(gateway: Gateway) -> Step:
    attempts = 0 if gateway.is_stable else gateway.attempts + 1
    return _to(replace(gateway, attempts=attempts), State.STOPPING, Effect.TERMINATE)


def _end_for_time(gateway: Gateway) -> Step:
    stepped, effects = _end_for_failure(gateway)
    return stepped, (Effect.DUMP, *effects)


def _end_for_health(gateway: Gateway) -> Step:
    """Each such end counts on from the last ones, although the gateway was stable in between."""
    relapses = gateway.relapses + 1
    attempts = max(gateway.attempts + 1, relapses)
    return _to(
        replace(gateway, attempts=attempts, relapses=relapses), State.STOPPING, Effect.DUMP, Effect.TERMINATE
    )


def _prove_itself(gateway: Gateway) -> Step:
    """It is stable first; if it was restarted for its health, it is well again much later."""
    if gateway.is_stable:
        return replace(gateway, relapses=0), ()
    return replace(gateway, attempts=0, is_stable=True), ()


def _escalate(gateway: Gateway) -> Step:
    return _to(gateway, State.KILLING, Effect.DUMP, Effect.KILL)


def _settle(gateway: Gateway) -> Step:
    if not gateway.wanted_up:
        return _to(replace(gateway, attempts=0, relapses=0), State.STOPPED)
    if gateway.attempts == 0:
        return _start_again(gateway)
    alert = (Effect.ALERT,) if gateway.attempts == ALERT_AT else ()
    return _to(gateway, State.BACKOFF, *alert)


def _park_for_claim(gateway: Gateway) -> Step:
    return replace(_to(gateway, State.PARKED)[0], parked_for=ParkedFor.CLAIM), ()


def _park_for_budget(gateway: Gateway) -> Step:
    return replace(_to(gateway, State.PARKED)[0], parked_for=ParkedFor.BUDGET), ()


def _budget_window_passed(gateway: Gateway) -> Step:
    return _start_again(gateway) if gateway.parked_for is ParkedFor.BUDGET else _stay(gateway)


def _park_for_channel(gateway: Gateway) -> Step:
    if not gateway.wanted_up:
        return _stay(gateway)
    return replace(_to(gateway, State.PARKED)[0], parked_for=ParkedFor.CHANNEL), ()


def _channel_found(gateway: Gateway) -> Step:
    return _start_again(gateway) if gateway.parked_for is ParkedFor.CHANNEL else _stay(gateway)


def _claim_freed(gateway: Gateway) -> Step:
    return _start_again(gateway) if gateway.parked_for is ParkedFor.CLAIM else _stay(gateway)


def _follow_found_process(gateway: Gateway) -> Step:
    """A process nobody expected: keep it if a gateway is wanted, end it otherwise."""
    if gateway.wanted_up:
        return _to(gateway, State.STARTING)
    return _to(gateway, State.STOPPING, Effect.TERMINATE)


def _end_again(gateway: Gateway) -> Step:
    return gateway, (Effect.TERMINATE,)


def _kill_again(gateway: Gateway) -> Step:
    return gateway, (Effect.KILL,)


_WITHOUT_PROCESS = (
    Event.CRASHED,
    Event.RESTART_REQUESTED,
    Event.MISCONFIGURED,
    Event.PORT_TAKEN,
    Event.LOST,
    Event.SPAWN_FAILED,
    Event.SPAWN_IMPOSSIBLE,
    Event.CLAIM_DENIED,
    Event.BUDGET_SPENT,
)
"""Events that tell there is no process, or none any more."""
_IGNORED: dict[Event, Transition] = dict.fromkeys(Event, _stay)

_AT_REST: dict[Event, Transition] = _IGNORED | {
    Event.START: _start_afresh,
    Event.RESTART: _start_afresh,
    Event.STOP: _give_up_waiting,
    Event.ADOPTED: _follow_found_process,
    Event.NO_CHANNEL: _park_for_channel,
}
"""Shared by every state without a process. A late fact about a process that is gone changes nothing."""

_BEING_ENDED: dict[Event, Transition] = (
    _IGNORED
    | dict.fromkeys(_WITHOUT_PROCESS, _settle)
    | {
        Event.START: _want_up_afresh,
        Event.RESTART: _want_up_afresh,
        Event.STOP: _want_down,
    }
)
"""Shared by the states in which the process has been told to end."""

TABLE: Mapping[State, Mapping[Event, Transition]] = {
    State.STOPPED: _AT_REST,
    State.STARTING: _IGNORED
    | {
        Event.START: _want_up,
        Event.STOP: _stop_process,
        Event.RESTART: _restart_process,
        Event.READY: _ready,
        Event.CRASHED: _back_off,
        Event.RESTART_REQUESTED: _back_off,
        Event.MISCONFIGURED: _fail,
        Event.PORT_TAKEN: _back_off_from_port,
        Event.TIMER: _end_for_time,
        Event.SPAWN_FAILED: _back_off,
        Event.SPAWN_IMPOSSIBLE: _fail,
        Event.LOST: _back_off,
        Event.CLAIM_DENIED: _park_for_claim,
        Event.BUDGET_SPENT: _park_for_budget,
        Event.LIMIT_HIT: _end_for_failure,
        Event.HOME_GONE: _end_for_failure,
    },
    State.RUNNING: _IGNORED
    | {
        Event.START: _want_up,
        Event.STOP: _stop_process,
        Event.RESTART: _restart_process,
        Event.CRASHED: _back_off,
        Event.RESTART_REQUESTED: _restart_requested,
        Event.MISCONFIGURED: _fail,
        Event.PORT_TAKEN: _back_off_from_port,
        Event.TIMER: _prove_itself,
        Event.LOST: _back_off,
        Event.HUNG: _end_for_health,
        Event.UNWELL: _end_for_health,
        Event.LIMIT_HIT: _end_running,
        Event.HOME_GONE: _end_running,
    },
    State.STOPPING: _BEING_ENDED | {Event.TIMER: _escalate, Event.ADOPTED: _end_again},
    State.KILLING: _BEING_ENDED | {Event.TIMER: _kill_again, Event.ADOPTED: _kill_again},
    State.BACKOFF: _AT_REST | {Event.TIMER: _start_again},
    State.PARKED: _AT_REST
    | {
        Event.TIMER: _budget_window_passed,
        Event.CLAIM_FREED: _claim_freed,
        Event.CHANNEL_FOUND: _channel_found,
    },
    State.FAILED: _AT_REST | {Event.NO_CHANNEL: _stay},
}


def step(gateway: Gateway, event: Event) -> Step:
    """What the gateway becomes when `event` happens to it, and what is to be done. Never raises."""
    return TABLE[gateway.state][event](gateway)


def timer(gateway: Gateway) -> Timer | None:
    """What the gateway waits for: when it is over, `Event.TIMER` is due. `None` means for ever.

    It runs from the moment the state was entered, and again after each TIMER and ADOPTED in the same state.
    """
    match gateway.state:
        case State.STARTING:
            return Timer.START_LIMIT
        case State.RUNNING:
            if not gateway.is_stable:
                return Timer.STABLE
            return Timer.WELL if gateway.relapses else None
        case State.STOPPING:
            return Timer.GRACE
        case State.KILLING:
            return Timer.KILL_RETRY
        case State.BACKOFF:
            return Timer.PORT_BACKOFF if gateway.is_port_taken else Timer.BACKOFF
        case State.PARKED:
            return Timer.BUDGET if gateway.parked_for is ParkedFor.BUDGET else None
        case State.STOPPED | State.FAILED:  # pragma: no branch - there is no other state
            return None
