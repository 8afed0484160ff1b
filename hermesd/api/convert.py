"""Domain values as messages of the contract. Pure; one function a message."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from hermesd.domain import operation as operations
from hermesd.domain.dump import Dump
from hermesd.domain.gateway import ParkedFor, State
from hermesd.domain.grants import SharedGrant
from hermesd.domain.health import Condition
from hermesd.domain.logs import Level, Record, Source
from hermesd.domain.process import Foreign, LastExit
from hermesd.domain.profile import ProfileName
from hermesd.domain.runtime import Runtime
from hermesd.domain.samples import Sample
from hermesd.domain.terminal import Terminal
from hermesd.domain.usage import DiskUsage
from hermesd.services.aliases import AliasView
from hermesd.services.deletion_plans import DeletionPlan
from hermesd.services.gatewayviews import Explanation, GatewayView
from hermesd.services.healthviews import HealthView
from hermesd.services.profiles import ProfileView
from hermesd.services.souls import SoulView
from hermesd.services.trash import TrashedView
from hermesd.v1 import (
    aliases_pb2,
    errors_pb2,
    events_pb2,
    gateways_pb2,
    logs_pb2,
    operations_pb2,
    profiles_pb2,
    runtimes_pb2,
    samples_pb2,
    terminals_pb2,
    trash_pb2,
)

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

LOG_LEVELS: dict[Level | None, logs_pb2.LogLevel.ValueType] = {
    None: logs_pb2.LOG_LEVEL_UNSPECIFIED,
    **{level: logs_pb2.LogLevel.Value(f"LOG_LEVEL_{level.name}") for level in Level},
}
LOG_SOURCES = {source: logs_pb2.LogSource.Value(f"LOG_SOURCE_{source.name}") for source in Source}


def timestamp(at_s: float | None) -> Timestamp | None:
    """Seconds since the epoch as a message; `None` stays absent."""
    if at_s is None:
        return None
    message = Timestamp()
    message.FromNanoseconds(round(at_s * 1e9))
    return message


def duration(seconds: float) -> Duration:
    """A span as a message."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def seconds(message: Duration | Timestamp) -> float:
    """A span in seconds, or a moment in seconds since the epoch."""
    return message.seconds + message.nanos / 1e9


def gateway(view: GatewayView) -> gateways_pb2.Gateway:
    """A gateway."""
    record = view.record
    process = record.process
    return gateways_pb2.Gateway(
        profile=view.name.text,
        wish=gateways_pb2.WISH_UP if record.gateway.wanted_up else gateways_pb2.WISH_DOWN,
        state=_state(view),
        since=timestamp(record.since_s),
        process=gateways_pb2.GatewayProcess(
            pid=process.pid,
            start_ticks=process.start_ticks,
            boot_id=process.boot_id,
            spawn_id=process.spawn_id,
        )
        if process
        else None,
        restarts=record.restarts,
        next_start_at=timestamp(record.next_start_at_s),
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
        usage=sample(view.name, view.usage) if view.usage else None,
        parked_for=_parked_for(view),
    )


def sample(profile: ProfileName, taken: Sample) -> samples_pb2.Sample:
    """A sample."""
    return samples_pb2.Sample(
        profile=profile.text,
        at=timestamp(taken.at_s),
        step=duration(taken.step_s),
        cpu_cores=taken.cpu_cores,
        rss_bytes=taken.rss_bytes,
        descriptors=taken.descriptors,
        threads=taken.threads,
        processes=taken.processes,
        restarts=taken.restarts,
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
        started_at=timestamp(found.started_at_s),
        unit=found.unit,
        tty=found.tty,
        resolution=found.resolution,
    )


def _dump(kept: Dump) -> gateways_pb2.GatewayDump:
    return gateways_pb2.GatewayDump(
        path=str(kept.path),
        at=timestamp(kept.at_s),
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
            age=None if part.age_s is None else duration(part.age_s),
            is_platform=part.is_platform,
        )
        for part in health.parts
    ]
    return gateways_pb2.GatewayHealth(parts=parts, age=duration(health.age_s))


def _exit(end: LastExit) -> gateways_pb2.GatewayExit:
    return gateways_pb2.GatewayExit(
        cause=gateways_pb2.ExitCause.Value(f"EXIT_CAUSE_{end.cause.name}"),
        code=end.status.code,
        signal=end.status.signal,
        detail=end.detail,
        at=timestamp(end.at_s),
    )


def profile(view: ProfileView) -> profiles_pb2.Profile:
    """A profile."""
    home, facts = view.known.home, view.facts
    api = facts.api_server
    return profiles_pb2.Profile(
        name=home.name.text,
        id=view.known.id,
        path=str(home.path),
        description=facts.description,
        model=facts.model,
        provider=facts.provider,
        base_url=facts.base_url,
        is_sticky_default=view.is_sticky_default,
        aliases=view.aliases,
        skill_count=facts.skill_count,
        distribution=facts.distribution,
        api_server=profiles_pb2.ApiServer(enabled=api.is_enabled, host=api.host, port=api.port),
        runtime=view.runtime,
        gateway=gateway(view.gateway),
        problems=facts.problems,
        created_at=timestamp(home.identity.birth_ns / 1e9) if home.identity.birth_ns else None,
        display_name=facts.display_name,
        description_is_generated=facts.description_is_generated,
        has_env=facts.has_env,
        env_names=facts.env_names,
        has_soul=facts.has_soul,
        key_env=facts.key_env,
        has_key=facts.has_key,
        channels=[
            profiles_pb2.Channel(platform=one.platform, variable=one.variable, fingerprint=one.fingerprint)
            for one in view.credentials
        ],
        grants=[shared_grant(one, home.name) for one in view.grants],
    )


