"""Serves `OperationsService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from hermesd.api import convert
from hermesd.services.operations import Operations
from hermesd.v1 import operations_pb2, operations_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_PAGE = 100


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Translates for `services/operations.py`."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        found = await self._operations.all(profile=request.profile, limit=request.page_size or DEFAULT_PAGE)
        return operations_pb2.ListOperationsResponse(operations=[convert.operation(one) for one in found])

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        return convert.operation(await self._operations.get(request.id))

    async def WatchOperation(
        self, request: operations_pb2.WatchOperationRequest, context: Context
    ) -> AsyncIterator[operations_pb2.Operation]:
        async for current in self._operations.watch(request.id):
            yield convert.operation(current)

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        return convert.operation(await self._operations.cancel(request.id))
