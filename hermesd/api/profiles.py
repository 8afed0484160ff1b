"""Serves `ProfilesService`."""

from typing import Any

import grpc

from hermesd.api import convert, profile_messages
from hermesd.api.creations import CreationsServicer
from hermesd.api.requests import requester
from hermesd.domain.agent import ModelEndpoint, Setup
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.profile import ProfileName
from hermesd.services.comparisons import Comparisons
from hermesd.services.creations import Creations
from hermesd.services.deletion_plans import DeletionPlans
from hermesd.services.descriptions import Descriptions
from hermesd.services.profiles import Profiles
from hermesd.services.renames import Renames
from hermesd.services.souls import Souls
from hermesd.services.usage import Usage
from hermesd.v1 import operations_pb2, profiles_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class ProfilesServicer(CreationsServicer):
    """Translates for `services/profiles.py` and the services of single verbs."""

    def __init__(
        self,
        profiles: Profiles,
        renames: Renames,
        creations: Creations,
        usage: Usage,
        deletion_plans: DeletionPlans,
        descriptions: Descriptions,
        souls: Souls,
        comparisons: Comparisons,
    ) -> None:
        super().__init__(creations)
        self._profiles = profiles
        self._renames = renames
        self._usage = usage
        self._deletion_plans = deletion_plans
        self._descriptions = descriptions
        self._souls = souls
        self._comparisons = comparisons

    async def ListProfiles(
        self, request: profiles_pb2.ListProfilesRequest, context: Context
    ) -> profiles_pb2.ListProfilesResponse:
        views = await self._profiles.all()
        ignored = await self._profiles.ignored()
        return profiles_pb2.ListProfilesResponse(
            profiles=[profile_messages.profile(view) for view in views],
            ignored=[profiles_pb2.IgnoredEntry(path=one.path, why=one.why) for one in ignored],
        )

    async def GetProfile(self, request: profiles_pb2.GetProfileRequest, context: Context) -> profiles_pb2.Profile:
        return profile_messages.profile(await self._profiles.get(ProfileName.parse(request.profile)))

    async def CompareProfiles(
        self, request: profiles_pb2.CompareProfilesRequest, context: Context
    ) -> profiles_pb2.CompareProfilesResponse:
        names = ProfileName.parse(request.profile), ProfileName.parse(request.other)
        return profiles_pb2.CompareProfilesResponse(
            differences=[
                profiles_pb2.ProfileDifference(
                    category=one.matter,
                    key=one.key,
                    left=None if one.left is None else one.left.text,
                    right=None if one.right is None else one.right.text,
                )
                for one in await self._comparisons.compare(*names)
            ]
        )

    async def SetUpProfile(
        self, request: profiles_pb2.SetUpProfileRequest, context: Context
    ) -> operations_pb2.Operation:
        name = ProfileName.parse(request.profile)
        model = request.model
        setup = Setup(
            endpoint=ModelEndpoint(model.model, model.base_url, model.key_env, model.key)
            if request.HasField("model")
            else None,
            enable_api_server=request.enable_api_server,
            api_server_port=request.api_server_port,
        )
        return convert.operation(await self._profiles.set_up(name, setup, requester(context)))

    async def DeleteProfile(
        self, request: profiles_pb2.DeleteProfileRequest, context: Context
    ) -> operations_pb2.Operation:
        name = ProfileName.parse(request.profile)
        begun = await self._profiles.delete(name, purge=request.purge, requester=requester(context))
        return convert.operation(begun)

    async def PlanDeletion(
        self, request: profiles_pb2.PlanDeletionRequest, context: Context
    ) -> profiles_pb2.DeletionPlan:
        plan = await self._deletion_plans.of(ProfileName.parse(request.profile), purge=request.purge)
        return profile_messages.deletion_plan(plan)

    async def MeasureProfile(
        self, request: profiles_pb2.MeasureProfileRequest, context: Context
    ) -> profiles_pb2.DiskUsage:
        limit_s = convert.seconds(request.limit) if request.HasField("limit") else None
        return profile_messages.disk_usage(
            await self._usage.of(ProfileName.parse(request.profile), limit_s=limit_s)
        )

    async def SetDisplayName(
        self, request: profiles_pb2.SetDisplayNameRequest, context: Context
    ) -> profiles_pb2.Profile:
        name = ProfileName.parse(request.profile)
        return profile_messages.profile(
            await self._profiles.set_display_name(name, request.display_name, requester(context))
        )

    async def RenameProfile(
        self, request: profiles_pb2.RenameProfileRequest, context: Context
    ) -> operations_pb2.Operation:
        before, after = ProfileName.parse(request.profile), ProfileName.parse_new(request.new_name)
        return convert.operation(await self._renames.rename(before, after, requester(context)))

    async def SetDescription(
        self, request: profiles_pb2.SetDescriptionRequest, context: Context
    ) -> profiles_pb2.Profile:
        name = ProfileName.parse(request.profile)
        await self._descriptions.describe(name, request.description, requester(context))
        return profile_messages.profile(await self._profiles.get(name))

    async def GenerateDescription(
        self, request: profiles_pb2.GenerateDescriptionRequest, context: Context
    ) -> operations_pb2.Operation:
        name, asked_by = ProfileName.parse(request.profile), requester(context)
        begun = await self._descriptions.generate(name, overwrite=request.overwrite, requester=asked_by)
        return convert.operation(begun)

    async def GetSoul(self, request: profiles_pb2.GetSoulRequest, context: Context) -> profiles_pb2.Soul:
        return profile_messages.soul(await self._souls.get(ProfileName.parse(request.profile)))

    async def SetSoul(self, request: profiles_pb2.SetSoulRequest, context: Context) -> profiles_pb2.Soul:
        revision = request.revision if request.HasField("revision") else None
        name, asked_by = ProfileName.parse(request.profile), requester(context)
        return profile_messages.soul(await self._souls.set(name, request.text, revision, asked_by))

    async def UseProfile(
        self, request: profiles_pb2.UseProfileRequest, context: Context
    ) -> profiles_pb2.UseProfileResponse:
        if request.previous and request.profile:
            raise ArgumentInvalid("`profile` and `previous` are both set", hint="set one of them")
        if request.previous:
            previous, now = await self._profiles.use_previous(requester(context))
        else:
            previous, now = await self._profiles.use(ProfileName.parse(request.profile), requester(context))
        return profiles_pb2.UseProfileResponse(profile=now.text, previous=previous.text)
