"""The public Python client of hermesd.

Owns: the names that scripts may use. Calls raise `grpc.RpcError`, which `explain`, or leaving the client's `with`
block, turns into a `HermesError` with the daemon's reason. Must not import grpc before it is needed: finding the
daemon does not take it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hermesctl.errors import HermesError

if TYPE_CHECKING:
    from hermesctl.client.asynchronous import AsyncClient, connect_async
    from hermesctl.client.failures import explain
    from hermesctl.client.synchronous import Client, connect

__all__ = ["AsyncClient", "Client", "HermesError", "connect", "connect_async", "explain"]

_MODULES = {
    "AsyncClient": "asynchronous",
    "Client": "synchronous",
    "connect": "synchronous",
    "connect_async": "asynchronous",
    "explain": "failures",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
