"""Serves `DaemonService`."""

from collections.abc import Callable
from typing import Any

import grpc

from hermesd.v1 import daemon_pb2, daemon_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class DaemonServicer(daemon_pb2_grpc.DaemonServiceServicer):
    """Says who answers, and passes on the wish to end."""

    def __init__(self, daemon: daemon_pb2.Daemon, stop: Callable[[bool], None]) -> None:
        self._daemon = daemon
        self._stop = stop

    async def GetDaemon(self, request: daemon_pb2.GetDaemonRequest, context: Context) -> daemon_pb2.Daemon:
        return self._daemon

    async def StopDaemon(
        self, request: daemon_pb2.StopDaemonRequest, context: Context
    ) -> daemon_pb2.StopDaemonResponse:
        self._stop(request.gateways)
        return daemon_pb2.StopDaemonResponse(pid=self._daemon.pid)
