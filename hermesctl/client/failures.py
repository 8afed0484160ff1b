"""Failed calls and failed operations, as the one failure of the client.

Owns: reading google.rpc.ErrorInfo from a call's trailing metadata, and what a lost call may have left behind. Must
not know what a call is for.
"""

from typing import TYPE_CHECKING, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from hermesctl.client.places import START, DaemonRecord, absent, silent
from hermesctl.errors import Fix, HermesError, from_metadata
from hermesd.v1 import errors_pb2, operations_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "hermesd"


UNSENT = "failed to connect to all addresses"
"""How gRPC begins to say that a request never left."""

METHOD_NOTE = "asked for "
"""How the note on a failed plain call begins that names the method; see `name_method`."""

READING = ("Check", "Explain", "Export", "Get", "List", "Open", "Plan")
"""How the names of methods begin that leave nothing running behind when nobody hears the answer."""


def name_method(error: BaseException | None, method: str) -> None:
    """Notes on the failure of a plain call, if it failed, what was asked, which gRPC itself forgets."""
    if error is not None:
        error.add_note(f"{METHOD_NOTE}{method}")


def is_unsent(error: grpc.RpcError) -> bool:
    """Whether the daemon never got the request, so that nothing can have come of it."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and _details(error).startswith(UNSENT)


def explain(error: grpc.RpcError, record: DaemonRecord | None = None) -> HermesError:
    """The failure of a call in terms of reason, message and fixes; `record` is of the daemon that was asked."""
    if info := _error_info(error):
        return from_metadata(info.reason, _details(error), dict(info.metadata))
    code = error.code()
    if is_unsent(error):
        return (
            silent(record) if record is not None and record.is_alive else absent("nothing answers on its socket")
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return _lost(error, "hermesd went away before it answered")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _lost(error, "hermesd did not answer in time", why="it may be overloaded or stopped")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return HermesError("VERSION_SKEW", "hermesd does not know this request", why="it is older than hermesctl")
    return HermesError("INTERNAL", f"hermesd failed unexpectedly: {_details(error) or code.name.lower()}")


def explain_operation(operation: operations_pb2.Operation) -> HermesError | None:
    """Why a finished operation is no success; `None` if it is one."""
    if operation.state == operations_pb2.OPERATION_STATE_SUCCEEDED:
        return None
    if not operation.HasField("error"):
        return HermesError("INTERNAL", f"operation {operation.id} failed and does not say why")
    reason = errors_pb2.Reason.Name(operation.error.reason).removeprefix("REASON_")
    facts = {"profile": operation.profile} if operation.profile else {}
    metadata = facts | dict(operation.error.metadata)
    return from_metadata(reason, operation.error.message, {"operation": operation.id} | metadata)


def _lost(error: grpc.RpcError, message: str, *, why: str = "") -> HermesError:
    """The failure of a call that was sent and never answered: a change may have begun, so it is not sent again."""
    if not _is_change(error):
        return HermesError("DAEMON_ABSENT", message, why=why, fixes=[START])
    parts = [part for part in (why, "what was asked for may be done, or may still be running") if part]
    return HermesError(
        "DAEMON_ABSENT",
        message,
        why="; ".join(parts),
        fixes=[Fix("hermesctl operations list", "see what goes on")],
    )


def _is_change(error: grpc.RpcError) -> bool:
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(METHOD_NOTE)]
    return any(not note.rpartition("/")[2].startswith(READING) for note in notes)


def _error_info(error: grpc.RpcError) -> "error_details_pb2.ErrorInfo | None":
    trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in trailing:
        if key != DETAILS_KEY or not isinstance(value, bytes):
            continue
        for detail in _decode(value).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                return info
    return None


def _decode(value: bytes) -> "status_pb2.Status":
    try:
        return status_pb2.Status.FromString(value)
    except DecodeError:  # not from hermesd; the status code alone has to do
        return status_pb2.Status()


def _details(error: grpc.RpcError) -> str:
    return error.details() or ""
