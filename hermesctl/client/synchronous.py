"""The client for scripts and commands.

Owns: connecting, the services as typed stubs, and waiting for operations. Must not print.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health_pb2

from hermesctl.client.connection import Address, check_version, open_channel
from hermesctl.client.failures import explain, explain_operation
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


class Client:
    """A connection to one daemon. Use it as a context manager, or close it.

    A failed call that leaves the `with` block does so as `HermesError`.
    """

    def __init__(self, record: DaemonRecord) -> None:
        self.record = record
        self._address = Address(record.socket)
        self._channel = open_channel(self._address)
        self.profiles = ProfilesServiceStub(self._channel)
        self.gateways = GatewaysServiceStub(self._channel)
        self.operations = OperationsServiceStub(self._channel)
        self.events = EventsServiceStub(self._channel)
        self.runtimes = RuntimesServiceStub(self._channel)
        self.skills = SkillsServiceStub(self._channel)
        self.environments = EnvironmentsServiceStub(self._channel)
        self.terminals = TerminalsServiceStub(self._channel)
        self.trash = TrashServiceStub(self._channel)
        self.doctor = DoctorServiceStub(self._channel)
        self.aliases = AliasesServiceStub(self._channel)
        self.logs = LogsServiceStub(self._channel)
        self.samples = SamplesServiceStub(self._channel)
        self.claims = ClaimsServiceStub(self._channel)
        self.configs = ConfigsServiceStub(self._channel)
        self.archives = ArchivesServiceStub(self._channel)
        self.daemon = DaemonServiceStub(self._channel)
        self._check_health = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )

    def wait(self, operation: Operation) -> Operation:
        """Waits until the operation has finished, and returns it.

        Raises:
            HermesError: it failed or was cancelled; the reason is the operation's.
            grpc.RpcError: the daemon cannot be asked; the operation may still run.
        """
        for current in self.watch(operation):
            operation = current
        if failure := explain_operation(operation):
            raise failure
        return operation

    def watch(self, operation: Operation) -> Iterator[Operation]:
        """Yields the operation now and after each change; ends when it has finished.

        Raises:
            grpc.RpcError: the daemon cannot be asked; the operation may still run.
        """
        if operation.state != OPERATION_STATE_RUNNING:
            yield operation
            return
        call = self.operations.WatchOperation(WatchOperationRequest(id=operation.id))
        try:
            yield from call
        finally:
            call.cancel()

    def is_serving(self) -> bool:
        """Whether the daemon answers and says that it serves."""
        try:
            answer = self._check_health(health_pb2.HealthCheckRequest(), timeout=5.0)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Ends the connection. Operations go on."""
        self._channel.close()
        self._address.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, grpc.RpcError):
            raise explain(error, self.record) from error


def connect(*, root: Path | None = None) -> Client:
    """Finds the daemon of a root (by default this user's) and connects to it.

    Raises:
        HermesError: DAEMON_ABSENT, VERSION_SKEW or NOT_PERMITTED.
    """
    environment = dict(os.environ) | ({"HERMESD_ROOT": str(root)} if root else {})
    record = Places.locate(environment).read_living_record()
    check_version(record)
    return Client(record)
