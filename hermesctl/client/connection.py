"""Channels to the daemon.

Owns: addresses, channel options, deadlines, and what each call says of its caller. Must not know the services.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc
import grpc.aio

from hermesctl import __version__
from hermesctl.client.failures import name_method
from hermesctl.client.places import DaemonRecord
from hermesctl.errors import Fix, HermesError

REQUESTER_KEY = "hermesd-requester"
ANSWER_LIMIT_S = 30.0
"""How long a plain call may take before the daemon counts as absent."""

LONGEST_ADDRESS = 107
"""Bytes of path that a unix socket's address holds."""

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.default_authority", "localhost"),  # a path is no legal authority
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),  # a change is asked for once
)

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class _Details(NamedTuple):
    """What grpc wants to know of one call."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _CallDetails(_Details, grpc.ClientCallDetails):
    """The same, as the type grpc asks for."""


def requester() -> str:
    """How this process describes itself to the daemon."""
    return f"hermesctl/{__version__} pid {os.getpid()}"


def check_version(record: DaemonRecord) -> None:
    """Refuses a daemon that is too far from this client.

    Raises:
        HermesError: VERSION_SKEW, the versions differ by more than one minor step.
    """
    ours, theirs = _minor(__version__), _minor(record.version)
    if ours and theirs and ours[0] == theirs[0] and abs(ours[1] - theirs[1]) <= 1:
        return
    raise HermesError(
        "VERSION_SKEW",
        f"hermesctl {__version__} cannot talk to hermesd {record.version}",
        why="their versions may differ by one minor step at most",
        fixes=[Fix("hermesctl daemon restart")],
    )


class Address:
    """The target of a socket path, and the directory held open where the path is too long for an address."""

    def __init__(self, socket: Path) -> None:
        self._directory: int | None = None
        if len(os.fsencode(socket)) <= LONGEST_ADDRESS:
            self.target = f"unix:{socket}"
        else:
            self._directory = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self.target = f"unix:/proc/self/fd/{self._directory}/{socket.name}"

    def close(self) -> None:
        """Lets go of the directory."""
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None


class _Announcing(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor
):
    """Says on each call who asks, and gives plain calls a deadline."""

    def __init__(self, name: str) -> None:
        self._name = name

    def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Request], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Request,
    ) -> Any:
        call = continuation(self._announce(client_call_details, ANSWER_LIMIT_S), request)
        call.add_done_callback(lambda done: name_method(done.exception(), client_call_details.method))
        return call

    def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Request], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Request,
    ) -> Any:
        return continuation(self._announce(client_call_details, None), request)

    def intercept_stream_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Iterator[Request]], Any],
        client_call_details: grpc.ClientCallDetails,
        request_iterator: Iterator[Request],
    ) -> Any:
        call = continuation(self._announce(client_call_details, None), request_iterator)
        call.add_done_callback(lambda done: name_method(done.exception(), client_call_details.method))
        return call

    def _announce(self, details: grpc.ClientCallDetails, limit_s: float | None) -> _CallDetails:
        return _CallDetails(
            details.method,
            limit_s if details.timeout is None else details.timeout,
            [*(details.metadata or ()), (REQUESTER_KEY, self._name)],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )


def open_channel(address: Address) -> grpc.Channel:
    """A channel; it connects at the first call."""
    channel = grpc.insecure_channel(address.target, options=OPTIONS)
    return grpc.intercept_channel(channel, _Announcing(requester()))


def _minor(version: str) -> tuple[int, int] | None:
    parts = version.split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        return None
    return int(parts[0]), int(parts[1])
