"""Serves `EventsService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from hermesd.api import convert
from hermesd.domain.operation import Happening
from hermesd.services.events import Events
from hermesd.v1 import events_pb2, events_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_PAGE = 100
LARGEST_TOKEN = 2**63 - 1
"""That the store can compare with."""


class EventsServicer(events_pb2_grpc.EventsServiceServicer):
    """Translates for `services/events.py`."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def ListEvents(
        self, request: events_pb2.ListEventsRequest, context: Context
    ) -> events_pb2.ListEventsResponse:
        recent = await self._events.recent(
            profile=request.profile,
            limit=request.page_size or DEFAULT_PAGE,
            kinds=frozenset(request.kinds),
            since_s=convert.seconds(request.since) if request.HasField("since") else None,
            until_s=convert.seconds(request.until) if request.HasField("until") else None,
            before=min(request.before_token, LARGEST_TOKEN) or None,
        )
        return events_pb2.ListEventsResponse(events=[_event(one) for one in recent])

    async def WatchEvents(
        self, request: events_pb2.WatchEventsRequest, context: Context
    ) -> AsyncIterator[events_pb2.WatchEventsResponse]:
        watch = self._events.watch(
            after=request.resume_token, profile=request.profile, kinds=frozenset(request.kinds)
        )
        async for item in watch:
            if isinstance(item, int):
                yield events_pb2.WatchEventsResponse(gap=events_pb2.Gap(next_token=item))
            else:
                yield events_pb2.WatchEventsResponse(event=_event(item))


def _event(happening: Happening) -> events_pb2.Event:
    """An event."""
    return events_pb2.Event(
        token=happening.token,
        kind=happening.kind,
        profile=happening.profile,
        message=happening.message,
        facts=happening.facts,
        at=convert.timestamp(happening.at_s),
    )
