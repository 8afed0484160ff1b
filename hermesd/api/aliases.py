"""Serves `AliasesService`."""

from typing import Any

import grpc

from hermesd.api import convert
from hermesd.domain.profile import ProfileName
from hermesd.services.aliases import Aliases
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
            aliases=[convert.alias(view) for view in views],
            directory=self._aliases.directory,
            is_on_path=self._aliases.is_on_path,
        )

    async def CreateAlias(self, request: aliases_pb2.CreateAliasRequest, context: Context) -> aliases_pb2.Alias:
        return convert.alias(await self._aliases.create(ProfileName.parse(request.profile), request.name))

    async def RemoveAlias(
        self, request: aliases_pb2.RemoveAliasRequest, context: Context
    ) -> aliases_pb2.RemoveAliasResponse:
        gone = await self._aliases.remove(ProfileName.parse(request.profile), request.name)
        return aliases_pb2.RemoveAliasResponse(aliases=[convert.alias(view) for view in gone])
