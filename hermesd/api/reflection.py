"""Reflection: who brings no stubs asks the daemon what it serves.

Owns: answering that. What answers is large and seldom asked, so it is imported with the first question. Must not
know what is served.
"""

from collections.abc import Sequence
from typing import Any

import grpc

SERVICE = "grpc.reflection.v1alpha.ServerReflection"


class Reflection(grpc.GenericRpcHandler):
    """Serves reflection over the services of these names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._handler: Any = None

    def service(self, handler_call_details: Any) -> Any:
        """The handler of its one method, and of no other."""
        if handler_call_details.method != f"/{SERVICE}/ServerReflectionInfo":
            return None
        if self._handler is None:
            self._handler = _make_handler(self._names)
        return self._handler


def _make_handler(names: Sequence[str]) -> Any:
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    return grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(names).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