def shared_grant(shared: SharedGrant, name: ProfileName) -> profiles_pb2.SharedGrant:
    """A login of a profile that others have too."""
    return profiles_pb2.SharedGrant(
        provider=shared.grant.provider,
        source=shared.grant.source,
        masked=shared.grant.masked,
        profiles=[other.text for other in shared.profiles],
        consequence=shared.consequence,
        fix=shared.way_out(name),
    )


def disk_usage(usage: DiskUsage) -> profiles_pb2.DiskUsage:
    """What a profile takes on disk."""
    parts = [profiles_pb2.DiskPart(name=part.name, bytes=part.size_bytes) for part in usage.parts]
    return profiles_pb2.DiskUsage(bytes=usage.size_bytes, parts=parts, is_partial=usage.is_partial)


def deletion_plan(plan: DeletionPlan) -> profiles_pb2.DeletionPlan:
    """What a deletion takes away."""
    held = plan.holdings
    return profiles_pb2.DeletionPlan(
        profile=profile(plan.view),
        usage=disk_usage(plan.usage),
        session_count=held.session_count,
        job_count=held.job_count,
        secret_count=held.secret_count,
        kept_for=None if plan.kept_s is None else duration(plan.kept_s),
        aliases=plan.aliases,
        origin=held.origin,
        link_target=plan.link_target,
        leftovers=[profiles_pb2.Leftover(message=one.message, fix=one.fix) for one in plan.leftovers],
    )


def soul(view: SoulView) -> profiles_pb2.Soul:
    """A SOUL.md."""
    return profiles_pb2.Soul(
        text=view.soul.text, revision=view.soul.revision, path=str(view.path), is_in_use=view.is_in_use
    )


def alias(view: AliasView) -> aliases_pb2.Alias:
    """An alias."""
    found = view.alias
    return aliases_pb2.Alias(
        name=found.name,
        profile=found.profile.text,
        path=str(found.path),
        is_ours=found.is_ours,
        has_profile=view.has_profile,
    )


def trashed(view: TrashedView) -> trash_pb2.TrashedProfile:
    """A deleted profile."""
    note = view.entry.note
    return trash_pb2.TrashedProfile(
        id=note.id,
        profile=note.name.text,
        profile_id=note.profile_id,
        description=note.description,
        aliases=note.aliases,
        deleted_at=timestamp(note.deleted_at_s),
        kept_until=timestamp(view.kept_until_s),
        path=str(view.entry.path),
        size_bytes=view.size_bytes,
    )


def operation(done: operations.Operation) -> operations_pb2.Operation:
    """An operation."""
    return operations_pb2.Operation(
        id=done.id,
        kind=done.kind,
        profile=done.profile,
        requester=done.requester,
        state=operations_pb2.OperationState.Value(f"OPERATION_STATE_{done.state.name}"),
        progress=operations_pb2.OperationProgress(
            phase=done.progress.phase,
            detail=done.progress.detail,
            done=done.progress.done,
            total=done.progress.total,
        ),
        warnings=done.warnings,
        results=[_target_result(result) for result in done.results],
        error=_operation_error(done.error),
        started_at=timestamp(done.started_at_s),
        finished_at=timestamp(done.finished_at_s),
        elapsed=duration(done.elapsed_s),
    )


def _target_result(result: operations.TargetResult) -> operations_pb2.TargetResult:
    return operations_pb2.TargetResult(
        profile=result.profile,
        summary=result.summary,
        error=_operation_error(result.error),
        is_skipped=result.is_skipped,
    )


def _operation_error(error: operations.OperationError | None) -> operations_pb2.OperationError | None:
    if error is None:
        return None
    return operations_pb2.OperationError(
        reason=errors_pb2.Reason.Value(f"REASON_{error.reason}"), message=error.message, metadata=error.metadata
    )


def event(happening: operations.Happening) -> events_pb2.Event:
    """An event."""
    return events_pb2.Event(
        token=happening.token,
        kind=happening.kind,
        profile=happening.profile,
        message=happening.message,
        facts=happening.facts,
        at=timestamp(happening.at_s),
    )


def runtime(found: Runtime, *, is_current: bool) -> runtimes_pb2.Runtime:
    """A runtime."""
    return runtimes_pb2.Runtime(
        name=found.name,
        kind=found.kind,
        version=found.version,
        executable=str(found.executable),
        is_managed=found.is_managed,
        is_current=is_current,
    )


def log_record(record: Record) -> logs_pb2.LogRecord:
    """A record of a log. There may be millions of them, so the message is made in one call."""
    whole_s = int(record.at_s)
    return logs_pb2.LogRecord(
        profile=record.profile,
        source=LOG_SOURCES[record.source],
        at=Timestamp(seconds=whole_s, nanos=min(999_999, round((record.at_s - whole_s) * 1e6)) * 1000),
        is_rough=record.is_rough,
        level=LOG_LEVELS[record.level],
        logger=record.logger,
        session=record.session,
        text=record.text,
    )


def terminal(opened: Terminal) -> terminals_pb2.Terminal:
    """A terminal."""
    return terminals_pb2.Terminal(
        id=opened.id,
        profile=opened.profile.text,
        verb=opened.verb,
        pid=opened.process.pid,
        working_directory=opened.working_directory,
        tty=opened.tty,
        started_at=timestamp(opened.started_at_s),
    )
