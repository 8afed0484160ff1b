"""Serves `LogsService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from hermesd.api import convert
from hermesd.domain.logs import Level, Source, Wanted
from hermesd.domain.profile import ProfileName
from hermesd.services.logs import Batch, Logs, Notice, Question
from hermesd.v1 import logs_pb2, logs_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

SOURCES = {
    logs_pb2.LOG_SOURCE_AGENT: Source.AGENT,
    logs_pb2.LOG_SOURCE_ERRORS: Source.ERRORS,
    logs_pb2.LOG_SOURCE_GATEWAY: Source.GATEWAY,
    logs_pb2.LOG_SOURCE_DAEMON: Source.DAEMON,
}
LEVELS: dict[int, Level] = {number: level for level, number in convert.LOG_LEVELS.items() if level is not None}


class LogsServicer(logs_pb2_grpc.LogsServiceServicer):
    """Translates for `services/logs.py`."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    async def ReadLogs(
        self, request: logs_pb2.ReadLogsRequest, context: Context
    ) -> AsyncIterator[logs_pb2.ReadLogsResponse]:
        async for batch in self._logs.read(_question(request)):
            yield _response(batch)


def _question(request: logs_pb2.ReadLogsRequest) -> Question:
    return Question(
        profiles=[ProfileName.parse(name) for name in request.profiles],
        sources=frozenset(SOURCES[one] for one in request.sources if one in SOURCES) or frozenset(Source),
        wanted=Wanted(
            since_s=convert.seconds(request.since) if request.HasField("since") else None,
            until_s=convert.seconds(request.until) if request.HasField("until") else None,
            level=LEVELS.get(request.level),
            contains=tuple(part for part in request.contains if part),
            session=request.session,
            loggers=tuple(request.loggers),
        ),
        lines=request.lines if request.HasField("lines") else None,
        is_following=request.follow,
        has_new_profiles=request.with_new_profiles,
    )


def _response(batch: Batch) -> logs_pb2.ReadLogsResponse:
    return logs_pb2.ReadLogsResponse(
        records=map(convert.log_record, batch.records),
        notices=map(_notice, batch.notices),
        is_caught_up=batch.is_caught_up,
    )


def _notice(notice: Notice) -> logs_pb2.LogNotice:
    return logs_pb2.LogNotice(profile=notice.profile, message=notice.message, is_gap=notice.is_gap)
