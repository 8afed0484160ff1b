"""Serves `SkillsService`."""

from typing import Any

import grpc

from hermesd.api import convert
from hermesd.api.requests import requester
from hermesd.domain.profile import ProfileName
from hermesd.services.skills import Skills, SyncOrder
from hermesd.v1 import operations_pb2, skills_pb2, skills_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class SkillsServicer(skills_pb2_grpc.SkillsServiceServicer):
    """Translates for `services/skills.py`."""

    def __init__(self, skills: Skills) -> None:
        self._skills = skills

    async def SyncSkills(
        self, request: skills_pb2.SyncSkillsRequest, context: Context
    ) -> operations_pb2.Operation:
        names = tuple(dict.fromkeys(ProfileName.parse(name) for name in request.profiles))
        order = SyncOrder(names, request.dry_run, request.verify)
        return convert.operation(await self._skills.sync(order, requester(context)))
