"""Serves `RuntimesService`."""

from pathlib import Path
from typing import Any

import grpc

from hermesd.api import convert
from hermesd.api.requests import requester
from hermesd.domain.runtime import Runtime
from hermesd.services.runtimes import Runtimes
from hermesd.v1 import operations_pb2, runtimes_pb2, runtimes_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class RuntimesServicer(runtimes_pb2_grpc.RuntimesServiceServicer):
    """Translates for `services/runtimes.py`."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes

    async def ListRuntimes(
        self, request: runtimes_pb2.ListRuntimesRequest, context: Context
    ) -> runtimes_pb2.ListRuntimesResponse:
        current = await self._runtimes.current()
        return runtimes_pb2.ListRuntimesResponse(
            runtimes=[_runtime(found, is_current=found == current) for found in await self._runtimes.all()],
            installable_versions=self._runtimes.installable_versions(),
        )

    async def InstallRuntime(
        self, request: runtimes_pb2.InstallRuntimeRequest, context: Context
    ) -> operations_pb2.Operation:
        return convert.operation(await self._runtimes.install(request.version, requester(context)))

    async def RegisterRuntime(
        self, request: runtimes_pb2.RegisterRuntimeRequest, context: Context
    ) -> runtimes_pb2.Runtime:
        return self._in_use(await self._runtimes.register(Path(request.executable), requester(context)))

    async def UseRuntime(self, request: runtimes_pb2.UseRuntimeRequest, context: Context) -> runtimes_pb2.Runtime:
        return self._in_use(await self._runtimes.use(request.name, {"requester": requester(context)}))

    def _in_use(self, runtime: Runtime) -> runtimes_pb2.Runtime:
        return _runtime(runtime, is_current=True)


def _runtime(found: Runtime, *, is_current: bool) -> runtimes_pb2.Runtime:
    """A runtime."""
    return runtimes_pb2.Runtime(
        name=found.name,
        kind=found.kind,
        version=found.version,
        executable=str(found.executable),
        is_managed=found.is_managed,
        is_current=is_current,
    )
