"""What every request has in common: who asks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import grpc

REQUESTER_KEY = "hermesd-requester"
LONGEST_REQUESTER = 200


def requester(context: "grpc.aio.ServicerContext[Any, Any]") -> str:
    """How the caller described itself in the metadata; empty if it did not."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUESTER_KEY and isinstance(value, str):
            return value[:LONGEST_REQUESTER]
    return ""
