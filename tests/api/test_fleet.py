"""Many gateways at once, drains and the order of starts, as the contract tells them."""

import asyncio

import grpc
import pytest

from hermesd.domain.process import Phase, Probe
from hermesd.v1 import errors_pb2, operations_pb2, operations_pb2_grpc
from hermesd.v1 import gateways_pb2 as v1
from hermesd.v1.gateways_pb2_grpc import GatewaysServiceStub
from tests.api.serving import Served

pytestmark = [pytest.mark.fast, pytest.mark.api]


async def finished(served: Served, begun: operations_pb2.Operation) -> operations_pb2.Operation:
    """The operation once it has ended."""
    stub = operations_pb2_grpc.OperationsServiceStub(served.channel)
    watch = stub.WatchOperation(operations_pb2.WatchOperationRequest(id=begun.id))
    return [current async for current in watch][-1]


async def test_results_say_what_became_of_each(served: Served) -> None:
    """Done, skipped, failed: told apart by fields, not by words; and who asked."""
    stub = GatewaysServiceStub(served.channel)
    served.house.homes.add("mine")
    served.house.agent.foreign["mine"] = 4711
    request = v1.ChangeGatewaysRequest(verb=v1.GATEWAY_VERB_START, profiles=["*"], exclude=["def*"], at_once=1)
    served.house.homes.add("off")
    await stub.DisableGateway(v1.DisableGatewayRequest(profile="off"))
    begun = await stub.ChangeGateways(request, metadata=(("hermesd-requester", "a script"),))
    done = await finished(served, begun)
    assert (done.kind, done.requester, done.profile) == ("gateways.start", "a script", "")
    assert done.state == operations_pb2.OPERATION_STATE_SUCCEEDED
    coder, mine, off = done.results
    assert (coder.profile, coder.HasField("error"), coder.is_skipped) == ("coder", False, False)
    assert (mine.profile, mine.error.reason) == ("mine", errors_pb2.REASON_GATEWAY_FOREIGN)
    assert (off.profile, off.summary, off.is_skipped) == ("off", "disabled", True)


@pytest.mark.parametrize(
    "request_",
    [
        v1.ChangeGatewaysRequest(profiles=["coder"]),
        v1.ChangeGatewaysRequest(verb=v1.GATEWAY_VERB_STOP),
        v1.ChangeGatewaysRequest(verb=v1.GATEWAY_VERB_STOP, profiles=["coder"], all=True),
    ],
    ids=["no verb", "nobody", "all and some"],
)
async def test_what_means_nothing_is_refused(served: Served, request_: v1.ChangeGatewaysRequest) -> None:
    """Before anything is done."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await GatewaysServiceStub(served.channel).ChangeGateways(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_gateway_drains_and_takes_turns_again(served: Served) -> None:
    """Each is an operation; one that does not run is a precondition that fails."""
    stub = GatewaysServiceStub(served.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.DrainGateway(v1.DrainGatewayRequest(profile="coder"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    await finished(served, await stub.StartGateway(v1.StartGatewayRequest(profile="coder")))
    for cancel, kind in ((False, "gateway.drain"), (True, "gateway.undrain")):
        done = await finished(
            served, await stub.DrainGateway(v1.DrainGatewayRequest(profile="coder", cancel=cancel))
        )
        assert (done.kind, done.state) == (kind, operations_pb2.OPERATION_STATE_SUCCEEDED)
        assert served.house.agent.drained["coder"] is not cancel


async def test_the_order_of_starts_is_set_and_stays(served: Served) -> None:
    """Unset leaves it; 0 is an order like any other."""
    stub = GatewaysServiceStub(served.channel)
    for given, expected in ((-7, -7), (None, -7), (0, 0)):
        request = v1.EnableGatewayRequest(profile="coder", start_order=given)
        assert (await stub.EnableGateway(request)).start_order == expected


async def test_a_caller_that_hangs_up_changes_nothing(served: Served) -> None:
    """As a tool does that runs inside the very gateway that is restarted: its operation goes on without it."""
    stub = GatewaysServiceStub(served.channel)
    await finished(served, await stub.StartGateway(v1.StartGatewayRequest(profile="coder")))
    served.house.agent.probes["coder"] = [Probe(Phase.STARTING)]
    alone = v1.RestartGatewayRequest(profile="coder")
    everybody = v1.ChangeGatewaysRequest(verb=v1.GATEWAY_VERB_RESTART, all=True)
    first = await stub.RestartGateway(alone)
    many, same = await asyncio.gather(stub.ChangeGateways(everybody), stub.ChangeGateways(everybody))
    assert many.id == same.id
    hung_up = operations_pb2_grpc.OperationsServiceStub(served.channel).WatchOperation(
        operations_pb2.WatchOperationRequest(id=many.id)
    )
    await hung_up.read()
    hung_up.cancel()
    served.house.agent.probes["coder"] = [Probe(Phase.READY)]
    await served.house.clock.advance(1)
    for begun in (first, many):
        assert (await finished(served, begun)).state == operations_pb2.OPERATION_STATE_SUCCEEDED
    assert len(served.house.backend.specs) == 2
