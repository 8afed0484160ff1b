"""Serves `SamplesService`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import grpc

from hermesd.api import convert
from hermesd.domain.profile import ProfileName
from hermesd.services.samples import NamedSample, Samples
from hermesd.v1 import samples_pb2, samples_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class SamplesServicer(samples_pb2_grpc.SamplesServiceServicer):
    """Translates for `services/samples.py`."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._told: Sequence[NamedSample] = ()
        self._message = samples_pb2.WatchSamplesResponse()
        """What was told last, for many may be told the same."""

    async def ListSamples(
        self, request: samples_pb2.ListSamplesRequest, context: Context
    ) -> samples_pb2.ListSamplesResponse:
        since_s = request.since.ToNanoseconds() / 1e9 if request.HasField("since") else 0.0
        found = await self._samples.all(ProfileName.parse(request.profile), since_s=since_s)
        return samples_pb2.ListSamplesResponse(samples=[convert.sample(one.profile, one.sample) for one in found])

    async def WatchSamples(
        self, request: samples_pb2.WatchSamplesRequest, context: Context
    ) -> AsyncIterator[samples_pb2.WatchSamplesResponse]:
        name = ProfileName.parse(request.profile) if request.profile else None
        async with aclosing(self._samples.watch(name)) as moments:
            async for found in moments:
                yield self._response(found)

    def _response(self, found: Sequence[NamedSample]) -> samples_pb2.WatchSamplesResponse:
        if found is not self._told:
            self._told = found
            self._message = samples_pb2.WatchSamplesResponse(
                samples=[convert.sample(one.profile, one.sample) for one in found]
            )
        return self._message
