"""Gateways as messages of the contract: how they are, and why. Pure; one function a message."""

from hermesd.api import convert
from hermesd.domain.dump import Dump
from hermesd.domain.gateway import ParkedFor, State
from hermesd.domain.health import Condition
from hermesd.domain.process import Foreign, LastExit
from hermesd.services.gatewayviews import Explanation, GatewayView
from hermesd.services.healthviews import HealthView
from hermesd.v1 import gateways_pb2

STATES = {
    State.STOPPED: gateways_pb2.GATEWAY_STATE_STOPPED,
    State.STARTING: gateways_pb2.GATEWAY_STATE_STARTING,
    State.RUNNING: gateways_pb2.GATEWAY_STATE_READY,
    State.STOPPING: gateways_pb2.GATEWAY_STATE_STOPPING,
    State.KILLING: gateways_pb2.GATEWAY_STATE_STOPPING,
    State.BACKOFF: gateways_pb2.GATEWAY_STATE_BACKOFF,
    State.PARKED: gateways_pb2.GATEWAY_STATE_PARKED,
    State.FAILED: gateways_pb2.GATEWAY_STATE_FAILED,
}

CONDITIONS = {
    Condition.WELL: gateways_pb2.GATEWAY_STATE_READY,
    Condition.DEGRADED: gateways_pb2.GATEWAY_STATE_DEGRADED,
    Condition.DRAINING: gateways_pb2.GATEWAY_STATE_DRAINING,
    Condition.HUNG: gateways_pb2.GATEWAY_STATE_HUNG,
}
"""How a gateway that is up is shown."""

PARKED_FOR: dict[ParkedFor | None, gateways_pb2.ParkedFor.ValueType] = {
    None: gateways_pb2.PARKED_FOR_UNSPECIFIED,
    **{reason: gateways_pb2.ParkedFor.Value(f"PARKED_FOR_{reason.name}") for reason in ParkedFor},
}


def gateway(view: GatewayView) -> gateways_pb2.Gateway:
    """A gateway."""
    record = view.record
    process = record.process
    return gateways_pb2.Gateway(
        profile=view.name.text,
        wish=gateways_pb2.WISH_UP if record.gateway.wanted_up else gateways_pb2.WISH_DOWN,
        state=_state(view),
        since=convert.timestamp(record.since_s),
        process=gateways_pb2.GatewayProcess(
            pid=process.pid,
            start_ticks=process.start_ticks,
            boot_id=process.boot_id,
            spawn_id=process.spawn_id,
        )
        if process
        else None,
        restarts=record.restarts,
        next_start_at=convert.timestamp(record.next_start_at_s),
        last_exit=_exit(record.last_exit) if record.last_exit else None,
        detail=record.detail if view.health is None else view.health.detail,
        log_path=view.log_path,
        foreign=_foreign(view.foreign) if view.foreign else None,
        enabled=record.is_enabled,
        attempts=record.gateway.attempts,
        start_budget=_start_budget(view),
        warnings=view.warnings,
        health=None if view.health is None else _health(view.health),
        start_order=record.start_order,
        usage=convert.sample(view.name, view.usage) if view.usage else None,
        parked_for=_parked_for(view),
    )


def explanation(told: Explanation) -> gateways_pb2.GatewayExplanation:
    """Why a gateway is as it is."""
    return gateways_pb2.GatewayExplanation(
        gateway=gateway(told.view),
        exits=[_exit(end) for end in told.exits],
        last_lines=told.last_lines,
        dumps=[_dump(dump) for dump in told.dumps],
    )


def _foreign(found: Foreign) -> gateways_pb2.ForeignGateway:
    return gateways_pb2.ForeignGateway(
        pid=found.pid,
        owner=found.owner,
        started_at=convert.timestamp(found.started_at_s),
        unit=found.unit,
        tty=found.tty,
        resolution=found.resolution,
    )


def _dump(kept: Dump) -> gateways_pb2.GatewayDump:
    return gateways_pb2.GatewayDump(
        path=str(kept.path),
        at=convert.timestamp(kept.at_s),
        cause=gateways_pb2.ExitCause.Value(f"EXIT_CAUSE_{kept.cause.name}"),
        size_bytes=kept.size_bytes,
    )


def _start_budget(view: GatewayView) -> gateways_pb2.StartBudget:
    return gateways_pb2.StartBudget(
        used_in_hour=view.used_in_hour,
        per_hour=view.budget.per_hour,
        used_in_day=view.used_in_day,
        per_day=view.budget.per_day,
    )


def _state(view: GatewayView) -> gateways_pb2.GatewayState.ValueType:
    if view.foreign_pid is not None:
        return gateways_pb2.GATEWAY_STATE_FOREIGN
    if view.health is not None:
        return CONDITIONS[view.health.condition]
    return STATES[view.record.gateway.state]


def _parked_for(view: GatewayView) -> gateways_pb2.ParkedFor.ValueType:
    """Nothing where a foreign gateway is shown in its place."""
    is_parked = _state(view) == gateways_pb2.GATEWAY_STATE_PARKED
    return PARKED_FOR[view.record.gateway.parked_for if is_parked else None]


def _health(health: HealthView) -> gateways_pb2.GatewayHealth:
    parts = [
        gateways_pb2.HealthPart(
            name=part.name,
            is_well=part.is_well,
            word=part.word,
            detail=part.detail,
            age=None if part.age_s is None else convert.duration(part.age_s),
            is_platform=part.is_platform,
        )
        for part in health.parts
    ]
    return gateways_pb2.GatewayHealth(parts=parts, age=convert.duration(health.age_s))


def _exit(end: LastExit) -> gateways_pb2.GatewayExit:
    return gateways_pb2.GatewayExit(
        cause=gateways_pb2.ExitCause.Value(f"EXIT_CAUSE_{end.cause.name}"),
        code=end.status.code,
        signal=end.status.signal,
        detail=end.detail,
        at=convert.timestamp(end.at_s),
    )
