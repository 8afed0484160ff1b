"""Environments over a real socket: origins, what is left out, and no secret of anybody's."""

import os

import pytest

from hermesd.api.environments import ORIGINS, REMOVALS
from hermesd.domain.agent import ProfileFacts
from hermesd.domain.digests import digest
from hermesd.domain.environment import Removal
from hermesd.services.environments import Origin
from hermesd.v1 import environments_pb2 as v1
from hermesd.v1 import environments_pb2_grpc, terminals_pb2, terminals_pb2_grpc
from tests.api.serving import Served

pytestmark = [pytest.mark.fast, pytest.mark.api]

CANARY = "sk-canary-0123456789"


async def test_a_gateways_environment_names_origins_and_hides_values(served: Served) -> None:
    """Nothing is said of a caller, and no secret of anybody's."""
    served.house.agent.known_facts["coder"] = ProfileFacts(env_names=("OPENAI_API_KEY",))
    stub = environments_pb2_grpc.EnvironmentsServiceStub(served.channel)
    told = await stub.DescribeEnvironment(v1.DescribeEnvironmentRequest(profile="Coder", environment_names=["X"]))
    origins = {one.name: one.origin for one in told.variables}
    assert origins["HOME"] == v1.ENVIRONMENT_ORIGIN_ACCOUNT
    assert origins["HERMES_HOME"] == v1.ENVIRONMENT_ORIGIN_AGENT
    assert origins["OPENAI_API_KEY"] == v1.ENVIRONMENT_ORIGIN_PROFILE
    assert "X" not in origins
    assert (list(told.removed), told.foreign_secrets) == ([], v1.ForeignSecrets())


async def test_commands_are_told_secrets_of_others_by_digests_alone(served: Served) -> None:
    """Of each answer with another salt, or they could be compared."""
    served.house.homes.add("worker")
    served.house.agent.known_secrets["worker"] = [CANARY]
    request = v1.DescribeEnvironmentRequest(
        profile="coder",
        purpose=v1.ENVIRONMENT_PURPOSE_COMMAND,
        environment_names=["A", "HERMES_X", "SLACK_APP_TOKEN"],
    )
    told = await environments_pb2_grpc.EnvironmentsServiceStub(served.channel).DescribeEnvironment(request)
    assert [(one.name, one.why) for one in told.removed] == [
        ("HERMES_X", v1.ENVIRONMENT_REMOVAL_STEERING),
        ("SLACK_APP_TOKEN", v1.ENVIRONMENT_REMOVAL_BOT),
    ]
    served.house.processes.add(os.getpid())
    opening = terminals_pb2.OpenTerminalRequest(profile="coder", pid=os.getpid(), arguments=["chat"])
    opened = await terminals_pb2_grpc.TerminalsServiceStub(served.channel).OpenTerminal(opening)
    for answer in (told, opened):
        foreign = answer.foreign_secrets
        assert list(foreign.digests) == [digest(foreign.salt, CANARY)]
        assert CANARY.encode() not in answer.SerializeToString()


def test_every_origin_and_reason_can_be_told() -> None:
    """The tables of the border are whole."""
    assert ORIGINS.keys() == set(Origin)
    assert REMOVALS.keys() == set(Removal)
