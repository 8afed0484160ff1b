"""What the contract says of a gateway's health: its state, and its layers with their ages."""

from dataclasses import replace

import pytest

from hermesd.domain.health import Condition, assess
from hermesd.domain.process import Phase, Probe, Sign
from hermesd.v1 import gateways_pb2 as v1
from hermesd.v1 import gateways_pb2_grpc
from tests.api.serving import Served

pytestmark = [pytest.mark.fast, pytest.mark.api]

TELEGRAM = Sign("telegram", is_well=False, word="retrying", detail="timed out", is_platform=True)


async def gateway(served: Served) -> v1.Gateway:
    """The one of the profile coder."""
    stub = gateways_pb2_grpc.GatewaysServiceStub(served.channel)
    return await stub.GetGateway(v1.GetGatewayRequest(profile="coder"))


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        (Condition.WELL, v1.GATEWAY_STATE_READY),
        (Condition.DEGRADED, v1.GATEWAY_STATE_DEGRADED),
        (Condition.DRAINING, v1.GATEWAY_STATE_DRAINING),
        (Condition.HUNG, v1.GATEWAY_STATE_HUNG),
    ],
)
async def test_a_condition_is_a_state(
    served: Served, monkeypatch: pytest.MonkeyPatch, condition: Condition, state: v1.GatewayState.ValueType
) -> None:
    """With what it suffers from."""
    monkeypatch.setattr(
        "hermesd.services.checkups.assess",
        lambda *known: replace(assess(*known), condition=condition, detail="a reason"),
    )
    await served.house.start("coder")
    found = await gateway(served)
    assert (found.state, found.detail) == (state, "a reason")


async def test_layers_arrive_with_their_ages(served: Served) -> None:
    """One without a sign has none, which is not zero."""
    house = served.house
    signs = (replace(TELEGRAM, at_s=house.clock.now_s() - 2.5),)
    house.agent.probes["coder"] = [Probe(Phase.READY, signs=signs, beats={"heartbeat": -1.5})]
    await house.start("coder")
    health = (await gateway(served)).health
    process, heartbeat, telegram = health.parts
    assert (process.name, process.word, process.is_well, process.HasField("age")) == (
        "process",
        "alive",
        True,
        False,
    )
    assert (heartbeat.name, heartbeat.word, heartbeat.age.ToTimedelta().total_seconds()) == (
        "heartbeat",
        "beats",
        1.5,
    )
    assert (telegram.name, telegram.word, telegram.detail) == ("telegram", "retrying", "timed out")
    assert (telegram.is_well, telegram.is_platform) == (False, True)
    assert telegram.age.ToTimedelta().total_seconds() == 2.5
    assert health.HasField("age")


async def test_a_gateway_that_does_not_run_has_no_health(served: Served) -> None:
    """Absent, not empty."""
    assert not (await gateway(served)).HasField("health")
