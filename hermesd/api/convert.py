"""What several servicers tell, as messages of the contract. Pure; one function a message."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from hermesd.domain import operation as operations
from hermesd.domain.profile import ProfileName
from hermesd.domain.samples import Sample
from hermesd.v1 import errors_pb2, operations_pb2, samples_pb2


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
