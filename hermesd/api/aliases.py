"""Serves `AliasesService`."""

from typing import Any

import grpc

from hermesd.api.requests import requester
from hermesd.domain.profile import ProfileName
from hermesd.services.aliases import Aliases, AliasView
from hermesd.v1 import aliases_pb2, aliases_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class AliasesServicer(aliases_pb2_grpc.AliasesServiceServicer):
    """Translates for `services/aliases.py`."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases

    async def ListAliases(
        self, request: aliases_pb2.ListAliasesRequest, context: Context
    ) -> aliases_pb2.ListAliasesResponse:
        views = await self._aliases.all(ProfileName.parse(request.profile) if request.profile else None)
        return aliases_pb2.ListAliasesResponse(
            aliases=[_alias(view) for view in views],
            directory=self._aliases.directory,
            is_on_path=self._aliases.is_on_path,
        )

    async def CreateAlias(self, request: aliases_pb2.CreateAliasRequest, context: Context) -> aliases_pb2.Alias:
        profile, asked_by = ProfileName.parse(request.profile), requester(context)
        return _alias(await self._aliases.create(profile, request.name, asked_by))

    async def RemoveAlias(
        self, request: aliases_pb2.RemoveAliasRequest, context: Context
    ) -> aliases_pb2.RemoveAliasResponse:
        profile, asked_by = ProfileName.parse(request.profile), requester(context)
        gone = await self._aliases.remove(profile, request.name, asked_by)
        return aliases_pb2.RemoveAliasResponse(aliases=[_alias(view) for view in gone])


def _alias(view: AliasView) -> aliases_pb2.Alias:
    """An alias."""
    found = view.alias
    return aliases_pb2.Alias(
        name=found.name,
        profile=found.profile.text,
        path=str(found.path),
        is_ours=found.is_ours,
        has_profile=view.has_profile,
    )
