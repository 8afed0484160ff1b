# ruff: noqa: N802 - the contract names the methods
"""The client's stand-in daemon itself: what it does, what happened, what it runs and examines."""

import os
from collections.abc import Iterator

import grpc

from hermesd.v1 import (
    daemon_pb2,
    daemon_pb2_grpc,
    doctor_pb2,
    doctor_pb2_grpc,
    environments_pb2,
    environments_pb2_grpc,
    errors_pb2,
    events_pb2,
    events_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    runtimes_pb2,
    runtimes_pb2_grpc,
    terminals_pb2,
    terminals_pb2_grpc,
)
from tests.fakes.contract import ROOT, at, runtime
from tests.fakes.world import Refusal, Servicer, refuse, wait_until_cancelled


class Operations(Servicer, operations_pb2_grpc.OperationsServiceServicer):
    """Operations from memory."""

    def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: grpc.ServicerContext
    ) -> operations_pb2.ListOperationsResponse:
        self.world.enter(context, request)
        found = [one for one in self.world.operations.values() if request.profile in {"", one.profile}]
        return operations_pb2.ListOperationsResponse(operations=reversed(found))

    def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        return self._find(request.id, context)

    def WatchOperation(
        self, request: operations_pb2.WatchOperationRequest, context: grpc.ServicerContext
    ) -> Iterator[operations_pb2.Operation]:
        self.world.enter(context, request)
        found = self._find(request.id, context)
        for current in self.world.phases(found.id):
            yield current
            if found.kind in self.world.hanging:
                wait_until_cancelled(context)
                return

    def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        found = self._find(request.id, context)
        found.state = operations_pb2.OPERATION_STATE_CANCELLED
        found.error.reason = errors_pb2.REASON_CANCELLED
        found.error.message = "cancelled by ana"
        return found

    def _find(self, id_: str, context: grpc.ServicerContext) -> operations_pb2.Operation:
        if id_ not in self.world.operations:
            refuse(context, Refusal("NOT_FOUND", f"there is no operation '{id_}'", code=grpc.StatusCode.NOT_FOUND))
        return self.world.operations[id_]


