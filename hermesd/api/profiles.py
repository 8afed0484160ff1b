"""Serves `ProfilesService`."""

from typing import Any

import grpc

from hermesd.api import convert
from hermesd.api.requests import requester
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.ports import ModelEndpoint, Setup
from hermesd.domain.profile import ProfileName
from hermesd.services.descriptions import Descriptions
from hermesd.services.profiles import NewProfile, Profiles
from hermesd.services.renames import Renames
from hermesd.services.souls import Souls
from hermesd.v1 import operations_pb2, profiles_pb2, profiles_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class ProfilesServicer(profiles_pb2_grpc.ProfilesServiceServicer):
    """Translates for `services/profiles.py` and the services of single verbs."""

    def __init__(self, profiles: Profiles, renames: Renames, descriptions: Descriptions, souls: Souls) -> None:
        self._profiles = profiles
        self._renames = renames
        self._descriptions = descriptions
        self._souls = souls

    async def ListProfiles(
        self, request: profiles_pb2.ListProfilesRequest, context: Context
    ) -> profiles_pb2.ListProfilesResponse:
        views = await self._profiles.all()
        return profiles_pb2.ListProfilesResponse(profiles=[convert.profile(view) for view in views])

    async def GetProfile(self, request: profiles_pb2.GetProfileRequest, context: Context) -> profiles_pb2.Profile:
        return convert.profile(await self._profiles.get(ProfileName.parse(request.profile)))

    async def CreateProfile(
        self, request: profiles_pb2.CreateProfileRequest, context: Context
    ) -> operations_pb2.Operation:
        new = NewProfile(
            ProfileName.parse_new(request.profile),
            description=request.description,
            with_alias=not request.no_alias,
            with_skills=not request.no_skills,
        )
        return convert.operation(await self._profiles.create(new, requester(context)))

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

    async def RenameProfile(
        self, request: profiles_pb2.RenameProfileRequest, context: Context
    ) -> operations_pb2.Operation:
        before, after = ProfileName.parse(request.profile), ProfileName.parse_new(request.new_name)
        return convert.operation(await self._renames.rename(before, after, requester(context)))

    async def DescribeProfile(
        self, request: profiles_pb2.DescribeProfileRequest, context: Context
    ) -> profiles_pb2.Profile:
        name = ProfileName.parse(request.profile)
        await self._descriptions.describe(name, request.text)
        return convert.profile(await self._profiles.get(name))

    async def GenerateDescription(
        self, request: profiles_pb2.GenerateDescriptionRequest, context: Context
    ) -> operations_pb2.Operation:
        name, asked_by = ProfileName.parse(request.profile), requester(context)
        begun = await self._descriptions.generate(name, overwrite=request.overwrite, requester=asked_by)
        return convert.operation(begun)

    async def GetSoul(self, request: profiles_pb2.GetSoulRequest, context: Context) -> profiles_pb2.Soul:
        return convert.soul(await self._souls.get(ProfileName.parse(request.profile)))

    async def SetSoul(self, request: profiles_pb2.SetSoulRequest, context: Context) -> profiles_pb2.Soul:
        revision = request.revision if request.HasField("revision") else None
        return convert.soul(await self._souls.set(ProfileName.parse(request.profile), request.text, revision))

    async def UseProfile(
        self, request: profiles_pb2.UseProfileRequest, context: Context
    ) -> profiles_pb2.UseProfileResponse:
        if request.previous and request.profile:
            raise ArgumentInvalid("`profile` and `previous` are both set", hint="set one of them")
        if request.previous:
            previous, now = await self._profiles.use_previous()
        else:
            previous, now = await self._profiles.use(ProfileName.parse(request.profile))
        return profiles_pb2.UseProfileResponse(profile=now.text, previous=previous.text)
