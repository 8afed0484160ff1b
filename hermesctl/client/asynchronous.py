"""The same client for asyncio.

Owns: the asynchronous connection. Must not differ from the synchronous one in names.
"""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio

from hermesctl.client.connection import ANSWER_LIMIT_S, OPTIONS, REQUESTER_KEY, Address, check_version, requester
from hermesctl.client.failures import explain, explain_operation, name_method
from hermesctl.client.places import DaemonRecord, Places
from hermesd.v1.aliases_pb2_grpc import AliasesServiceStub
from hermesd.v1.archives_pb2_grpc import ArchivesServiceStub
from hermesd.v1.claims_pb2_grpc import ClaimsServiceStub
from hermesd.v1.configs_pb2_grpc import ConfigsServiceStub
from hermesd.v1.daemon_pb2_grpc import DaemonServiceStub
from hermesd.v1.doctor_pb2_grpc import DoctorServiceStub
from hermesd.v1.environments_pb2_grpc import EnvironmentsServiceStub
from hermesd.v1.events_pb2_grpc import EventsServiceStub
from hermesd.v1.gateways_pb2_grpc import GatewaysServiceStub
from hermesd.v1.logs_pb2_grpc import LogsServiceStub
from hermesd.v1.operations_pb2 import OPERATION_STATE_RUNNING, Operation, WatchOperationRequest
from hermesd.v1.operations_pb2_grpc import OperationsServiceStub
from hermesd.v1.profiles_pb2_grpc import ProfilesServiceStub
from hermesd.v1.runtimes_pb2_grpc import RuntimesServiceStub
from hermesd.v1.samples_pb2_grpc import SamplesServiceStub
from hermesd.v1.skills_pb2_grpc import SkillsServiceStub
from hermesd.v1.terminals_pb2_grpc import TerminalsServiceStub
from hermesd.v1.trash_pb2_grpc import TrashServiceStub

if TYPE_CHECKING:
    from hermesd.v1.aliases_pb2_grpc import AliasesServiceAsyncStub
    from hermesd.v1.archives_pb2_grpc import ArchivesServiceAsyncStub
    from hermesd.v1.claims_pb2_grpc import ClaimsServiceAsyncStub
    from hermesd.v1.configs_pb2_grpc import ConfigsServiceAsyncStub
    from hermesd.v1.daemon_pb2_grpc import DaemonServiceAsyncStub
    from hermesd.v1.doctor_pb2_grpc import DoctorServiceAsyncStub
    from hermesd.v1.environments_pb2_grpc import EnvironmentsServiceAsyncStub
    from hermesd.v1.events_pb2_grpc import EventsServiceAsyncStub
    from hermesd.v1.gateways_pb2_grpc import GatewaysServiceAsyncStub
    from hermesd.v1.logs_pb2_grpc import LogsServiceAsyncStub
    from hermesd.v1.operations_pb2_grpc import OperationsServiceAsyncStub
    from hermesd.v1.profiles_pb2_grpc import ProfilesServiceAsyncStub
    from hermesd.v1.runtimes_pb2_grpc import RuntimesServiceAsyncStub
    from hermesd.v1.samples_pb2_grpc import SamplesServiceAsyncStub
    from hermesd.v1.skills_pb2_grpc import SkillsServiceAsyncStub
    from hermesd.v1.terminals_pb2_grpc import TerminalsServiceAsyncStub
    from hermesd.v1.trash_pb2_grpc import TrashServiceAsyncStub


