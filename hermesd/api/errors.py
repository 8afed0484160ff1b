"""The border for failures: the only place that knows both `HermesError` and gRPC.

A failure leaves as a gRPC status with a google.rpc.ErrorInfo (domain "hermesd", reason, metadata). Anything
unexpected leaves as INTERNAL with an incident id; its traceback goes to the log and nowhere else.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from hermesd.domain.errors import HermesError
from hermesd.domain.masking import mask

log = logging.getLogger(__name__)

DOMAIN = "hermesd"
DETAILS_KEY = "grpc-status-details-bin"

CODES: Mapping[str, grpc.StatusCode] = {
    "ARGUMENT_INVALID": grpc.StatusCode.INVALID_ARGUMENT,
    "PROFILE_NAME_INVALID": grpc.StatusCode.INVALID_ARGUMENT,
    "PROFILE_REQUIRED": grpc.StatusCode.INVALID_ARGUMENT,
    "PROFILE_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "PROFILE_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "ALIAS_TAKEN": grpc.StatusCode.ALREADY_EXISTS,
    "PORT_IN_USE": grpc.StatusCode.FAILED_PRECONDITION,
    "TOKEN_IN_USE": grpc.StatusCode.FAILED_PRECONDITION,
    "PROFILE_BUSY": grpc.StatusCode.ABORTED,
    "GATEWAY_MISCONFIGURED": grpc.StatusCode.FAILED_PRECONDITION,
    "GATEWAY_FOREIGN": grpc.StatusCode.FAILED_PRECONDITION,
    "RUNTIME_MISSING": grpc.StatusCode.FAILED_PRECONDITION,
    "INCOMPATIBLE": grpc.StatusCode.FAILED_PRECONDITION,
    "CONFIG_INVALID": grpc.StatusCode.FAILED_PRECONDITION,
    "GATEWAY_CRASHED": grpc.StatusCode.ABORTED,
    "GATEWAY_NOT_READY": grpc.StatusCode.DEADLINE_EXCEEDED,
    "GATEWAY_STUCK": grpc.StatusCode.ABORTED,
    "SOURCE_UNREACHABLE": grpc.StatusCode.UNAVAILABLE,
    "STATE_CORRUPT": grpc.StatusCode.DATA_LOSS,
    "DISK_FULL": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "INTERNAL": grpc.StatusCode.INTERNAL,
    "CANCELLED": grpc.StatusCode.CANCELLED,
    "STATE_TOO_NEW": grpc.StatusCode.FAILED_PRECONDITION,
    "NOT_PERMITTED": grpc.StatusCode.PERMISSION_DENIED,
    "BUDGET_SPENT": grpc.StatusCode.FAILED_PRECONDITION,
    "CHANGED_MEANWHILE": grpc.StatusCode.ABORTED,
    "AGENT_FAILED": grpc.StatusCode.ABORTED,
    "GATEWAY_NOT_RUNNING": grpc.StatusCode.FAILED_PRECONDITION,
    "INTERRUPTED": grpc.StatusCode.ABORTED,
    "ARCHIVE_UNSAFE": grpc.StatusCode.FAILED_PRECONDITION,
    "ARCHIVE_CORRUPT": grpc.StatusCode.FAILED_PRECONDITION,
}
"""The gRPC code of every reason the daemon gives. Programs look at the reason; the code is for proxies."""

Context = grpc.aio.ServicerContext[Any, Any]


class Translator(grpc.aio.ServerInterceptor):
    """Turns every failure of a servicer into a status that carries its reason."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the handler that is about to serve the call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                _translating_call(handler.unary_unary),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                _translating_stream(handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.stream_unary is not None:
            return grpc.stream_unary_rpc_method_handler(
                _translating_call(handler.stream_unary),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return handler


def _translating_call(serve: Callable[[Any, Context], Awaitable[Any]]) -> Any:
    async def call(request: Any, context: Context) -> Any:
        try:
            return await serve(request, context)
        except HermesError as error:
            await _abort(context, error)
        except Exception as error:
            if _is_abort(error):
                raise
            await _abort(context, _incident(error))

    return call


def _translating_stream(serve: Callable[[Any, Context], AsyncIterator[Any]]) -> Any:
    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        try:
            async for response in serve(request, context):
                yield response
        except HermesError as error:
            await _abort(context, error)
        except Exception as error:
            if _is_abort(error):
                raise
            await _abort(context, _incident(error))

    return stream


def _is_abort(error: Exception) -> bool:
    """Whether a servicer of gRPC's own (health, reflection) has answered with a status already."""
    return isinstance(error, grpc.aio.AbortError)


def _incident(error: Exception) -> HermesError:
    incident = secrets.token_hex(6)
    log.error("incident=%s", incident, exc_info=error)
    return HermesError("hermesd made a mistake", incident=incident)


async def _abort(context: Context, error: HermesError) -> None:
    code = CODES[error.reason]
    message = mask(error.message)  # it may quote what another program said
    metadata = {name: mask(value) for name, value in error.metadata.items()}
    details = any_pb2.Any()
    details.Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))
    status = status_pb2.Status(code=code.value[0], message=message, details=[details])
    await context.abort(code, message, ((DETAILS_KEY, status.SerializeToString()),))
