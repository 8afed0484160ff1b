# ruff: noqa: N802 - the contract names the methods
"""Gateways as the client's stand-in daemon keeps them: their claims, output and use."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import grpc

from hermesd.v1 import (
    claims_pb2,
    claims_pb2_grpc,
    errors_pb2,
    gateways_pb2,
    gateways_pb2_grpc,
    logs_pb2,
    logs_pb2_grpc,
    operations_pb2,
    samples_pb2,
    samples_pb2_grpc,
)
from tests.fakes.contract import at, gateway
from tests.fakes.world import Refusal, Servicer, refuse, wait_until_cancelled


class Gateways(Servicer, gateways_pb2_grpc.GatewaysServiceServicer):
    """Gateways from memory."""

    def ListGateways(
        self, request: gateways_pb2.ListGatewaysRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.ListGatewaysResponse:
        self.world.enter(context, request)
        return gateways_pb2.ListGatewaysResponse(gateways=[one.gateway for one in self.world.profiles.values()])

    def GetGateway(
        self, request: gateways_pb2.GetGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.Gateway:
        self.world.enter(context, request)
        return self.world.find(context, request.profile).gateway

    def StartGateway(
        self, request: gateways_pb2.StartGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        return self._change("gateway.start", request.profile, gateways_pb2.GATEWAY_STATE_READY, context)

    def StopGateway(
        self, request: gateways_pb2.StopGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        return self._change("gateway.stop", request.profile, gateways_pb2.GATEWAY_STATE_STOPPED, context)

    def RestartGateway(
        self, request: gateways_pb2.RestartGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        return self._change("gateway.restart", request.profile, gateways_pb2.GATEWAY_STATE_READY, context)

    def ReadGatewayLog(
        self, request: gateways_pb2.ReadGatewayLogRequest, context: grpc.ServicerContext
    ) -> Iterator[gateways_pb2.LogLine]:
        self.world.enter(context, request)
        self.world.find(context, request.profile)
        for line in self.world.log[len(self.world.log) - request.lines :] if request.lines else []:
            yield gateways_pb2.LogLine(text=line)
        if request.follow and "log" in self.world.hanging:
            wait_until_cancelled(context)

    def EnableGateway(
        self, request: gateways_pb2.EnableGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.Gateway:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        found.enabled = True
        if request.HasField("start_order"):
            found.start_order = request.start_order
        return found

    def DisableGateway(
        self, request: gateways_pb2.DisableGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.Gateway:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        found.enabled = False
        return found

    def DrainGateway(
        self, request: gateways_pb2.DrainGatewayRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        if not found.HasField("process"):
            message, fix = f"gateway '{found.profile}' does not run", f"hermesctl gateway start {found.profile}"
            refuse(context, Refusal("GATEWAY_NOT_RUNNING", message, {"profile": found.profile, "fix": fix}))
        state = gateways_pb2.GATEWAY_STATE_READY if request.cancel else gateways_pb2.GATEWAY_STATE_DRAINING
        kind = "gateway.undrain" if request.cancel else "gateway.drain"

        def effect() -> None:
            found.state = state

        return self.world.begin(kind, request.profile, effect)

    def ChangeGateways(
        self, request: gateways_pb2.ChangeGatewaysRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.world.enter(context, request)
        words = ["*"] if request.all else request.profiles
        named = {name for name in words if "*" not in name}
        for name in named:
            self.world.find(context, name)
        fitting = [name for name in self.world.profiles if any(fnmatchcase(name, word) for word in words)]
        left = [name for name in fitting if not any(fnmatchcase(name, word) for word in request.exclude)]
        if not left:
            message = f"no profile fits '{words[0]}'"
            refuse(context, Refusal("PROFILE_NOT_FOUND", message, code=grpc.StatusCode.NOT_FOUND))
        verb = gateways_pb2.GatewayVerb.Name(request.verb).removeprefix("GATEWAY_VERB_").lower()

        def effect() -> None:
            for name in left:
                result = begun.results.add(profile=name)
                if refusal := self.world.unchanged.get(name):
                    result.error.reason = errors_pb2.Reason.Value(f"REASON_{refusal.reason}")
                    result.error.message = refusal.message
                    result.error.metadata.update(refusal.metadata)
                elif name in self.world.skipped and name not in named:
                    result.is_skipped, result.summary = True, self.world.skipped[name]
                else:
                    result.summary = self.world.changed.get(name, f"{verb} in 2.1 s")

        begun = self.world.begin(f"gateways.{verb}", "", effect)
        return begun

    def ExplainGateway(
        self, request: gateways_pb2.ExplainGatewayRequest, context: grpc.ServicerContext
    ) -> gateways_pb2.GatewayExplanation:
        self.world.enter(context, request)
        found = self.world.find(context, request.profile).gateway
        exits = [found.last_exit] if found.HasField("last_exit") else []
        return gateways_pb2.GatewayExplanation(
            gateway=found, exits=exits, last_lines=self.world.log, dumps=self.world.dumps
        )

    def _change(
        self,
        kind: str,
        name: str,
        state: gateways_pb2.GatewayState.ValueType,
        context: grpc.ServicerContext,
    ) -> operations_pb2.Operation:
        found = self.world.find(context, name)
        return self.world.begin(kind, name, lambda: found.gateway.CopyFrom(gateway(name, state)))


class Claims(Servicer, claims_pb2_grpc.ClaimsServiceServicer):
    """Claims from memory."""

    def ListClaims(
        self, request: claims_pb2.ListClaimsRequest, context: grpc.ServicerContext
    ) -> claims_pb2.ListClaimsResponse:
        self.world.enter(context, request)
        found = [one for one in self.world.claims if request.about in {"", *_names_of(one)}]
        return claims_pb2.ListClaimsResponse(claims=found)


def _names_of(claim: claims_pb2.Claim) -> set[str]:
    users = {use.profile for use in claim.uses}
    return {claim.platform, claim.masked, claim.masked.partition("…")[0], str(claim.port), *users}


class Logs(Servicer, logs_pb2_grpc.LogsServiceServicer):
    """Records from memory. What is looked for and asked for by number is; nothing else narrows them."""

    def ReadLogs(
        self, request: logs_pb2.ReadLogsRequest, context: grpc.ServicerContext
    ) -> Iterator[logs_pb2.ReadLogsResponse]:
        self.world.enter(context, request)
        for name in request.profiles:
            self.world.find(context, name)
        names = list(request.profiles) or [""]
        printed = [
            logs_pb2.LogRecord(
                profile=name, source=logs_pb2.LOG_SOURCE_GATEWAY, at=at(60), is_rough=True, text=text
            )
            for name in names[:1]
            for text in self.world.log
        ]
        found = [one for one in [*self.world.records, *printed] if one.profile in names]
        wanted = list(request.contains) or [""]
        found = [one for one in found if any(part in f"{one.logger}: {one.text}" for part in wanted)]
        if request.HasField("lines"):
            found = found[len(found) - request.lines :] if request.lines else []
        yield logs_pb2.ReadLogsResponse(records=found, notices=self.world.notices)
        if request.follow:
            yield logs_pb2.ReadLogsResponse(is_caught_up=True)
            for one in self.world.coming:
                yield logs_pb2.ReadLogsResponse(records=[one])
            if "log" in self.world.hanging:
                wait_until_cancelled(context)


class Samples(Servicer, samples_pb2_grpc.SamplesServiceServicer):
    """What gateways used, from memory."""

    def ListSamples(
        self, request: samples_pb2.ListSamplesRequest, context: grpc.ServicerContext
    ) -> samples_pb2.ListSamplesResponse:
        self.world.enter(context, request)
        self.world.find(context, request.profile)
        found = [one for moment in self.world.sampled for one in moment if one.profile == request.profile]
        return samples_pb2.ListSamplesResponse(samples=found)

    def WatchSamples(
        self, request: samples_pb2.WatchSamplesRequest, context: grpc.ServicerContext
    ) -> Iterator[samples_pb2.WatchSamplesResponse]:
        self.world.enter(context, request)
        for moment in self.world.sampled:
            found = [one for one in moment if request.profile in {"", one.profile}]
            yield samples_pb2.WatchSamplesResponse(samples=found)
        if "samples" in self.world.hanging:
            wait_until_cancelled(context)
