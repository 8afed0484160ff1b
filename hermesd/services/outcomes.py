"""How what a person asked of a gateway comes out: it is ready, it is down, or why not.

Owns: when a start and a stop count as done, and which failure a person is told. Must not know how they are begun.
"""

from collections.abc import Mapping

from hermesd.domain.errors import (
    Cancelled,
    GatewayCrashed,
    GatewayMisconfigured,
    GatewayNotReady,
    GatewayStuck,
    HermesError,
    PortInUse,
)
from hermesd.domain.gateway import State
from hermesd.domain.health import Condition, Health
from hermesd.domain.ports import Clock
from hermesd.domain.process import ExitCause, ExitStatus
from hermesd.domain.record import GatewayRecord
from hermesd.services.keeper import Keeper
from hermesd.services.operations import Job

NOT_STARTING = frozenset({State.BACKOFF, State.PARKED, State.FAILED})
"""States that mean that the start at hand did not work, whatever is tried later."""

FAILURES: Mapping[ExitCause, type[HermesError]] = {
    ExitCause.PORT_TAKEN: PortInUse,
    ExitCause.MISCONFIGURED: GatewayMisconfigured,
    ExitCause.START_TIMEOUT: GatewayNotReady,
}
"""The failure that a cause of exit stands for; any other is a crash."""


async def until_ready(keeper: Keeper, job: Job, *, replaced: str = "") -> None:
    """Follows a start to its end. That the `replaced` process is still ready does not count.

    Raises:
        Cancelled: a later command stopped the gateway.
        HermesError: it did not start, for one of many reasons.
    """
    attempts = keeper.record.gateway.attempts
    while True:
        record = keeper.record
        state = record.gateway.state
        health = keeper.vitals.health if keeper.is_up and keeper.vitals else Health()
        job.report(_phase(record), health.detail or record.detail)
        if not record.gateway.wanted_up:
            raise Cancelled("a later command stopped the gateway", profile=keeper.home.name.text)
        if state is State.RUNNING and (not replaced or record.spawn_id != replaced):
            if health.condition is not Condition.WELL:
                job.warn(f"up, but {health.condition}: {health.detail}")
            for warning in keeper.warnings:
                job.warn(warning)
            return
        is_second_try = state is State.STARTING and record.gateway.attempts > attempts
        if state in NOT_STARTING or is_second_try:
            raise _start_failure(keeper)
        await keeper.changed()


async def until_stopped(keeper: Keeper, job: Job, *, clock: Clock, patience_s: float) -> None:
    """Follows a stop until the process is gone, which may take `patience_s` seconds from the moment it is killed.

    Raises:
        Cancelled: a later command started the gateway.
        GatewayStuck: the process survives.
    """
    killing_since_s: float | None = None
    while keeper.record.gateway.state is not State.STOPPED:
        if keeper.record.gateway.wanted_up:
            raise Cancelled("a later command started the gateway", profile=keeper.home.name.text)
        job.report(_phase(keeper.record))
        if keeper.record.gateway.state is State.KILLING:
            now_s = clock.monotonic_s()
            killing_since_s = now_s if killing_since_s is None else killing_since_s
            if now_s - killing_since_s >= patience_s:
                raise stuck(keeper)
        await keeper.changed()


def stuck(keeper: Keeper) -> GatewayStuck:
    """That a process survives whatever was done to end it."""
    name = keeper.home.name.text
    pid = keeper.record.process.pid if keeper.record.process else 0
    return GatewayStuck(
        f"gateway '{name}' did not end",
        hint="its process survives SIGKILL, as one does that waits for a broken disk or network mount",
        fixes=[f"hermesctl gateway status {name}"],
        profile=name,
        pid=str(pid),
    )


def _phase(record: GatewayRecord) -> str:
    return "ready" if record.gateway.state is State.RUNNING else record.gateway.state.value


def _start_failure(keeper: Keeper) -> HermesError:
    """Why a start failed, as the person who asked for it is told."""
    if keeper.failure is not None:
        return keeper.failure
    name = keeper.home.name.text
    end = keeper.record.last_exit
    cause = end.cause if end else ExitCause.UNKNOWN
    kind = FAILURES.get(cause, GatewayCrashed)
    ended = f"it ended with {end.status}" if end and end.status != ExitStatus() else f"cause: {cause}"
    why = ". ".join(part for part in (end.detail if end else "", ended) if part)
    hint = (
        "it waits for you" if keeper.record.gateway.state is State.FAILED else "it will be tried again by itself"
    )
    return kind(
        f"gateway '{name}' did not start",
        hint=hint,
        fixes=[f"hermesctl gateway logs {name}", f"hermesctl gateway start {name}"],
        why=why,
        profile=name,
    )
