"""What the client's stand-in daemon knows, in dictionaries, and what a test wants to go wrong.

Owns: operations that end once somebody watches, and how a call is refused. Must not know the methods.
"""

import hmac
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from hermesctl import __version__
from hermesd.v1 import (
    aliases_pb2,
    claims_pb2,
    doctor_pb2,
    environments_pb2,
    errors_pb2,
    events_pb2,
    gateways_pb2,
    logs_pb2,
    operations_pb2,
    profiles_pb2,
    runtimes_pb2,
    samples_pb2,
    terminals_pb2,
    trash_pb2,
)
from tests.fakes.contract import at, usage


@dataclass
class Refusal:
    """How a call or an operation fails."""

    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION
    domain: str = "hermesd"
    """Who claims to have given the reason."""


@dataclass
class World:
    """What the daemon knows, and what a test wants to go wrong."""

    profiles: dict[str, profiles_pb2.Profile] = field(default_factory=dict)
    runtimes: list[runtimes_pb2.Runtime] = field(default_factory=list)
    operations: dict[str, operations_pb2.Operation] = field(default_factory=dict)
    events: list[events_pb2.Event] = field(default_factory=list)
    terminals: list[terminals_pb2.Terminal] = field(default_factory=list)
    trash: list[trash_pb2.TrashedProfile] = field(default_factory=list)
    ignored: list[profiles_pb2.IgnoredEntry] = field(default_factory=list)
    usage: profiles_pb2.DiskUsage = field(default_factory=lambda: usage(412_300_000))
    """What each profile takes on disk."""
    plan: profiles_pb2.DeletionPlan = field(default_factory=profiles_pb2.DeletionPlan)
    """What every deletion would take away, but for the profile and its size."""
    souls: dict[str, profiles_pb2.Soul] = field(default_factory=dict)
    """By profile."""
    configs: dict[tuple[str, int], list[dict[str, str]]] = field(default_factory=dict)
    """Every version of a profile's file of settings, the oldest first."""
    aliases: list[aliases_pb2.Alias] = field(default_factory=list)
    bin: str = "/home/ana/.local/bin"
    """Where aliases are."""
    log: list[str] = field(default_factory=list)
    """What every gateway printed."""
    records: list[logs_pb2.LogRecord] = field(default_factory=list)
    """What was logged."""
    coming: list[logs_pb2.LogRecord] = field(default_factory=list)
    """What is logged while somebody follows."""
    notices: list[logs_pb2.LogNotice] = field(default_factory=list)
    sampled: list[list[samples_pb2.Sample]] = field(default_factory=list)
    """What gateways used, from second to second."""
    watched: list[events_pb2.WatchEventsResponse] = field(default_factory=list)
    """What every watcher of events is sent first."""
    news: threading.Condition = field(default_factory=threading.Condition)
    dumps: list[gateways_pb2.GatewayDump] = field(default_factory=list)
    """What was kept of every gateway."""
    findings: list[doctor_pb2.Finding] = field(default_factory=list)
    grants: list[profiles_pb2.SharedGrant] = field(default_factory=list)
    """Logins that every clone of everything would share."""
    claims: list[claims_pb2.Claim] = field(default_factory=list)
    sticky: str = ""
    used_before: str = ""
    refused: dict[str, Refusal] = field(default_factory=dict)
    """By method name."""
    failing: dict[str, Refusal] = field(default_factory=dict)
    """By kind of operation."""
    hanging: set[str] = field(default_factory=set)
    """Kinds of operation, "log", "samples" and "events", that never end while somebody watches."""
    synced: dict[str, str] = field(default_factory=dict)
    """What a sync of skills does, by profile."""
    changed: dict[str, str] = field(default_factory=dict)
    """What a verb for many gateways does, by profile."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Why it is not meant for one that nobody spelt out, by profile."""
    unchanged: dict[str, Refusal] = field(default_factory=dict)
    """Why it fails, by profile."""
    unsynced: dict[str, Refusal] = field(default_factory=dict)
    """Why it fails, by profile."""
    warnings: list[str] = field(default_factory=list)
    """What every operation that succeeds warns of."""
    environment_set: dict[str, str] = field(default_factory=dict)
    foreign_values: list[str] = field(default_factory=list)
    """What other profiles keep secret."""
    described: list[environments_pb2.EnvironmentVariable] = field(default_factory=list)
    """What every gateway gets, and every command besides its caller's."""
    executable: str = "/runtimes/hermes"
    workplace: str = ""
    """Where a command of the agent must start."""
    version: str = __version__
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set by a client that asks the daemon to stop."""
    calls: list[tuple[str, Message]] = field(default_factory=list)
    requesters: list[str] = field(default_factory=list)
    effects: dict[str, Callable[[], None]] = field(default_factory=dict)

    @property
    def foreign_secrets(self) -> environments_pb2.ForeignSecrets:
        """What tells `foreign_values`."""
        salt = b"salt"
        found = [hmac.digest(salt, value.encode(), "sha256")[:16] for value in self.foreign_values]
        return environments_pb2.ForeignSecrets(salt=salt, digests=found)

    def enter(self, context: grpc.ServicerContext, request: Message) -> None:
        """Notes a call, and fails it if the test wants that."""
        method = type(request).__name__.removesuffix("Request")
        self.calls.append((method, request))
        for key, value in context.invocation_metadata():
            if key == "hermesd-requester":
                self.requesters.append(str(value))
        if method in self.refused:
            refuse(context, self.refused[method])

    def happen(self, kind: str, name: str = "", message: str = "", **facts: str) -> events_pb2.Event:
        """Something happens, and who watches hears of it."""
        with self.news:
            event = events_pb2.Event(
                token=len(self.events) + 1, kind=kind, profile=name, message=message, facts=facts, at=at(0)
            )
            self.events.append(event)
            self.news.notify_all()
        return event

    def find(self, context: grpc.ServicerContext, name: str) -> profiles_pb2.Profile:
        """A profile, or the failure for an unknown one."""
        if name not in self.profiles:
            metadata = {"profile": name, "closest": "worker" if name == "worke" else ""}
            refuse(
                context,
                Refusal("PROFILE_NOT_FOUND", f"there is no profile '{name}'", metadata, grpc.StatusCode.NOT_FOUND),
            )
        return self.profiles[name]

    def begin(self, kind: str, name: str, effect: Callable[[], None]) -> operations_pb2.Operation:
        """Begins an operation that ends once somebody watches it."""
        operation = operations_pb2.Operation(
            id=f"op{len(self.operations) + 1:010d}",
            kind=kind,
            profile=name,
            requester="hermesctl/0.1.0 pid 7",
            state=operations_pb2.OPERATION_STATE_RUNNING,
            started_at=at(2),
        )
        self.operations[operation.id] = operation
        self.effects[operation.id] = effect
        return operation

    def phases(self, id_: str) -> Iterator[operations_pb2.Operation]:
        """Runs an operation to its end."""
        operation = self.operations[id_]
        if operation.state == operations_pb2.OPERATION_STATE_RUNNING:
            for number, phase in enumerate(("prepare", "work"), start=1):
                operation.progress.CopyFrom(
                    operations_pb2.OperationProgress(phase=phase, detail="a thing", done=number, total=2)
                )
                yield operation
            self._finish(operation)
        yield operation

    def _finish(self, operation: operations_pb2.Operation) -> None:
        operation.elapsed.CopyFrom(Duration(seconds=2, nanos=100_000_000))
        operation.finished_at.CopyFrom(at(0))
        if refusal := self.failing.get(operation.kind):
            operation.state = operations_pb2.OPERATION_STATE_FAILED
            operation.error.reason = errors_pb2.Reason.Value(f"REASON_{refusal.reason}")
            operation.error.message = refusal.message
            operation.error.metadata.update(refusal.metadata)
            return
        operation.state = operations_pb2.OPERATION_STATE_SUCCEEDED
        operation.warnings.extend(self.warnings)
        self.effects[operation.id]()


def refuse(context: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    """Ends a call the way hermesd does: a status with google.rpc.ErrorInfo."""
    info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain=refusal.domain, metadata=refusal.metadata)
    detail = AnyMessage()
    detail.Pack(info)
    status = status_pb2.Status(code=refusal.code.value[0], message=refusal.message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(refusal.code, refusal.message)


def wait_until_cancelled(context: grpc.ServicerContext) -> None:
    """Returns when the caller is gone."""
    ended = threading.Event()
    if context.add_callback(ended.set):
        ended.wait()


class Servicer:
    """Answers from a world."""

    def __init__(self, world: World) -> None:
        self.world = world
