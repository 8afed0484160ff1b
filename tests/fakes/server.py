# ruff: noqa: N802 - the contract names the methods
"""A daemon made of dictionaries, for the client to talk to.

Owns: answering every call from memory over a real socket, with a `daemon.json` beside it; failing where a test
says so. Must not know hermesd's services: the client is tested against the contract alone.
"""

import hashlib
import hmac
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from hermesctl import __version__
from hermesctl.client.places import Places, start_ticks_of
from hermesd.v1 import (
    aliases_pb2,
    aliases_pb2_grpc,
    claims_pb2,
    claims_pb2_grpc,
    daemon_pb2,
    daemon_pb2_grpc,
    doctor_pb2,
    doctor_pb2_grpc,
    environments_pb2,
    environments_pb2_grpc,
    errors_pb2,
    events_pb2,
    events_pb2_grpc,
    gateways_pb2,
    gateways_pb2_grpc,
    logs_pb2,
    logs_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    profiles_pb2,
    profiles_pb2_grpc,
    runtimes_pb2,
    runtimes_pb2_grpc,
    samples_pb2,
    samples_pb2_grpc,
    skills_pb2,
    skills_pb2_grpc,
    terminals_pb2,
    terminals_pb2_grpc,
    trash_pb2,
    trash_pb2_grpc,
)

NOW_S = 1_790_000_000
"""When the fake's present is, seconds since the epoch."""

ROOT = "/home/ana/.hermes"
UP = frozenset(
    {
        gateways_pb2.GATEWAY_STATE_READY,
        gateways_pb2.GATEWAY_STATE_DEGRADED,
        gateways_pb2.GATEWAY_STATE_HUNG,
        gateways_pb2.GATEWAY_STATE_DRAINING,
    }
)
"""States in which a gateway has a process, is wanted, and has been there for a while."""


def at(seconds_ago: int) -> Timestamp:
    """A moment of the fake's past."""
    return Timestamp(seconds=NOW_S - seconds_ago)


def finding(profile: str, check: str, message: str = "", **fields: object) -> doctor_pb2.Finding:
    """What the doctor found; fine where nothing else is said."""
    made = doctor_pb2.Finding(profile=profile, check=check, message=message, severity=doctor_pb2.SEVERITY_FINE)
    made.MergeFrom(doctor_pb2.Finding(**fields))  # type: ignore[arg-type]
    return made


def gateway(profile: str, state: gateways_pb2.GatewayState.ValueType, **fields: object) -> gateways_pb2.Gateway:
    """A gateway in a state, with a process if that state has one."""
    made = gateways_pb2.Gateway(profile=profile, state=state, log_path=f"/home/ana/logs/{profile}.log")
    is_up = state in UP
    made.wish = gateways_pb2.WISH_UP if is_up else gateways_pb2.WISH_DOWN
    if is_up:
        made.process.CopyFrom(gateways_pb2.GatewayProcess(pid=4711, start_ticks=99, boot_id="b", spawn_id="s"))
        made.since.CopyFrom(at(11_520))
    made.enabled = True
    budget = gateways_pb2.StartBudget(used_in_hour=1, per_hour=20, used_in_day=2, per_day=200)
    made.start_budget.CopyFrom(budget)
    made.MergeFrom(gateways_pb2.Gateway(**fields))  # type: ignore[arg-type]
    return made


def profile(name: str, **fields: object) -> profiles_pb2.Profile:
    """A profile whose gateway is stopped unless one is given."""
    path = ROOT if name == "default" else f"{ROOT}/profiles/{name}"
    made = profiles_pb2.Profile(name=name, id=f"id-{name}", path=path, skill_count=74)
    made.gateway.CopyFrom(gateway(name, gateways_pb2.GATEWAY_STATE_STOPPED))
    made.api_server.CopyFrom(profiles_pb2.ApiServer(host="127.0.0.1", port=8642))
    made.created_at.CopyFrom(at(86_400 * 3))
    given = profiles_pb2.Profile(**fields)  # type: ignore[arg-type]
    if given.HasField("gateway"):
        made.ClearField("gateway")
    made.MergeFrom(given)
    return made


