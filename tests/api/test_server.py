"""The contract as a client sees it: codes, reasons, operations, streams, health and reflection."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hermesd.api.errors import CODES
from hermesd.domain.errors import DiskFull, HermesError
from hermesd.domain.process import ExitStatus, Phase, Probe
from hermesd.v1 import (
    daemon_pb2,
    daemon_pb2_grpc,
    errors_pb2,
    events_pb2,
    events_pb2_grpc,
    gateways_pb2,
    gateways_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    profiles_pb2,
    profiles_pb2_grpc,
    runtimes_pb2,
    runtimes_pb2_grpc,
    terminals_pb2,
    terminals_pb2_grpc,
    trash_pb2,
    trash_pb2_grpc,
)
from tests.api.serving import Served
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.fast, pytest.mark.api]

PROFILE_ERRORS = [
    ("", "PROFILE_REQUIRED", grpc.StatusCode.INVALID_ARGUMENT),
    ("../etc", "PROFILE_NAME_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
    ("codr", "PROFILE_NOT_FOUND", grpc.StatusCode.NOT_FOUND),
]


async def refusal(call: Awaitable[object]) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo]:
    """The code and the ErrorInfo that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), info_of(caught.value)


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo of a failed call."""
    trailing = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


def test_every_failure_of_the_daemon_has_a_code() -> None:
    """No `HermesError` can reach the border without a gRPC code and a reason of the contract."""
    kinds: list[type[HermesError]] = [HermesError, *HermesError.__subclasses__()]
    assert {kind.reason for kind in kinds} == CODES.keys()
    for kind in kinds:
        errors_pb2.Reason.Value(f"REASON_{kind.reason}")


@pytest.mark.parametrize(("name", "reason", "code"), PROFILE_ERRORS)
async def test_every_scoped_request_checks_its_profile(
    served: Served, name: str, reason: str, code: grpc.StatusCode
) -> None:
    """A missing, malformed or unknown profile is refused by every call that names one."""
    profiles = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    gateways = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    terminals = terminals_pb2_grpc.TerminalsServiceStub(served.channel)
    calls: list[Awaitable[object]] = [
        profiles.GetProfile(profiles_pb2.GetProfileRequest(profile=name)),
        profiles.SetUpProfile(profiles_pb2.SetUpProfileRequest(profile=name)),
        profiles.DeleteProfile(profiles_pb2.DeleteProfileRequest(profile=name)),
        profiles.UseProfile(profiles_pb2.UseProfileRequest(profile=name)),
        profiles.RenameProfile(profiles_pb2.RenameProfileRequest(profile=name, new_name="writer")),
        gateways.GetGateway(gateways_pb2.GetGatewayRequest(profile=name)),
        gateways.StartGateway(gateways_pb2.StartGatewayRequest(profile=name)),
        gateways.StopGateway(gateways_pb2.StopGatewayRequest(profile=name)),
        gateways.RestartGateway(gateways_pb2.RestartGatewayRequest(profile=name)),
        gateways.DrainGateway(gateways_pb2.DrainGatewayRequest(profile=name)),
        gateways.EnableGateway(gateways_pb2.EnableGatewayRequest(profile=name)),
        gateways.ChangeGateways(
            gateways_pb2.ChangeGatewaysRequest(verb=gateways_pb2.GATEWAY_VERB_STOP, profiles=["coder", name])
        ),
        terminals.OpenTerminal(terminals_pb2.OpenTerminalRequest(profile=name)),
    ]
    for call in calls:
        found, info = await refusal(call)
        assert (found, info.reason, info.domain) == (code, reason, "hermesd")


async def test_a_stream_fails_with_a_reason_too(served: Served) -> None:
    """Streams go through the same border as calls."""
    gateways = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in gateways.ReadGatewayLog(gateways_pb2.ReadGatewayLogRequest(profile="codr")):
            pass
    assert info_of(caught.value).metadata["closest"] == "coder"


async def test_a_profile_is_created_set_up_used_and_deleted(served: Served) -> None:
    """The life of a profile through the API."""
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    create = profiles_pb2.CreateProfileRequest(profile="writer", description="Writes")
    await finished(served, await stub.CreateProfile(create))
    setup = profiles_pb2.SetUpProfileRequest(
        profile="writer",
        model=profiles_pb2.ModelEndpoint(model="m", base_url="http://127.0.0.1:1/v1"),
        enable_api_server=True,
    )
    await finished(served, await stub.SetUpProfile(setup))
    used = await stub.UseProfile(profiles_pb2.UseProfileRequest(profile="writer"))
    assert (used.profile, used.previous) == ("writer", "default")
    profile = await stub.GetProfile(profiles_pb2.GetProfileRequest(profile="writer"))
    assert profile.model == "m"
    assert (profile.api_server.enabled, profile.api_server.port) == (True, 8643)
    assert profile.is_sticky_default
    assert list(profile.aliases) == ["writer"]
    assert profile.created_at.seconds > 0
    await finished(served, await stub.DeleteProfile(profiles_pb2.DeleteProfileRequest(profile="writer")))
    listed = await stub.ListProfiles(profiles_pb2.ListProfilesRequest())
    assert [one.name for one in listed.profiles] == ["default", "coder"]


async def test_a_profile_is_renamed(served: Served) -> None:
    """It keeps its id; its new name is checked like one of a new profile."""
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    before = await stub.GetProfile(profiles_pb2.GetProfileRequest(profile="coder"))
    request = profiles_pb2.RenameProfileRequest(profile="coder", new_name=" Writer ")
    await finished(served, await stub.RenameProfile(request))
    after = await stub.GetProfile(profiles_pb2.GetProfileRequest(profile="writer"))
    assert (after.id, after.name) == (before.id, "writer")
    for name, reason in (
        ("hermes", "PROFILE_NAME_INVALID"),
        ("a/b", "PROFILE_NAME_INVALID"),
        ("", "PROFILE_REQUIRED"),
    ):
        _, info = await refusal(
            stub.RenameProfile(profiles_pb2.RenameProfileRequest(profile="writer", new_name=name))
        )
        assert info.reason == reason
    _, info = await refusal(
        stub.RenameProfile(profiles_pb2.RenameProfileRequest(profile="default", new_name="writer2"))
    )
    assert info.reason == "PROFILE_NAME_INVALID"


async def test_a_deleted_profile_is_listed_restored_and_removed(served: Served) -> None:
    """The trash through the API: its entries are named by id, and nothing goes that is not named."""
    profiles = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    trash = trash_pb2_grpc.TrashServiceStub(served.channel)
    delete = profiles_pb2.DeleteProfileRequest(profile="coder")
    deleted = await finished(served, await profiles.DeleteProfile(delete))
    (entry,) = (await trash.ListTrash(trash_pb2.ListTrashRequest())).profiles
    assert (entry.id, entry.profile, entry.HasField("size_bytes")) == (deleted.id, "coder", False)
    assert entry.kept_until.seconds - entry.deleted_at.seconds == 7 * 86_400
    measured = await trash.ListTrash(trash_pb2.ListTrashRequest(with_sizes=True))
    assert measured.profiles[0].HasField("size_bytes")
    restore = trash_pb2.RestoreProfileRequest(id=entry.id, profile="mate")
    restored = await finished(served, await trash.RestoreProfile(restore))
    assert (restored.kind, restored.profile) == ("trash.restore", "mate")
    found, info = await refusal(trash.RestoreProfile(restore))
    assert (found, info.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    mate = await profiles.GetProfile(profiles_pb2.GetProfileRequest(profile="mate"))
    assert mate.id == entry.profile_id
    again = await finished(served, await profiles.DeleteProfile(profiles_pb2.DeleteProfileRequest(profile="mate")))
    found, info = await refusal(trash.EmptyTrash(trash_pb2.EmptyTrashRequest()))
    assert info.reason == "ARGUMENT_INVALID"
    await finished(served, await trash.EmptyTrash(trash_pb2.EmptyTrashRequest(ids=[again.id])))
    assert not (await trash.ListTrash(trash_pb2.ListTrashRequest())).profiles


async def test_the_choice_of_a_profile_can_be_taken_back(served: Served) -> None:
    """Either a name or the way back; both at once are no request."""
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    await stub.UseProfile(profiles_pb2.UseProfileRequest(profile="coder"))
    back = await stub.UseProfile(profiles_pb2.UseProfileRequest(previous=True))
    assert (back.profile, back.previous) == ("default", "coder")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UseProfile(profiles_pb2.UseProfileRequest(profile="coder", previous=True))
    assert info_of(caught.value).reason == "ARGUMENT_INVALID"


async def finished(served: Served, begun: operations_pb2.Operation) -> operations_pb2.Operation:
    """The operation once it has ended, as a watcher sees it."""
    stub = operations_pb2_grpc.OperationsServiceStub(served.channel)
    watch = stub.WatchOperation(operations_pb2.WatchOperationRequest(id=begun.id))
    return [current async for current in watch][-1]


async def test_a_gateway_is_started_shown_and_stopped(served: Served) -> None:
    """Wish, state, process and last exit travel as the contract says."""
    stub = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    begun = await stub.StartGateway(
        gateways_pb2.StartGatewayRequest(profile="coder"), metadata=(("hermesd-requester", "a script"),)
    )
    done = await finished(served, begun)
    assert (done.kind, done.requester) == ("gateway.start", "a script")
    assert done.state == operations_pb2.OPERATION_STATE_SUCCEEDED
    gateway = await stub.GetGateway(gateways_pb2.GetGatewayRequest(profile="coder"))
    assert gateway.state == gateways_pb2.GATEWAY_STATE_READY
    assert gateway.wish == gateways_pb2.WISH_UP
    assert gateway.process.pid == served.house.backend.alive[0].pid
    assert not gateway.HasField("last_exit")
    await finished(served, await stub.StopGateway(gateways_pb2.StopGatewayRequest(profile="coder")))
    gateway = await stub.GetGateway(gateways_pb2.GetGatewayRequest(profile="coder"))
    assert gateway.state == gateways_pb2.GATEWAY_STATE_STOPPED
    assert not gateway.HasField("process")
    assert gateway.last_exit.cause == gateways_pb2.EXIT_CAUSE_STOPPED
    assert gateway.last_exit.HasField("code")
    assert not gateway.last_exit.HasField("signal")


async def test_a_failed_start_carries_its_reason_in_the_operation(served: Served) -> None:
    """What goes wrong after the call was accepted is told by the operation, not by the call."""
    served.house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    stub = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    begun = await stub.StartGateway(gateways_pb2.StartGatewayRequest(profile="coder"))
    watching = asyncio.create_task(finished(served, begun))
    await served.house.clock.settle()
    served.house.backend.exit(served.house.backend.alive[0].pid, ExitStatus(signal=11))
    done = await watching
    assert done.state == operations_pb2.OPERATION_STATE_FAILED
    assert done.error.reason == errors_pb2.REASON_GATEWAY_CRASHED
    assert "signal 11" in done.error.metadata["why"]
    gateway = await stub.GetGateway(gateways_pb2.GetGatewayRequest(profile="coder"))
    assert gateway.state == gateways_pb2.GATEWAY_STATE_BACKOFF
    assert gateway.next_start_at.seconds > 0


async def test_restart_and_log_and_cancel_and_listing(served: Served) -> None:
    """The remaining calls of gateways and operations answer."""
    gateways = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    operations = operations_pb2_grpc.OperationsServiceStub(served.channel)
    await finished(served, await gateways.RestartGateway(gateways_pb2.RestartGatewayRequest(profile="coder")))
    profile_id = (await served.house.record("coder")).profile_id
    served.house.logs.write(profile_id, "one\ntwo\n")
    lines = [
        line.text async for line in gateways.ReadGatewayLog(gateways_pb2.ReadGatewayLogRequest(profile="coder"))
    ]
    assert lines == ["one", "two"]
    none = gateways_pb2.ReadGatewayLogRequest(profile="coder", lines=0)
    assert [line async for line in gateways.ReadGatewayLog(none)] == []
    listed = await operations.ListOperations(operations_pb2.ListOperationsRequest(profile="coder"))
    (done,) = listed.operations
    cancelled = await operations.CancelOperation(operations_pb2.CancelOperationRequest(id=done.id))
    assert cancelled == await operations.GetOperation(operations_pb2.GetOperationRequest(id=done.id))
    everywhere = await gateways.ListGateways(gateways_pb2.ListGatewaysRequest())
    assert [one.profile for one in everywhere.gateways] == ["default", "coder"]


async def test_runtimes_are_listed_installed_registered_and_used(served: Served) -> None:
    """One is in use at any time."""
    stub = runtimes_pb2_grpc.RuntimesServiceStub(served.channel)
    await finished(served, await stub.InstallRuntime(runtimes_pb2.InstallRuntimeRequest(version="0.18.2")))
    found = await stub.RegisterRuntime(runtimes_pb2.RegisterRuntimeRequest(executable="/opt/hermes"))
    listed = await stub.ListRuntimes(runtimes_pb2.ListRuntimesRequest())
    assert [one.name for one in listed.runtimes if one.is_current] == [found.name]
    assert list(listed.installable_versions) == ["0.19.0", "0.18.2"]
    managed = next(one.name for one in listed.runtimes if one.is_managed)
    assert (await stub.UseRuntime(runtimes_pb2.UseRuntimeRequest(name=managed))).is_current


async def test_a_command_of_the_agent_is_resolved(served: Served) -> None:
    """The caller learns what to execute and what to change in its environment."""
    served.house.processes.add(321)
    stub = terminals_pb2_grpc.TerminalsServiceStub(served.channel)
    request = terminals_pb2.OpenTerminalRequest(
        profile="coder", arguments=["chat"], environment_names=["HERMES_HOME", "HOME"], pid=321
    )
    plan = await stub.OpenTerminal(request)
    assert plan.executable == plan.argv[0]
    assert list(plan.argv)[1:] == ["-p", "coder", "chat"]
    assert list(plan.environment_unset) == ["HERMES_HOME"]
    assert plan.environment_set["HERMES_HOME"].endswith("coder")
    listed = await stub.ListTerminals(terminals_pb2.ListTerminalsRequest())
    assert [(one.id, one.verb) for one in listed.terminals] == [(plan.terminal, "chat")]


async def test_a_program_of_the_callers_gets_an_environment_and_no_command_line(served: Served) -> None:
    """Where it is and what it is told stays with the caller; a command of the agent may be told a directory."""
    served.house.processes.add(321)
    served.house.processes.ttys[321] = "/dev/pts/3"
    served.house.agent.workplaces["coder"] = Path("/project")
    stub = terminals_pb2_grpc.TerminalsServiceStub(served.channel)
    plan = await stub.OpenTerminal(terminals_pb2.OpenTerminalRequest(profile="coder", program="less", pid=321))
    assert (plan.executable, list(plan.argv), plan.working_directory) == ("", [], "")
    assert plan.environment_set["HERMES_HOME"].endswith("coder")
    listed = await stub.ListTerminals(terminals_pb2.ListTerminalsRequest())
    assert [(one.verb, one.tty) for one in listed.terminals] == [("exec less", "/dev/pts/3")]
    chat = await stub.OpenTerminal(terminals_pb2.OpenTerminalRequest(profile="coder", arguments=["chat"], pid=321))
    assert chat.working_directory == "/project"


async def test_events_are_listed_and_watched(served: Served) -> None:
    """A watch resumes behind its token."""
    stub = events_pb2_grpc.EventsServiceStub(served.channel)
    await served.house.start("coder")
    listed = await stub.ListEvents(events_pb2.ListEventsRequest(profile="coder"))
    first = listed.events[0]
    watch = stub.WatchEvents(events_pb2.WatchEventsRequest(resume_token=first.token))
    item = await asyncio.wait_for(anext(aiter(watch)), DEADLINE_S)
    assert item.event.token == first.token + 1
    watch.cancel()


async def test_a_slow_watcher_of_the_api_gets_a_gap(served: Served) -> None:
    """A token from before the history is answered with a gap message."""
    for _ in range(1100):
        await served.house.services.events.record("test.fact", "fact")
    stub = events_pb2_grpc.EventsServiceStub(served.channel)
    watch = stub.WatchEvents(events_pb2.WatchEventsRequest(resume_token=1))
    item = await asyncio.wait_for(anext(aiter(watch)), DEADLINE_S)
    assert item.gap.next_token > 2
    watch.cancel()


async def test_the_daemon_says_who_it_is_and_ends_on_request(served: Served) -> None:
    """StopDaemon answers first; draining is asked for explicitly."""
    stub = daemon_pb2_grpc.DaemonServiceStub(served.channel)
    daemon = await stub.GetDaemon(daemon_pb2.GetDaemonRequest())
    assert daemon.root.endswith(".hermes")
    stopped = await stub.StopDaemon(daemon_pb2.StopDaemonRequest(gateways=True))
    assert stopped.pid == daemon.pid
    await asyncio.wait_for(served.ending.wait(), DEADLINE_S)
    assert served.ending.drain


async def test_a_mistake_of_ours_is_an_incident_and_nothing_more(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected failure leaves as INTERNAL with an id; its text stays in the log."""

    async def broken() -> list[object]:
        raise ZeroDivisionError("sk-live-secret")

    monkeypatch.setattr(served.house.services.views, "all", broken)
    stub = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    code, info = await refusal(stub.ListGateways(gateways_pb2.ListGatewaysRequest()))
    assert (code, info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(info)
    assert info.metadata["incident"] in caplog.text


async def test_an_expected_failure_keeps_its_metadata(served: Served) -> None:
    """Hint, fixes and facts arrive as they were raised."""
    served.house.homes.faults.arm("scan", DiskFull("no space left", path="/x", fixes=["df -h /x"]))
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    code, info = await refusal(stub.ListProfiles(profiles_pb2.ListProfilesRequest()))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(info.metadata) == {"path": "/x", "fix": "df -h /x"}


async def test_health_and_reflection_answer(served: Served) -> None:
    """Generic tools can check the daemon and discover its services."""
    health: Any = health_pb2_grpc.HealthStub(served.channel)
    check = health_pb2.HealthCheckRequest(service="hermesd.v1.GatewaysService")
    assert (await health.Check(check)).status == health_pb2.HealthCheckResponse.SERVING
    channel: Any = served.channel
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = [answer async for answer in reflection.ServerReflectionInfo(iter([ask]))]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {"hermesd.v1.ProfilesService", "grpc.health.v1.Health"} <= names


async def test_an_unknown_health_service_keeps_grpcs_own_answer(served: Served) -> None:
    """What gRPC's own servicers refuse is not turned into a mistake of ours."""
    health: Any = health_pb2_grpc.HealthStub(served.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
