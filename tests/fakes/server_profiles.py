# ruff: noqa: N802 - the contract names the methods
"""Profiles as the client's stand-in daemon keeps them, and their aliases, skills and trash."""

import hashlib

import grpc
from google.protobuf.duration_pb2 import Duration

from hermesd.v1 import (
    aliases_pb2,
    aliases_pb2_grpc,
    errors_pb2,
    operations_pb2,
    profiles_pb2,
    profiles_pb2_grpc,
    skills_pb2,
    skills_pb2_grpc,
    trash_pb2,
    trash_pb2_grpc,
)
from tests.fakes.contract import (
    ROOT,
    alias,
    profile,
    trashed,
)
from tests.fakes.world import Refusal, Servicer, refuse


class Profiles(Servicer, profiles_pb2_grpc.ProfilesServiceServicer):
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

    def CompareProfiles(
        self, request: profiles_pb2.CompareProfilesRequest, context: grpc.ServicerContext
    ) -> profiles_pb2.CompareProfilesResponse:
        self.world.enter(context, request)
        one, other = (self.world.find(context, name) for name in (request.profile, request.other))
        difference = profiles_pb2.ProfileDifference
        found = [
            difference(category="setting", key="model.default", left=one.model, right=other.model),
            difference(category="setting", key="odd\x1b[2J", left="a\nb"),
            difference(category="variable", key="OPENAI_API_KEY", right="set · sha256:ab12…9f · 46 chars"),
            difference(category="skill", key="web", left="0123456789ab", right="ba9876543210"),
        ]
        return profiles_pb2.CompareProfilesResponse(differences=[] if one == other else found)

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


class Aliases(Servicer, aliases_pb2_grpc.AliasesServiceServicer):
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


class Skills(Servicer, skills_pb2_grpc.SkillsServiceServicer):
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


class Trash(Servicer, trash_pb2_grpc.TrashServiceServicer):
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
