"""Serves the part of `ProfilesService` that makes profiles."""

from typing import Any

import grpc

from hermesd.api import convert, profile_messages
from hermesd.api.requests import requester
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.creation import CreationPlan, NewProfile
from hermesd.domain.description import parse_description
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.profile import ProfileName
from hermesd.services.creations import Creations
from hermesd.v1 import operations_pb2, profiles_pb2, profiles_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

EXTENTS = {
    profiles_pb2.CLONE_EXTENT_UNSPECIFIED: Extent.SETTINGS,
    profiles_pb2.CLONE_EXTENT_SETTINGS: Extent.SETTINGS,
    profiles_pb2.CLONE_EXTENT_EVERYTHING: Extent.EVERYTHING,
}


class CreationsServicer(profiles_pb2_grpc.ProfilesServiceServicer):
    """Translates for `services/creations.py`."""

    def __init__(self, creations: Creations) -> None:
        self._creations = creations

    async def CreateProfile(
        self, request: profiles_pb2.CreateProfileRequest, context: Context
    ) -> operations_pb2.Operation:
        return convert.operation(await self._creations.create(_new_profile(request), requester(context)))

    async def PlanCreation(
        self, request: profiles_pb2.PlanCreationRequest, context: Context
    ) -> profiles_pb2.CreationPlan:
        named = request.create.profile
        if named and named != request.profile:
            raise ArgumentInvalid(f"'{request.profile}' and '{named}' are both to be planned", hint="name one")
        wanted = profiles_pb2.CreateProfileRequest()
        wanted.CopyFrom(request.create)
        wanted.profile = request.profile
        return _plan(await self._creations.plan(_new_profile(wanted)))


def _new_profile(request: profiles_pb2.CreateProfileRequest) -> NewProfile:
    if request.clone_extent not in EXTENTS:
        raise ArgumentInvalid(f"{request.clone_extent} is not an extent of a clone")
    return NewProfile(
        ProfileName.parse_new(request.profile),
        description=parse_description(request.description),
        with_alias=not request.no_alias,
        with_skills=not request.no_skills,
        model=request.model,
        source=ProfileName.parse(request.clone_from) if request.clone_from else None,
        order=CloneOrder(
            EXTENTS[request.clone_extent],
            has_channels=not request.strip_channels,
            keeps_cron=request.keep_cron,
        ),
    )


def _plan(plan: CreationPlan) -> profiles_pb2.CreationPlan:
    return profiles_pb2.CreationPlan(
        profile=plan.name.text,
        path=str(plan.path),
        steps=[profiles_pb2.PlanStep(verb=step.verb, what=step.what) for step in plan.steps],
        shared=[
            profiles_pb2.SharedCredential(
                platform=one.claim.platform,
                variable=one.claim.source,
                profiles=[name.text for name in one.profiles],
            )
            for one in plan.shared
        ],
        grants=[profile_messages.shared_grant(one, plan.name) for one in plan.grants],
    )
