"""Serves `TrashService`."""

from typing import Any

import grpc

from hermesd.api import convert
from hermesd.api.requests import requester
from hermesd.domain.profile import ProfileName
from hermesd.services.trash import Trash, TrashedView
from hermesd.v1 import operations_pb2, trash_pb2, trash_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class TrashServicer(trash_pb2_grpc.TrashServiceServicer):
    """Translates for `services/trash.py`."""

    def __init__(self, trash: Trash) -> None:
        self._trash = trash

    async def ListTrash(
        self, request: trash_pb2.ListTrashRequest, context: Context
    ) -> trash_pb2.ListTrashResponse:
        views = await self._trash.all(with_sizes=request.with_sizes)
        return trash_pb2.ListTrashResponse(profiles=[_trashed(view) for view in views])

    async def RestoreProfile(
        self, request: trash_pb2.RestoreProfileRequest, context: Context
    ) -> operations_pb2.Operation:
        name = ProfileName.parse_new(request.profile) if request.profile else None
        return convert.operation(await self._trash.restore(request.id, name, requester(context)))

    async def EmptyTrash(self, request: trash_pb2.EmptyTrashRequest, context: Context) -> operations_pb2.Operation:
        return convert.operation(await self._trash.empty(request.ids, requester(context)))


def _trashed(view: TrashedView) -> trash_pb2.TrashedProfile:
    """A deleted profile."""
    note = view.entry.note
    return trash_pb2.TrashedProfile(
        id=note.id,
        profile=note.name.text,
        profile_id=note.profile_id,
        description=note.description,
        aliases=note.aliases,
        deleted_at=convert.timestamp(note.deleted_at_s),
        kept_until=convert.timestamp(view.kept_until_s),
        path=str(view.entry.path),
        size_bytes=view.size_bytes,
    )
