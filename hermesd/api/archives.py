"""Serves `ArchivesService`."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import grpc

from hermesd.api import convert
from hermesd.api.requests import requester
from hermesd.domain.archive import Contents, Entry, ExportOrder, ImportPlan, Leak
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.inventory import Kind, Staying
from hermesd.domain.ports import Spool
from hermesd.domain.profile import ProfileName
from hermesd.services.exports import Exported, Exports, Phase
from hermesd.services.imports import Imports, NewImport
from hermesd.v1 import archives_pb2, archives_pb2_grpc, operations_pb2

Context = grpc.aio.ServicerContext[Any, Any]
Plans = AsyncIterator[archives_pb2.PlanImportRequest]
Pieces = AsyncIterator[archives_pb2.ImportProfileRequest]
Piece = archives_pb2.ImportProfileRequest | archives_pb2.PlanImportRequest

PAGE = 2000
"""Entries in one message: a message may have 4 MB."""

MOST_LEFT_OUT, MOST_ENTRIES = 1000, 10_000


class ArchivesServicer(archives_pb2_grpc.ArchivesServiceServicer):
    """Translates for `services/exports.py` and `services/imports.py`."""

    def __init__(self, exports: Exports, imports: Imports) -> None:
        self._exports = exports
        self._imports = imports

    async def ExportProfile(
        self, request: archives_pb2.ExportProfileRequest, context: Context
    ) -> AsyncIterator[archives_pb2.ExportProfileResponse]:
        order = ExportOrder(has_sessions=request.include_sessions, is_redacting=request.redact)
        steps = self._exports.export(
            ProfileName.parse(request.profile), order, requester(context), is_dry_run=request.dry_run
        )
        async for step in steps:
            for response in _responses(step):
                yield response

    async def PlanImport(self, request_iterator: Plans, context: Context) -> archives_pb2.ImportPlan:
        spool, new = await self._received(request_iterator)
        try:
            return _plan(await self._imports.plan(spool, new))
        finally:
            spool.close()

    async def ImportProfile(self, request_iterator: Pieces, context: Context) -> operations_pb2.Operation:
        spool, new = await self._received(request_iterator)
        return convert.operation(await self._imports.start(spool, new, requester(context)))

    async def _received(self, pieces: AsyncIterator[Piece]) -> tuple[Spool, NewImport]:
        first = await anext(pieces, None)
        if first is None or not first.HasField("order"):
            raise ArgumentInvalid("the first message says how to import")
        new = _new_import(first.order)
        return await self._imports.receive(_data(pieces)), new


async def _data(pieces: AsyncIterator[Piece]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if not piece.HasField("data"):
            raise ArgumentInvalid("only the first message says how to import")
        yield piece.data


def _new_import(order: archives_pb2.ImportOrder) -> NewImport:
    if order.max_size_bytes < 0:
        raise ArgumentInvalid("an archive cannot unpack to less than nothing")
    return NewImport(
        ProfileName.parse_new(order.profile) if order.profile else None,
        with_alias=not order.no_alias,
        most_bytes=order.max_size_bytes,
        digest=order.digest,
    )


def _responses(step: Exported) -> Iterator[archives_pb2.ExportProfileResponse]:
    if isinstance(step, bytes):
        yield archives_pb2.ExportProfileResponse(data=step)
    elif isinstance(step, Phase):
        progress = archives_pb2.ExportProgress(phase=step.name, done=step.done, total=step.total)
        yield archives_pb2.ExportProfileResponse(progress=progress)
    else:
        yield archives_pb2.ExportProfileResponse(contents=_contents(step))
        for start in range(PAGE, len(step.entries), PAGE):
            part = archives_pb2.ExportContents(entries=_entries(step.entries[start : start + PAGE]))
            yield archives_pb2.ExportProfileResponse(contents=part)


def _contents(contents: Contents) -> archives_pb2.ExportContents:
    return archives_pb2.ExportContents(
        entries=_entries(contents.entries[:PAGE]),
        staying=map(_staying, contents.staying[:PAGE]),
        leaks=[
            archives_pb2.ArchiveLeak(path=one.path, secret=one.secret, how=one.how)
            for one in contents.leaks[:PAGE]
        ],
        warnings=contents.warnings,
    )


def _entries(entries: Sequence[Entry]) -> list[archives_pb2.ArchiveEntry]:
    return [
        archives_pb2.ArchiveEntry(path=one.path, size_bytes=one.size_bytes, is_directory=one.is_directory)
        for one in entries
    ]


def _leak(one: Leak) -> archives_pb2.ArchiveLeak:
    return archives_pb2.ArchiveLeak(path=one.path, secret=one.secret, how=one.how)


def _staying(one: Staying) -> archives_pb2.StayingEntry:
    return archives_pb2.StayingEntry(path=one.path, why=one.why)


def _plan(plan: ImportPlan) -> archives_pb2.ImportPlan:
    contents = plan.judged.contents
    files = [one for one in contents if one.kind is not Kind.DIRECTORY]
    entries = [
        Entry("/".join(one.names), one.size_bytes, is_directory=one.kind is Kind.DIRECTORY)
        for one in contents[:MOST_ENTRIES]
    ]
    return archives_pb2.ImportPlan(
        profile=plan.name,
        path=str(plan.path),
        digest=plan.digest,
        file_count=len(files),
        size_bytes=sum(one.size_bytes for one in files),
        left_out=map(_staying, plan.judged.left_out[:MOST_LEFT_OUT]),
        acts=[
            archives_pb2.ImportAct(
                category=act.kind, what=act.what, is_disabled=act.is_disabled, enabling=act.enabling
            )
            for act in plan.acts
        ],
        entries=_entries(entries),
    )
