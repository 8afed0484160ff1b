"""Serves `LogsService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from hermesd.api import convert
from hermesd.domain.logs import Level, Record, Source, Wanted
from hermesd.domain.profile import ProfileName
from hermesd.services.logs import Batch, Logs, Notice, Question
from hermesd.v1 import logs_pb2, logs_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

LOG_LEVELS: dict[Level | None, logs_pb2.LogLevel.ValueType] = {
    None: logs_pb2.LOG_LEVEL_UNSPECIFIED,
    **{level: logs_pb2.LogLevel.Value(f"LOG_LEVEL_{level.name}") for level in Level},
}
LOG_SOURCES = {source: logs_pb2.LogSource.Value(f"LOG_SOURCE_{source.name}") for source in Source}
SOURCES: dict[int, Source] = {number: source for source, number in LOG_SOURCES.items()}
LEVELS: dict[int, Level] = {number: level for level, number in LOG_LEVELS.items() if level is not None}


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
        records=map(_record, batch.records),
        notices=map(_notice, batch.notices),
        is_caught_up=batch.is_caught_up,
    )


def _notice(notice: Notice) -> logs_pb2.LogNotice:
    return logs_pb2.LogNotice(profile=notice.profile, message=notice.message, is_gap=notice.is_gap)


def _record(record: Record) -> logs_pb2.LogRecord:
    """A record of a log. There may be millions of them, so the message is made in one call."""
    whole_s = int(record.at_s)
    return logs_pb2.LogRecord(
        profile=record.profile,
        source=LOG_SOURCES[record.source],
        at=Timestamp(seconds=whole_s, nanos=min(999_999, round((record.at_s - whole_s) * 1e6)) * 1000),
        is_rough=record.is_rough,
        level=LOG_LEVELS[record.level],
        logger=record.logger,
        session=record.session,
        text=record.text,
    )
