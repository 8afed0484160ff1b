"""Serves `ProfilesService`."""

from typing import Any

import grpc

from hermesd.api import convert
from hermesd.api.creations import CreationsServicer
from hermesd.api.requests import requester
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.ports import ModelEndpoint, Setup
from hermesd.domain.profile import ProfileName
from hermesd.services.creations import Creations
from hermesd.services.profiles import Profiles
from hermesd.services.renames import Renames
from hermesd.v1 import operations_pb2, profiles_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class ProfilesServicer(CreationsServicer):
    """Translates for `services/profiles.py` and `services/renames.py`, and for what makes profiles."""

    def __init__(self, profiles: Profiles, renames: Renames, creations: Creations) -> None:
        super().__init__(creations)
        self._profiles = profiles
        self._renames = renames

    async def ListProfiles(
        self, request: profiles_pb2.ListProfilesRequest, context: Context
    ) -> profiles_pb2.ListProfilesResponse:
        views = await self._profiles.all()
        return profiles_pb2.ListProfilesResponse(profiles=[convert.profile(view) for view in views])

    async def GetProfile(self, request: profiles_pb2.GetProfileRequest, context: Context) -> profiles_pb2.Profile:
        return convert.profile(await self._profiles.get(ProfileName.parse(request.profile)))

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
