"""Samples over a real socket: what one looks like, and watchers who leave or never read."""

import asyncio

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from hermesd.v1 import gateways_pb2, gateways_pb2_grpc, samples_pb2_grpc
from hermesd.v1 import samples_pb2 as v1
from tests.api.serving import Served
from tests.waiting import until

pytestmark = [pytest.mark.fast, pytest.mark.api]


def stub(served: Served) -> "samples_pb2_grpc.SamplesServiceAsyncStub":
    """The service."""
    return samples_pb2_grpc.SamplesServiceStub(served.channel)


async def run(served: Served) -> None:
    """The gateway runs, and has been looked at for a minute."""
    await served.house.start("coder")
    served.house.services.samples.open()
    await served.house.clock.settle()
    served.house.meter.set((await served.house.process("coder")).pid, cpu_s=31.0)
    await served.house.clock.advance(60.0)


async def test_samples_are_sent_with_all_their_parts(served: Served) -> None:
    """Listed, watched, and with the gateway: they are the same."""
    await run(served)
    at = Timestamp()
    at.FromNanoseconds(round(served.house.clock.now_s() * 1e9))
    expected = v1.Sample(
        profile="coder",
        at=at,
        step=Duration(seconds=60),
        cpu_cores=0.5,
        rss_bytes=80 * 1024 * 1024,
        descriptors=30,
        threads=5,
        processes=1,
    )
    answer = await stub(served).ListSamples(v1.ListSamplesRequest(profile="Coder"))
    assert [*answer.samples] == [expected]
    gateways = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    shown = await gateways.GetGateway(gateways_pb2.GetGatewayRequest(profile="coder"))
    assert shown.usage == expected
    call = stub(served).WatchSamples(v1.WatchSamplesRequest(profile="coder"))
    async for told in call:
        assert [*told.samples] == [expected]
        break
    call.cancel()
    later = Timestamp(seconds=at.seconds + 1)
    answer = await stub(served).ListSamples(v1.ListSamplesRequest(profile="coder", since=later))
    assert not answer.samples


async def test_unknown_profiles_are_refused(served: Served) -> None:
    """Whether they are listed or watched."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub(served).ListSamples(v1.ListSamplesRequest(profile="codr"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub(served).WatchSamples(v1.WatchSamplesRequest(profile="codr")):
            pass
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_nothing_is_looked_at_for_watchers_that_are_gone(served: Served) -> None:
    """Who cancels, and who never read a word."""
    await run(served)
    calls = [stub(served).WatchSamples(v1.WatchSamplesRequest()) for _ in range(100)]
    readers = [asyncio.ensure_future(call.read()) for call in calls[1:]]
    for answered in asyncio.as_completed(readers):
        told = await answered
        assert isinstance(told, v1.WatchSamplesResponse)
        assert len(told.samples) == 1
    samples = served.house.services.samples
    await until(lambda: len(samples._watchers) == 100, "all of them")
    for _ in range(50):
        await served.house.clock.advance(1.0)
    looks = len(served.house.meter.looks)
    for call in calls:
        call.cancel()
    await until(lambda: not samples._watchers, "their end")
    await served.house.clock.advance(5.0)
    assert len(served.house.meter.looks) == looks