class Events(Servicer, events_pb2_grpc.EventsServiceServicer):
    """Events from memory."""

    def ListEvents(
        self, request: events_pb2.ListEventsRequest, context: grpc.ServicerContext
    ) -> events_pb2.ListEventsResponse:
        self.world.enter(context, request)
        found = [one for one in self.world.events if _is_asked(one, request)]
        before = request.before_token or len(self.world.events) + 1
        found = [one for one in found if one.token < before]
        return events_pb2.ListEventsResponse(events=found[-request.page_size :])

    def WatchEvents(
        self, request: events_pb2.WatchEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[events_pb2.WatchEventsResponse]:
        self.world.enter(context, request)
        yield from self.world.watched
        last = request.resume_token
        while "events" in self.world.hanging and context.is_active():
            for one in self.world.events[last:]:
                last = one.token
                if _is_asked(one, request):
                    yield events_pb2.WatchEventsResponse(event=one)
            with self.world.news:
                if len(self.world.events) == last:
                    self.world.news.wait(0.2)


def _is_asked(
    event: events_pb2.Event, request: events_pb2.ListEventsRequest | events_pb2.WatchEventsRequest
) -> bool:
    kinds = set(request.kinds) or {event.kind}
    return request.profile in {"", event.profile} and bool(kinds & {event.kind, event.kind.partition(".")[0]})


class Runtimes(Servicer, runtimes_pb2_grpc.RuntimesServiceServicer):
    """Agents from memory."""

    def ListRuntimes(
        self, request: runtimes_pb2.ListRuntimesRequest, context: grpc.ServicerContext
    ) -> runtimes_pb2.ListRuntimesResponse:
        self.world.enter(context, request)
        return runtimes_pb2.ListRuntimesResponse(
            runtimes=self.world.runtimes, installable_versions=["0.19.0", "0.18.2"]
        )

    def InstallRuntime(
        self, request: runtimes_pb2.InstallRuntimeRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        made = runtime(request.version or "0.19.0", is_current=not self.world.runtimes)
        return self.world.begin("runtime.install", "", lambda: self.world.runtimes.append(made))

    def RegisterRuntime(
        self, request: runtimes_pb2.RegisterRuntimeRequest, context: grpc.ServicerContext
    ) -> runtimes_pb2.Runtime:
        self.world.enter(context, request)
        made = runtime()
        made.executable, made.is_managed = request.executable, False
        self._choose(made.name)
        self.world.runtimes.append(made)
        return made

    def UseRuntime(
        self, request: runtimes_pb2.UseRuntimeRequest, context: grpc.ServicerContext
    ) -> runtimes_pb2.Runtime:
        self.world.enter(context, request)
        if not any(one.name == request.name for one in self.world.runtimes):
            refuse(
                context,
                Refusal("NOT_FOUND", f"there is no runtime '{request.name}'", code=grpc.StatusCode.NOT_FOUND),
            )
        return self._choose(request.name)

    def _choose(self, name: str) -> runtimes_pb2.Runtime:
        for one in self.world.runtimes:
            one.is_current = one.name == name
        return next((one for one in self.world.runtimes if one.is_current), runtimes_pb2.Runtime())


class Terminals(Servicer, terminals_pb2_grpc.TerminalsServiceServicer):
    """Agent commands from memory."""

    def OpenTerminal(
        self, request: terminals_pb2.OpenTerminalRequest, context: grpc.ServicerContext
    ) -> terminals_pb2.OpenTerminalResponse:
        self.world.enter(context, request)
        self.world.find(context, request.profile)
        argv = ["hermes", "-p", request.profile, *request.arguments]
        return terminals_pb2.OpenTerminalResponse(
            terminal="t1",
            executable="" if request.program else self.world.executable,
            argv=[] if request.program else argv,
            working_directory=self.world.workplace,
            environment_set=self.world.environment_set,
            environment_unset=[name for name in request.environment_names if name.startswith("HERMES")],
            foreign_secrets=self.world.foreign_secrets,
        )

    def ListTerminals(
        self, request: terminals_pb2.ListTerminalsRequest, context: grpc.ServicerContext
    ) -> terminals_pb2.ListTerminalsResponse:
        self.world.enter(context, request)
        found = [one for one in self.world.terminals if request.profile in {"", one.profile}]
        return terminals_pb2.ListTerminalsResponse(terminals=found)


class Environments(Servicer, environments_pb2_grpc.EnvironmentsServiceServicer):
    """What is described, the caller's own, and what its names leave out."""

    def DescribeEnvironment(
        self, request: environments_pb2.DescribeEnvironmentRequest, context: grpc.ServicerContext
    ) -> environments_pb2.DescribeEnvironmentResponse:
        self.world.enter(context, request)
        self.world.find(context, request.profile)
        if request.purpose != environments_pb2.ENVIRONMENT_PURPOSE_COMMAND:
            return environments_pb2.DescribeEnvironmentResponse(variables=self.world.described)
        why = environments_pb2.ENVIRONMENT_REMOVAL_STEERING
        names = sorted(request.environment_names)
        left = [name for name in names if name.startswith("HERMES")]
        kept = [
            environments_pb2.EnvironmentVariable(name=name, origin=environments_pb2.ENVIRONMENT_ORIGIN_CALLER)
            for name in names
            if name not in left
        ]
        return environments_pb2.DescribeEnvironmentResponse(
            variables=[*kept, *self.world.described],
            removed=[environments_pb2.RemovedVariable(name=name, why=why) for name in left],
            foreign_secrets=self.world.foreign_secrets,
        )


class Doctor(Servicer, doctor_pb2_grpc.DoctorServiceServicer):
    """Findings from memory, the machine's first."""

    def Examine(
        self, request: doctor_pb2.ExamineRequest, context: grpc.ServicerContext
    ) -> doctor_pb2.ExamineResponse:
        self.world.enter(context, request)
        if request.profile:
            self.world.find(context, request.profile)
        shown = [request.profile] if request.profile else ["", *self.world.profiles]
        found = [one for profile in shown for one in self.world.findings if one.profile == profile]
        answer = doctor_pb2.ExamineResponse(findings=found)
        for given, told in zip(found, answer.findings, strict=True):
            told.is_fixed = request.fix and given.is_fixable
            if told.is_fixed:
                self.world.findings.remove(given)
        return answer


class DaemonServicer(Servicer, daemon_pb2_grpc.DaemonServiceServicer):
    """The daemon as it describes itself."""

    def GetDaemon(self, request: daemon_pb2.GetDaemonRequest, context: grpc.ServicerContext) -> daemon_pb2.Daemon:
        self.world.enter(context, request)
        return daemon_pb2.Daemon(
            version=self.world.version,
            pid=3977,
            started_at=at(86_400 * 9),
            root=ROOT,
            state_directory="/home/ana/.local/state/hermesd/0123456789ab",
            log_path="/home/ana/.local/state/hermesd/0123456789ab/logs/daemon.log",
            settings_path="/home/ana/.config/hermesd/settings.toml",
        )

    def StopDaemon(
        self, request: daemon_pb2.StopDaemonRequest, context: grpc.ServicerContext
    ) -> daemon_pb2.StopDaemonResponse:
        self.world.enter(context, request)
        self.world.stopping.set()
        return daemon_pb2.StopDaemonResponse(pid=os.getpid())