def trashed(gone: profiles_pb2.Profile, id_: str, seconds_ago: int = 0) -> trash_pb2.TrashedProfile:
    """A profile that was deleted by the operation of this id."""
    return trash_pb2.TrashedProfile(
        id=id_,
        profile=gone.name,
        profile_id=gone.id,
        description=gone.description,
        aliases=gone.aliases,
        deleted_at=at(seconds_ago),
        kept_until=at(seconds_ago - 7 * 86_400),
        path=f"{ROOT}/profiles/.hermesd/trash/{gone.name}-{id_}",
    )


def usage(total: int, *, is_partial: bool = False) -> profiles_pb2.DiskUsage:
    """What a profile takes on disk, most of it as sessions."""
    shares = (("state.db", 80), ("skills", 15), ("logs", 4), ("cache", 1))
    parts = [profiles_pb2.DiskPart(name=name, bytes=total * share // 100) for name, share in shares]
    return profiles_pb2.DiskUsage(bytes=total, parts=parts, is_partial=is_partial)


def alias(name: str, profile_name: str, *, is_ours: bool = True, has_profile: bool = True) -> aliases_pb2.Alias:
    """A command for a profile."""
    path = f"/home/ana/.local/bin/{name}"
    return aliases_pb2.Alias(name=name, profile=profile_name, path=path, is_ours=is_ours, has_profile=has_profile)


def claim(masked: str, platform: str, *uses: claims_pb2.ClaimUse, **fields: object) -> claims_pb2.Claim:
    """A bot, unless something else is said, and who uses it."""
    made = claims_pb2.Claim(kind=claims_pb2.CLAIM_KIND_BOT, platform=platform, masked=masked, uses=uses)
    made.MergeFrom(claims_pb2.Claim(**fields))  # type: ignore[arg-type]
    return made


def claim_use(profile_name: str, state: str, source: str = "", **fields: object) -> claims_pb2.ClaimUse:
    """What a profile has of a claim."""
    number = claims_pb2.ClaimState.Value(f"CLAIM_STATE_{state.upper()}")
    made = claims_pb2.ClaimUse(profile=profile_name, state=number, source=source)
    made.MergeFrom(claims_pb2.ClaimUse(**fields))  # type: ignore[arg-type]
    return made


def runtime(version: str = "0.19.0", *, is_current: bool = True) -> runtimes_pb2.Runtime:
    """An agent that hermesd installed."""
    name = f"hermes-agent-{version}-4f2c1aa0"
    executable = f"/home/ana/.local/share/hermesd/runtimes/{name}/bin/hermes"
    return runtimes_pb2.Runtime(
        name=name,
        kind="hermes-agent",
        version=version,
        executable=executable,
        is_managed=True,
        is_current=is_current,
    )


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


class _Servicer:
    def __init__(self, world: World) -> None:
        self.world = world


class Profiles(_Servicer, profiles_pb2_grpc.ProfilesServiceServicer):
    """Profiles from memory."""

    def ListProfiles(
        self, request: profiles_pb2.ListProfilesRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.ListProfilesResponse:
        self.world.enter(context, request)
        return profiles_pb2.ListProfilesResponse(profiles=self.world.profiles.values(), ignored=self.world.ignored)

    def GetProfile(
        self, request: profiles_pb2.GetProfileRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.Profile:
        self.world.enter(context, request)
        return self.world.find(context, request.profile)

    def CreateProfile(
        self, request: profiles_pb2.CreateProfileRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        if request.clone_from:
            self.world.find(context, request.clone_from)
        aliases = [] if request.no_alias else [request.profile]
        made = profile(request.profile, description=request.description, model=request.model, aliases=aliases)
        return self.world.begin(
            "profile.create", request.profile, lambda: self.world.profiles.update({request.profile: made})
        )

    def PlanCreation(
        self, request: profiles_pb2.PlanCreationRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.CreationPlan:
        self.world.enter(context, request)
        wanted, name = request.create, request.profile
        if wanted.clone_from:
            self.world.find(context, wanted.clone_from)
        if name in self.world.profiles:
            message, fix = f"profile '{name}' exists already", f"hermesctl profile show {name}"
            refuse(context, Refusal("PROFILE_EXISTS", message, {"fix": fix}, grpc.StatusCode.ALREADY_EXISTS))
        is_whole = wanted.clone_extent == profiles_pb2.CLONE_EXTENT_EVERYTHING
        steps = [("copy", "config.yaml"), ("copy", "SOUL.md"), ("copy", ".env: 2 keys (EXA_API_KEY, BOT_TOKEN)")]
        kept = [("pause", "3 scheduled jobs")] if is_whole else [("skip", "sessions"), ("skip", "memory")]
        seeded = [] if is_whole or wanted.no_skills else [("seed", "bundled skills")]
        steps = [*steps, *seeded, *kept] if wanted.clone_from else seeded
        steps = steps if wanted.no_alias else [*steps, ("alias", f"{name} → hermesctl -p {name}")]
        shared = profiles_pb2.SharedCredential(
            platform="telegram", variable="BOT_TOKEN", profiles=[wanted.clone_from]
        )
        return profiles_pb2.CreationPlan(
            profile=name,
            path=f"{ROOT}/profiles/{name}",
            steps=[profiles_pb2.PlanStep(verb=verb, what=what) for verb, what in steps],
            shared=[shared] if wanted.clone_from and not wanted.strip_channels else [],
            grants=self.world.grants if is_whole else [],
        )

    def SetUpProfile(
        self, request: profiles_pb2.SetUpProfileRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile)

        def effect() -> None:
            if request.enable_api_server and not found.api_server.enabled:
                found.api_server.enabled = True
                found.api_server.port = request.api_server_port or 8643
            found.model = request.model.model or found.model
            found.base_url = request.model.base_url or found.base_url

        return self.world.begin("profile.set_up", request.profile, effect)

    def DeleteProfile(
        self, request: profiles_pb2.DeleteProfileRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)

        def effect() -> None:
            gone = self.world.profiles.pop(request.profile)
            if not request.purge:
                self.world.trash.insert(0, trashed(gone, begun.id))

        begun = self.world.begin("profile.delete", request.profile, effect)
        return begun

    def PlanDeletion(
        self, request: profiles_pb2.PlanDeletionRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.DeletionPlan:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile)
        plan = profiles_pb2.DeletionPlan(
            profile=found, usage=self.world.usage, aliases=found.aliases, session_count=0, job_count=0
        )
        plan.MergeFrom(self.world.plan)
        if not request.purge:
            plan.kept_for.CopyFrom(Duration(seconds=7 * 86_400))
        return plan

    def MeasureProfile(
        self, request: profiles_pb2.MeasureProfileRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.DiskUsage:
        self.world.enter(context, request)
        self.world.find(context, request.profile)
        return self.world.usage

    def SetDisplayName(
        self, request: profiles_pb2.SetDisplayNameRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.Profile:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile)
        found.display_name = request.display_name
        return found

    def RenameProfile(
        self, request: profiles_pb2.RenameProfileRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        if request.new_name in self.world.profiles:
            message = f"cannot rename '{request.profile}': '{request.new_name}' is the name of another profile"
            refuse(context, Refusal("PROFILE_EXISTS", message, code=grpc.StatusCode.ALREADY_EXISTS))

        def effect() -> None:
            found = self.world.profiles.pop(request.profile)
            found.name = found.gateway.profile = request.new_name
            found.path = found.path.replace(f"/{request.profile}", f"/{request.new_name}")
            aliases = [request.new_name if one == request.profile else one for one in found.aliases]
            found.ClearField("aliases")
            found.aliases.extend(aliases)
            self.world.profiles[request.new_name] = found

        return self.world.begin("profile.rename", request.profile, effect)

    def SetDescription(
        self, request: profiles_pb2.SetDescriptionRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.Profile:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile)
        found.description, found.description_is_generated = request.description, False
        return found

    def GenerateDescription(
        self, request: profiles_pb2.GenerateDescriptionRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile)
        if found.description and not found.description_is_generated and not request.overwrite:
            message = f"cannot have '{found.name}' described: a person has described it"
            fix = {"fix": f"hermesctl profile describe {found.name} --auto --overwrite"}
            refuse(context, Refusal("ARGUMENT_INVALID", message, fix, grpc.StatusCode.INVALID_ARGUMENT))

        def effect() -> None:
            found.description, found.description_is_generated = f"Does what {found.name} does.", True

        return self.world.begin("profile.describe", request.profile, effect)

    def GetSoul(self, request: profiles_pb2.GetSoulRequest, context: grpc.ServicerContext) -> profiles_pb2.Soul:
        self.world.enter(context, request)
        return self._soul(self.world.find(context, request.profile))

    def SetSoul(self, request: profiles_pb2.SetSoulRequest, context: grpc.ServicerContext) -> profiles_pb2.Soul:
        self.world.enter(context, request)
        found = self._soul(self.world.find(context, request.profile))
        if request.HasField("revision") and request.revision != found.revision:
            message = f"cannot write {found.path}: somebody changed it meanwhile"
            refuse(context, Refusal("CHANGED_MEANWHILE", message, code=grpc.StatusCode.ABORTED))
        revision = hashlib.sha256(request.text.encode()).hexdigest()
        self.world.souls[request.profile] = profiles_pb2.Soul(text=request.text, revision=revision)
        return self._soul(self.world.profiles[request.profile])

    def _soul(self, found: profiles_pb2.Profile) -> profiles_pb2.Soul:
        soul = self.world.souls.get(found.name, profiles_pb2.Soul())
        is_in_use = found.gateway.HasField("process")
        return profiles_pb2.Soul(
            text=soul.text, revision=soul.revision, path=f"{found.path}/SOUL.md", is_in_use=is_in_use
        )

    def UseProfile(
        self, request: profiles_pb2.UseProfileRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.UseProfileResponse:
        self.world.enter(context, request)
        wanted, now = (
            self.world.used_before if request.previous else request.profile,
            self.world.sticky or "default",
        )
        if not wanted:
            message = "no sticky default before this one is known"
            refuse(
                context,
                Refusal("NOT_FOUND", message, {"fix": "hermesctl profile list"}, grpc.StatusCode.NOT_FOUND),
            )
        self.world.find(context, wanted)
        if wanted != now:
            self.world.used_before, self.world.sticky = now, wanted
        return profiles_pb2.UseProfileResponse(profile=wanted, previous=now)


class Gateways(_Servicer, gateways_pb2_grpc.GatewaysServiceServicer):
    """Gateways from memory."""

    def ListGateways(
        self, request: gateways_pb2.ListGatewaysRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.ListGatewaysResponse:
        self.world.enter(context, request)
        return gateways_pb2.ListGatewaysResponse(gateways=[one.gateway for one in self.world.profiles.values()])

    def GetGateway(
        self, request: gateways_pb2.GetGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.Gateway:
        self.world.enter(context, request)
        return self.world.find(context, request.profile).gateway

    def StartGateway(
        self, request: gateways_pb2.StartGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        return self._change("gateway.start", request.profile, gateways_pb2.GATEWAY_STATE_READY, context)

    def StopGateway(
        self, request: gateways_pb2.StopGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        return self._change("gateway.stop", request.profile, gateways_pb2.GATEWAY_STATE_STOPPED, context)

    def RestartGateway(
        self, request: gateways_pb2.RestartGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        return self._change("gateway.restart", request.profile, gateways_pb2.GATEWAY_STATE_READY, context)

    def ReadGatewayLog(
        self, request: gateways_pb2.ReadGatewayLogRequest, context: grpc.ServicerContext
    ) -> Iterator[gateways_pb2.LogLine]:
        self.world.enter(context, request)
        self.world.find(context, request.profile)
        for line in self.world.log[len(self.world.log) - request.lines :] if request.lines else []:
            yield gateways_pb2.LogLine(text=line)
        if request.follow and "log" in self.world.hanging:
            wait_until_cancelled(context)

    def EnableGateway(
        self, request: gateways_pb2.EnableGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.Gateway:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        found.enabled = True
        if request.HasField("start_order"):
            found.start_order = request.start_order
        return found

    def DisableGateway(
        self, request: gateways_pb2.DisableGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.Gateway:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        found.enabled = False
        return found

    def DrainGateway(
        self, request: gateways_pb2.DrainGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        if not found.HasField("process"):
            message, fix = f"gateway '{found.profile}' does not run", f"hermesctl gateway start {found.profile}"
            refuse(context, Refusal("GATEWAY_NOT_RUNNING", message, {"profile": found.profile, "fix": fix}))
        state = gateways_pb2.GATEWAY_STATE_READY if request.cancel else gateways_pb2.GATEWAY_STATE_DRAINING
        kind = "gateway.undrain" if request.cancel else "gateway.drain"

        def effect() -> None:
            found.state = state

        return self.world.begin(kind, request.profile, effect)

    def ChangeGateways(
        self, request: gateways_pb2.ChangeGatewaysRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        words = ["*"] if request.all else request.profiles
        named = {name for name in words if "*" not in name}
        for name in named:
            self.world.find(context, name)
        fitting = [name for name in self.world.profiles if any(fnmatchcase(name, word) for word in words)]
        left = [name for name in fitting if not any(fnmatchcase(name, word) for word in request.exclude)]
        if not left:
            message = f"no profile fits '{words[0]}'"
            refuse(context, Refusal("PROFILE_NOT_FOUND", message, code=grpc.StatusCode.NOT_FOUND))
        verb = gateways_pb2.GatewayVerb.Name(request.verb).removeprefix("GATEWAY_VERB_").lower()

        def effect() -> None:
            for name in left:
                result = begun.results.add(profile=name)
                if refusal := self.world.unchanged.get(name):
                    result.error.reason = errors_pb2.Reason.Value(f"REASON_{refusal.reason}")
                    result.error.message = refusal.message
                    result.error.metadata.update(refusal.metadata)
                elif name in self.world.skipped and name not in named:
                    result.is_skipped, result.summary = True, self.world.skipped[name]
                else:
                    result.summary = self.world.changed.get(name, f"{verb} in 2.1 s")

        begun = self.world.begin(f"gateways.{verb}", "", effect)
        return begun

    def ExplainGateway(
        self, request: gateways_pb2.ExplainGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.GatewayExplanation:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        exits = [found.last_exit] if found.HasField("last_exit") else []
        return gateways_pb2.GatewayExplanation(
            gateway=found, exits=exits, last_lines=self.world.log, dumps=self.world.dumps
        )

    def _change(
        self,
        kind: str,
        name: str,
        state: gateways_pb2.GatewayState.ValueType,
        context: grpc.ServicerContext,
    ) -> operations_pb2.Operation:
        found = self.world.find(context, name)
        return self.world.begin(kind, name, lambda: found.gateway.CopyFrom(gateway(name, state)))


class Logs(_Servicer, logs_pb2_grpc.LogsServiceServicer):
    """Records from memory. What is looked for and asked for by number is; nothing else narrows them."""

    def ReadLogs(
        self, request: logs_pb2.ReadLogsRequest, context: grpc.ServicerContext
    ) -> Iterator[logs_pb2.ReadLogsResponse]:
        self.world.enter(context, request)
        for name in request.profiles:
            self.world.find(context, name)
        names = list(request.profiles) or [""]
        printed = [
            logs_pb2.LogRecord(
                profile=name, source=logs_pb2.LOG_SOURCE_GATEWAY, at=at(60), is_rough=True, text=text
            )
            for name in names[:1]
            for text in self.world.log
        ]
        found = [one for one in [*self.world.records, *printed] if one.profile in names]
        wanted = list(request.contains) or [""]
        found = [one for one in found if any(part in f"{one.logger}: {one.text}" for part in wanted)]
        if request.HasField("lines"):
            found = found[len(found) - request.lines :] if request.lines else []
        yield logs_pb2.ReadLogsResponse(records=found, notices=self.world.notices)
        if request.follow:
            yield logs_pb2.ReadLogsResponse(is_caught_up=True)
            for one in self.world.coming:
                yield logs_pb2.ReadLogsResponse(records=[one])
            if "log" in self.world.hanging:
                wait_until_cancelled(context)


class Samples(_Servicer, samples_pb2_grpc.SamplesServiceServicer):
    """What gateways used, from memory."""

    def ListSamples(
        self, request: samples_pb2.ListSamplesRequest, context: grpc.ServicerContext
    ) -> samples_pb2.ListSamplesResponse:
        self.world.enter(context, request)
        self.world.find(context, request.profile)
        found = [one for moment in self.world.sampled for one in moment if one.profile == request.profile]
        return samples_pb2.ListSamplesResponse(samples=found)

    def WatchSamples(
        self, request: samples_pb2.WatchSamplesRequest, context: grpc.ServicerContext
    ) -> Iterator[samples_pb2.WatchSamplesResponse]:
        self.world.enter(context, request)
        for moment in self.world.sampled:
            found = [one for one in moment if request.profile in {"", one.profile}]
            yield samples_pb2.WatchSamplesResponse(samples=found)
        if "samples" in self.world.hanging:
            wait_until_cancelled(context)


class Trash(_Servicer, trash_pb2_grpc.TrashServiceServicer):
    """Deleted profiles from memory."""

    def ListTrash(
        self, request: trash_pb2.ListTrashRequest, context: grpc.ServicerContext
    ) -> trash_pb2.ListTrashResponse:
        self.world.enter(context, request)
        answer = trash_pb2.ListTrashResponse(profiles=self.world.trash)
        for number, one in enumerate(answer.profiles if request.with_sizes else (), start=1):
            one.size_bytes = 412_300_000 // 1000 ** (number - 1)
        return answer

    def RestoreProfile(
        self, request: trash_pb2.RestoreProfileRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        (entry,) = (one for one in self.world.trash if one.id == request.id)
        name = request.profile or entry.profile
        if name in self.world.profiles:
            message = f"cannot bring back '{name}': a profile of this name exists"
            fix = f"hermesctl profile trash restore {entry.id} --name {name}-2"
            refuse(context, Refusal("PROFILE_EXISTS", message, {"fix": fix}, grpc.StatusCode.ALREADY_EXISTS))

        def effect() -> None:
            self.world.trash.remove(entry)
            self.world.profiles[name] = profile(name, description=entry.description, aliases=entry.aliases)

        return self.world.begin("trash.restore", name, effect)

    def EmptyTrash(
        self, request: trash_pb2.EmptyTrashRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)

        def effect() -> None:
            self.world.trash[:] = [one for one in self.world.trash if one.id not in request.ids]

        return self.world.begin("trash.empty", "", effect)


class Aliases(_Servicer, aliases_pb2_grpc.AliasesServiceServicer):
    """Aliases from memory."""

    def ListAliases(
        self, request: aliases_pb2.ListAliasesRequest, context: grpc.ServicerContext
    ) -> aliases_pb2.ListAliasesResponse:
        self.world.enter(context, request)
        found = [one for one in self.world.aliases if request.profile in {"", one.profile}]
        found.sort(key=lambda one: one.name)
        return aliases_pb2.ListAliasesResponse(aliases=found, directory=self.world.bin, is_on_path=True)

    def CreateAlias(
        self, request: aliases_pb2.CreateAliasRequest, context: grpc.ServicerContext
    ) -> aliases_pb2.Alias:
        self.world.enter(context, request)
        profile_ = self.world.find(context, request.profile).name
        name = request.name or profile_
        for one in self.world.aliases:
            if one.name == name and one.profile == profile_:
                return one
            if one.name == name:
                message = f"cannot make the alias '{name}': {one.path} is the alias of '{one.profile}'"
                refuse(context, Refusal("ALIAS_TAKEN", message, code=grpc.StatusCode.ALREADY_EXISTS))
        self.world.aliases.append(alias(name, profile_))
        return self.world.aliases[-1]

    def RemoveAlias(
        self, request: aliases_pb2.RemoveAliasRequest, context: grpc.ServicerContext
    ) -> aliases_pb2.RemoveAliasResponse:
        self.world.enter(context, request)
        own = [one for one in self.world.aliases if one.profile == request.profile and one.is_ours]
        gone = [one for one in own if request.name in {"", one.name}]
        if not gone:
            message = f"profile '{request.profile}' has no alias of hermesd's"
            fix = {"fix": "hermesctl profile alias --list"}
            refuse(context, Refusal("NOT_FOUND", message, fix, grpc.StatusCode.NOT_FOUND))
        self.world.aliases[:] = [one for one in self.world.aliases if one not in gone]
        return aliases_pb2.RemoveAliasResponse(aliases=gone)


class Skills(_Servicer, skills_pb2_grpc.SkillsServiceServicer):
    """Skills from memory."""

    def SyncSkills(
        self, request: skills_pb2.SyncSkillsRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        names = list(request.profiles) or list(self.world.profiles)
        for name in names:
            self.world.find(context, name)

        def effect() -> None:
            for name in names:
                result = begun.results.add(profile=name)
                if refusal := self.world.unsynced.get(name):
                    result.error.reason = errors_pb2.Reason.Value(f"REASON_{refusal.reason}")
                    result.error.message = refusal.message
                    result.error.metadata.update(refusal.metadata)
                else:
                    result.summary = self.world.synced.get(name, "up to date")

        begun = self.world.begin("skills.sync", "", effect)
        return begun


class Operations(_Servicer, operations_pb2_grpc.OperationsServiceServicer):
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


class Events(_Servicer, events_pb2_grpc.EventsServiceServicer):
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


class Runtimes(_Servicer, runtimes_pb2_grpc.RuntimesServiceServicer):
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


class Terminals(_Servicer, terminals_pb2_grpc.TerminalsServiceServicer):
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


class Environments(_Servicer, environments_pb2_grpc.EnvironmentsServiceServicer):
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


class Doctor(_Servicer, doctor_pb2_grpc.DoctorServiceServicer):
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


class Claims(_Servicer, claims_pb2_grpc.ClaimsServiceServicer):
    """Claims from memory."""

    def ListClaims(
        self, request: claims_pb2.ListClaimsRequest, context: grpc.ServicerContext
    ) -> claims_pb2.ListClaimsResponse:
        self.world.enter(context, request)
        found = [one for one in self.world.claims if request.about in {"", *_names_of(one)}]
        return claims_pb2.ListClaimsResponse(claims=found)


def _names_of(claim: claims_pb2.Claim) -> set[str]:
    users = {use.profile for use in claim.uses}
    return {claim.platform, claim.masked, claim.masked.partition("…")[0], str(claim.port), *users}


class DaemonServicer(_Servicer, daemon_pb2_grpc.DaemonServiceServicer):
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


class FakeDaemon:
    """A world behind a socket. Serves from `start` until `stop`."""

    def __init__(self, world: World, places: Places, socket: Path | None = None) -> None:
        self.world = world
        self._places = places
        self._socket = socket or places.state / "api.sock"
        self._server = grpc.server(ThreadPoolExecutor(max_workers=16))
        profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(Profiles(world), self._server)
        gateways_pb2_grpc.add_GatewaysServiceServicer_to_server(Gateways(world), self._server)
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(Operations(world), self._server)
        events_pb2_grpc.add_EventsServiceServicer_to_server(Events(world), self._server)
        runtimes_pb2_grpc.add_RuntimesServiceServicer_to_server(Runtimes(world), self._server)
        environments_pb2_grpc.add_EnvironmentsServiceServicer_to_server(Environments(world), self._server)
        terminals_pb2_grpc.add_TerminalsServiceServicer_to_server(Terminals(world), self._server)
        skills_pb2_grpc.add_SkillsServiceServicer_to_server(Skills(world), self._server)
        trash_pb2_grpc.add_TrashServiceServicer_to_server(Trash(world), self._server)
        doctor_pb2_grpc.add_DoctorServiceServicer_to_server(Doctor(world), self._server)
        aliases_pb2_grpc.add_AliasesServiceServicer_to_server(Aliases(world), self._server)
        logs_pb2_grpc.add_LogsServiceServicer_to_server(Logs(world), self._server)
        samples_pb2_grpc.add_SamplesServiceServicer_to_server(Samples(world), self._server)
        claims_pb2_grpc.add_ClaimsServiceServicer_to_server(Claims(world), self._server)
        daemon_pb2_grpc.add_DaemonServiceServicer_to_server(DaemonServicer(world), self._server)
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)

    def start(self) -> None:
        """Binds the socket and writes `daemon.json`."""
        self._places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        directory = os.open(self._socket.parent, os.O_PATH)
        self._server.add_insecure_port(f"unix:/proc/self/fd/{directory}/{self._socket.name}")
        self._server.start()
        os.close(directory)
        self.write_record()

    def write_record(self, **changes: object) -> None:
        """Writes `daemon.json`, saying that this process is the daemon but for these keys."""
        record = {
            "socket": str(self._socket),
            "pid": os.getpid(),
            "start_ticks": start_ticks_of(os.getpid()),
            "started_at": "2026-09-21T14:13:20Z",
            "version": self.world.version,
            "boot_id": "b",
            "root": str(self._places.root),
        }
        self._places.daemon_file.write_text(json.dumps(record | changes))

    def stop(self, grace_s: float | None = None) -> None:
        """Ends, leaving `daemon.json` behind as a crash does; calls under way get that long to finish."""
        self._server.stop(grace_s).wait()


def serve() -> None:
    """Serves an empty world as the daemon of this process's environment, until a client stops it."""
    daemon = FakeDaemon(World(), Places.locate(os.environ))
    daemon.start()
    print("serving", flush=True)
    daemon.world.stopping.wait()
    daemon.stop(grace_s=5.0)