class _UnaryAnnouncing(grpc.aio.UnaryUnaryClientInterceptor):
    """Says on each plain call who asks, and gives it a deadline."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: object,
    ) -> Any:
        call = await continuation(_announce(client_call_details, ANSWER_LIMIT_S), request)
        try:
            return await call
        except grpc.RpcError as error:
            name_method(error, str(client_call_details.method))
            raise


class _StreamAnnouncing(grpc.aio.UnaryStreamClientInterceptor):
    """Says on each watching call who asks."""

    async def intercept_unary_stream(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: object,
    ) -> Any:
        return await continuation(_announce(client_call_details, None), request)


class _SendingAnnouncing(grpc.aio.StreamUnaryClientInterceptor):
    """Says on each call that sends much who asks."""

    async def intercept_stream_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: Any,
    ) -> Any:
        return await continuation(_announce(client_call_details, None), request_iterator)


class AsyncClient:
    """A connection to one daemon for asyncio. Use it with `async with`, or close it.

    A failed call that leaves the block does so as `HermesError`.
    """

    def __init__(self, record: DaemonRecord) -> None:
        self.record = record
        self._address = Address(record.socket)
        self._channel = grpc.aio.insecure_channel(
            self._address.target,
            options=OPTIONS,
            interceptors=[_UnaryAnnouncing(), _StreamAnnouncing(), _SendingAnnouncing()],
        )
        self.profiles: ProfilesServiceAsyncStub = ProfilesServiceStub(self._channel)
        self.gateways: GatewaysServiceAsyncStub = GatewaysServiceStub(self._channel)
        self.operations: OperationsServiceAsyncStub = OperationsServiceStub(self._channel)
        self.events: EventsServiceAsyncStub = EventsServiceStub(self._channel)
        self.runtimes: RuntimesServiceAsyncStub = RuntimesServiceStub(self._channel)
        self.skills: SkillsServiceAsyncStub = SkillsServiceStub(self._channel)
        self.environments: EnvironmentsServiceAsyncStub = EnvironmentsServiceStub(self._channel)
        self.terminals: TerminalsServiceAsyncStub = TerminalsServiceStub(self._channel)
        self.trash: TrashServiceAsyncStub = TrashServiceStub(self._channel)
        self.doctor: DoctorServiceAsyncStub = DoctorServiceStub(self._channel)
        self.aliases: AliasesServiceAsyncStub = AliasesServiceStub(self._channel)
        self.logs: LogsServiceAsyncStub = LogsServiceStub(self._channel)
        self.samples: SamplesServiceAsyncStub = SamplesServiceStub(self._channel)
        self.claims: ClaimsServiceAsyncStub = ClaimsServiceStub(self._channel)
        self.configs: ConfigsServiceAsyncStub = ConfigsServiceStub(self._channel)
        self.archives: ArchivesServiceAsyncStub = ArchivesServiceStub(self._channel)
        self.daemon: DaemonServiceAsyncStub = DaemonServiceStub(self._channel)

    async def wait(self, operation: Operation) -> Operation:
        """Waits until the operation has finished, and returns it.

        Raises:
            HermesError: it failed or was cancelled; the reason is the operation's.
            grpc.RpcError: the daemon cannot be asked; the operation may still run.
        """
        async for current in self.watch(operation):
            operation = current
        if failure := explain_operation(operation):
            raise failure
        return operation

    async def watch(self, operation: Operation) -> AsyncIterator[Operation]:
        """Yields the operation now and after each change; ends when it has finished.

        Raises:
            grpc.RpcError: the daemon cannot be asked; the operation may still run.
        """
        if operation.state != OPERATION_STATE_RUNNING:
            yield operation
            return
        async for current in self.operations.WatchOperation(WatchOperationRequest(id=operation.id)):
            yield current

    async def close(self) -> None:
        """Ends the connection. Operations go on."""
        await self._channel.close()
        self._address.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if isinstance(error, grpc.RpcError):
            raise explain(error, self.record) from error


def connect_async(*, root: Path | None = None) -> AsyncClient:
    """Finds the daemon of a root (by default this user's); connects at the first call, in the running loop.

    Raises:
        HermesError: DAEMON_ABSENT, VERSION_SKEW or NOT_PERMITTED.
    """
    environment = dict(os.environ) | ({"HERMESD_ROOT": str(root)} if root else {})
    record = Places.locate(environment).read_living_record()
    check_version(record)
    return AsyncClient(record)


def _announce(details: grpc.aio.ClientCallDetails, limit_s: float | None) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    metadata.add(REQUESTER_KEY, requester())
    return grpc.aio.ClientCallDetails(
        method=details.method,
        timeout=limit_s if details.timeout is None else details.timeout,
        metadata=metadata,
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )
