"""Failed calls and failed operations, as the one failure of the client.

Owns: reading google.rpc.ErrorInfo from a call's trailing metadata. Must not know which call it was.
"""

from typing import TYPE_CHECKING, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from hermesctl.client.places import absent
from hermesctl.errors import HermesError, from_metadata
from hermesd.v1 import errors_pb2, operations_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "hermesd"


def explain(error: grpc.RpcError) -> HermesError:
    """The failure of a call in terms of reason, message and fixes."""
    if info := _error_info(error):
        return from_metadata(info.reason, _details(error), dict(info.metadata))
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        return absent("nothing answers on its socket")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return absent("it did not answer in time; it may be overloaded or stopped")
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
