"""Serves `GatewaysService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from hermesd.api import convert, gateway_messages
from hermesd.api.requests import requester
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.fleet import Verb
from hermesd.domain.profile import ProfileName
from hermesd.services.fleet import Fleet, FleetOrder
from hermesd.services.gateways import Gateways
from hermesd.services.gatewayviews import GatewayViews
from hermesd.v1 import gateways_pb2, gateways_pb2_grpc, operations_pb2

Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_LINES = 100

VERBS = {gateways_pb2.GatewayVerb.Value(f"GATEWAY_VERB_{verb.name}"): verb for verb in Verb}


class GatewaysServicer(gateways_pb2_grpc.GatewaysServiceServicer):
    """Translates for `services/gateways.py`, `services/gatewayviews.py` and `services/fleet.py`."""

    def __init__(self, gateways: Gateways, views: GatewayViews, fleet: Fleet) -> None:
        self._gateways = gateways
        self._views = views
        self._fleet = fleet

    async def ListGateways(
        self, request: gateways_pb2.ListGatewaysRequest, context: Context
    ) -> gateways_pb2.ListGatewaysResponse:
        views = await self._views.all()
        return gateways_pb2.ListGatewaysResponse(gateways=[gateway_messages.gateway(view) for view in views])

    async def GetGateway(self, request: gateways_pb2.GetGatewayRequest, context: Context) -> gateways_pb2.Gateway:
        return gateway_messages.gateway(await self._views.get(ProfileName.parse(request.profile)))

    async def StartGateway(
        self, request: gateways_pb2.StartGatewayRequest, context: Context
    ) -> operations_pb2.Operation:
        name = ProfileName.parse(request.profile)
        return convert.operation(await self._gateways.start(name, requester(context)))

    async def StopGateway(
        self, request: gateways_pb2.StopGatewayRequest, context: Context
    ) -> operations_pb2.Operation:
        name = ProfileName.parse(request.profile)
        return convert.operation(await self._gateways.stop(name, requester(context)))

    async def RestartGateway(
        self, request: gateways_pb2.RestartGatewayRequest, context: Context
    ) -> operations_pb2.Operation:
        name = ProfileName.parse(request.profile)
        return convert.operation(await self._gateways.restart(name, requester(context)))

    async def DrainGateway(
        self, request: gateways_pb2.DrainGatewayRequest, context: Context
    ) -> operations_pb2.Operation:
        name = ProfileName.parse(request.profile)
        begun = await self._gateways.drain(name, requester(context), is_wanted=not request.cancel)
        return convert.operation(begun)

    async def ChangeGateways(
        self, request: gateways_pb2.ChangeGatewaysRequest, context: Context
    ) -> operations_pb2.Operation:
        if request.verb not in VERBS:
            raise ArgumentInvalid("nothing is asked for", hint="name a verb")
        order = FleetOrder(
            VERBS[request.verb],
            tuple(request.profiles),
            is_all=request.all,
            excluded=tuple(request.exclude),
            at_once=request.at_once,
        )
        return convert.operation(await self._fleet.change(order, requester(context)))

    async def EnableGateway(
        self, request: gateways_pb2.EnableGatewayRequest, context: Context
    ) -> gateways_pb2.Gateway:
        name = ProfileName.parse(request.profile)
        order = request.start_order if request.HasField("start_order") else None
        view = await self._gateways.enable(name, is_enabled=True, start_order=order, requester=requester(context))
        return gateway_messages.gateway(view)

    async def DisableGateway(
        self, request: gateways_pb2.DisableGatewayRequest, context: Context
    ) -> gateways_pb2.Gateway:
        name = ProfileName.parse(request.profile)
        return gateway_messages.gateway(
            await self._gateways.enable(name, is_enabled=False, requester=requester(context))
        )

    async def ExplainGateway(
        self, request: gateways_pb2.ExplainGatewayRequest, context: Context
    ) -> gateways_pb2.GatewayExplanation:
        explanation = await self._views.explain(ProfileName.parse(request.profile))
        return gateway_messages.explanation(explanation)

    async def ReadGatewayLog(
        self, request: gateways_pb2.ReadGatewayLogRequest, context: Context
    ) -> AsyncIterator[gateways_pb2.LogLine]:
        name = ProfileName.parse(request.profile)
        lines = request.lines if request.HasField("lines") else DEFAULT_LINES
        async for text in self._views.read_log(name, lines=lines, follow=request.follow):
            yield gateways_pb2.LogLine(text=text)
