"""The history over the wire: filters, pages, who asked, and what a watcher is sent."""

from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from hermesd.services.events import MOST_LISTED
from hermesd.v1 import events_pb2 as v1
from hermesd.v1 import gateways_pb2, gateways_pb2_grpc
from hermesd.v1.events_pb2_grpc import EventsServiceStub
from tests.api.serving import Served

if TYPE_CHECKING:
    from hermesd.v1.events_pb2_grpc import EventsServiceAsyncStub

pytestmark = [pytest.mark.fast, pytest.mark.api]


def stub(served: Served) -> "EventsServiceAsyncStub":
    """The service."""
    return EventsServiceStub(served.channel)


async def listed(served: Served, **asked: object) -> list[v1.Event]:
    """Events as they are asked for."""
    return [*(await stub(served).ListEvents(v1.ListEventsRequest(**asked))).events]  # type: ignore[arg-type]


async def test_the_history_is_asked_by_kind_and_time(served: Served) -> None:
    """Kinds and nouns, from a moment on and before one."""
    house = served.house
    for kind in ("gateway.ready", "profile.used", "gateway.exited"):
        house.clock.jump(100.0)
        await house.services.events.record(kind, "", profile="coder")
    (ready, used, exited) = await listed(served, profile="coder", page_size=3)
    assert [one.kind for one in await listed(served, kinds=["gateway"], profile="coder")] == [
        ready.kind,
        exited.kind,
    ]
    assert [*await listed(served, since=used.at, profile="coder")] == [used, exited]
    assert (await listed(served, until=used.at))[-1] == ready
    assert await listed(served, since=used.at, until=Timestamp(seconds=used.at.seconds + 1)) == [used]


async def test_a_long_history_is_read_in_pages(served: Served) -> None:
    """Each is what fits into one answer; together they are all of it, and no number is too large to ask with."""
    for number in range(3 * MOST_LISTED):
        await served.house.services.events.record("test.fact", str(number))
    found = await listed(served, page_size=2**32 - 1)
    while page := await listed(served, page_size=10_000, before_token=found[0].token):
        assert len(page) <= MOST_LISTED
        found = [*page, *found]
    assert [one.token for one in found] == [*range(1, found[-1].token + 1)]
    assert (await listed(served, page_size=1, before_token=2**64 - 1)) == found[-1:]


async def test_who_asked_is_told(served: Served) -> None:
    """With what was asked for directly, with an operation, and with what the gateway did for it."""
    gateways = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    who = (("hermesd-requester", "ana's terminal"),)
    await gateways.DisableGateway(gateways_pb2.DisableGatewayRequest(profile="coder"), metadata=who)
    begun = await gateways.StartGateway(gateways_pb2.StartGatewayRequest(profile="coder"), metadata=who)
    await served.house.clock.settle()
    told = {one.kind: dict(one.facts) for one in await listed(served, profile="coder")}
    assert told["gateway.disabled"] == {"requester": "ana's terminal"}
    for kind in ("operation.started", "gateway.starting", "gateway.ready", "operation.succeeded"):
        assert told[kind].items() >= {"requester": "ana's terminal", "operation": begun.id}.items(), kind


async def test_a_watch_narrows_and_tells_gaps(served: Served) -> None:
    """A token of another history is answered with where this one begins, then with what was asked for."""
    events = served.house.services.events
    await events.record("gateway.ready", "", profile="coder")
    await events.record("gateway.ready", "", profile="other")
    request = v1.WatchEventsRequest(resume_token=10_000, profile="coder", kinds=["gateway"])
    watch = stub(served).WatchEvents(request)
    first, second = await watch.read(), await watch.read()
    assert isinstance(first, v1.WatchEventsResponse)
    assert isinstance(second, v1.WatchEventsResponse)
    assert (first.gap.next_token, second.event.kind) == (1, "gateway.ready")
    watch.cancel()


async def test_a_watch_ends_when_the_daemon_does(served: Served) -> None:
    """At once and cleanly: nobody has to be thrown out."""
    events = served.house.services.events
    for _ in range(3):
        await events.record("test.fact", "")
    watch = stub(served).WatchEvents(v1.WatchEventsRequest(resume_token=1))
    await watch.read()
    events.close()
    while await watch.read() != grpc.aio.EOF:
        pass
    assert await watch.code() is grpc.StatusCode.OK
