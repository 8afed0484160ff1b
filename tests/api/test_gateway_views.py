"""Gateways of others and dumps as a client sees them."""

import pytest

from hermesd.domain.process import ExitCause, Foreign
from hermesd.domain.profile import ProfileName
from hermesd.v1 import gateways_pb2, gateways_pb2_grpc
from tests.adapters.hermes_homes import myself
from tests.api.serving import Served

pytestmark = [pytest.mark.fast, pytest.mark.api]

CODER = gateways_pb2.GetGatewayRequest(profile="coder")


async def test_a_foreign_gateway_arrives_in_detail(served: Served) -> None:
    """Whose it is, since when, what keeps it, and the line that ends it."""
    stub = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    served.house.agent.foreign["coder"] = Foreign(4711, "ana", 1.5, "x.service", "/dev/pts/3", "kill -TERM 4711")
    found = await stub.GetGateway(CODER)
    assert found.state == gateways_pb2.GATEWAY_STATE_FOREIGN
    assert found.foreign.started_at.ToNanoseconds() == 1_500_000_000
    assert (found.foreign.pid, found.foreign.owner, found.foreign.unit) == (4711, "ana", "x.service")
    assert (found.foreign.tty, found.foreign.resolution) == ("/dev/pts/3", "kill -TERM 4711")
    served.house.agent.foreign["coder"] = Foreign(4711, resolution="kill -TERM 4711")
    assert not (await stub.GetGateway(CODER)).foreign.HasField("started_at")
    del served.house.agent.foreign["coder"]
    found = await stub.GetGateway(CODER)
    assert not found.HasField("foreign")


async def test_dumps_arrive_newest_first(served: Served) -> None:
    """With where they are, when and why they were taken."""
    stub = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    id_ = (await served.house.services.profiles.get(ProfileName("coder"))).known.id
    for cause in (ExitCause.HUNG, ExitCause.UNWELL):
        await served.house.dumps.keep(id_, myself(), cause, "", [])
    newest, oldest = (await stub.ExplainGateway(gateways_pb2.ExplainGatewayRequest(profile="coder"))).dumps
    assert (newest.cause, oldest.cause) == (gateways_pb2.EXIT_CAUSE_UNWELL, gateways_pb2.EXIT_CAUSE_HUNG)
    assert newest.path.endswith("-unwell.txt")
    assert newest.at.seconds == 1
    assert newest.size_bytes > 0
