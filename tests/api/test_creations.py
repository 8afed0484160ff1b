"""Making profiles through the API: plans, clones, codes and reasons."""

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.grants import Grant, Renewal
from hermesd.v1 import operations_pb2, operations_pb2_grpc, profiles_pb2, profiles_pb2_grpc
from tests.api.serving import Served
from tests.api.test_server import refusal

pytestmark = [pytest.mark.fast, pytest.mark.api]

Create = profiles_pb2.CreateProfileRequest
Plan = profiles_pb2.PlanCreationRequest

REFUSALS = [
    (Create(profile=""), "PROFILE_REQUIRED", grpc.StatusCode.INVALID_ARGUMENT),
    (Create(profile="../etc"), "PROFILE_NAME_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
    (Create(profile="hermes"), "PROFILE_NAME_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
    (Create(profile="coder"), "PROFILE_EXISTS", grpc.StatusCode.ALREADY_EXISTS),
    (Create(profile="writer", clone_from="../etc"), "PROFILE_NAME_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
    (Create(profile="writer", clone_from="codr"), "PROFILE_NOT_FOUND", grpc.StatusCode.NOT_FOUND),
    (
        Create(profile="writer", clone_from="coder", no_skills=True),
        "ARGUMENT_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    (
        Create(profile="writer", clone_from="coder", clone_extent=77),  # type: ignore[arg-type]
        "ARGUMENT_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    (Create(profile="writer", model="a\nb"), "ARGUMENT_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
    (Create(profile="writer", description="x" * 501), "ARGUMENT_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
]


@pytest.mark.parametrize(("request_", "reason", "code"), REFUSALS, ids=lambda one: str(one)[:40])
async def test_the_plan_and_the_deed_are_refused_alike(
    served: Served, request_: Create, reason: str, code: grpc.StatusCode
) -> None:
    """With the same code and reason."""
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    for call in (stub.CreateProfile(request_), stub.PlanCreation(Plan(profile=request_.profile, create=request_))):
        found, info = await refusal(call)
        assert (found, info.reason, info.domain) == (code, reason, "hermesd")


async def test_a_plan_names_one_profile(served: Served) -> None:
    """The request may leave its name out, and must not name another one."""
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    assert (await stub.PlanCreation(Plan(profile="writer", create=Create()))).profile == "writer"
    _, info = await refusal(stub.PlanCreation(Plan(profile="writer", create=Create(profile="poet"))))
    assert info.reason == "ARGUMENT_INVALID"


async def test_a_clone_is_planned_and_made(served: Served) -> None:
    """Every field of the request reaches the agent; what is shared is in the plan, by name and not by value."""
    served.house.agent.known_claims["coder"] = [Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "01" * 32)]
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    wanted = Create(
        profile="writer",
        clone_from="coder",
        clone_extent=profiles_pb2.CLONE_EXTENT_EVERYTHING,
        keep_cron=True,
        model="m",
        description="Writes",
    )
    plan = await stub.PlanCreation(Plan(profile="writer", create=wanted))
    assert MessageToDict(plan) == {
        "profile": "writer",
        "path": "/nowhere/.hermes/profiles/writer",
        "steps": [
            {"verb": "copy", "what": "everything of coder"},
            {"verb": "set", "what": "model m"},
            {"verb": "alias", "what": "writer → hermesctl -p writer"},
        ],
        "shared": [{"platform": "telegram", "variable": "TELEGRAM_BOT_TOKEN", "profiles": ["coder"]}],
    }
    begun = await stub.CreateProfile(wanted)
    watching = operations_pb2_grpc.OperationsServiceStub(served.channel).WatchOperation(
        operations_pb2.WatchOperationRequest(id=begun.id)
    )
    done = [operation async for operation in watching][-1]
    assert done.state == operations_pb2.OPERATION_STATE_SUCCEEDED
    assert done.warnings[0].startswith("shared with coder: TELEGRAM_BOT_TOKEN")
    assert served.house.agent.clones == [("coder", "writer", CloneOrder(Extent.EVERYTHING, keeps_cron=True))]
    made = await stub.GetProfile(profiles_pb2.GetProfileRequest(profile="writer"))
    assert made.model == "m"
    assert "Writes" in served.house.homes.files_of("writer")["profile.yaml"]


async def test_a_login_that_would_be_shared_is_planned_and_shown(served: Served) -> None:
    """With what will happen and what can be done; of its token only what people see."""
    login = ("auth", "add", "anthropic")
    served.house.agent.known_grants["coder"] = [Grant("anthropic", "auth.json", "ab" * 32, Renewal.ENDS, login)]
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    everything = profiles_pb2.CLONE_EXTENT_EVERYTHING
    wanted = Create(profile="writer", clone_from="coder", clone_extent=everything)
    (told,) = (await stub.PlanCreation(Plan(profile="writer", create=wanted))).grants
    assert (told.provider, told.source, told.masked) == ("anthropic", "auth.json", "sha256:abab…ab")
    assert told.profiles == ["coder"]
    assert told.consequence.startswith("whichever profile renews it first logs the others out")
    assert told.fix == "hermesctl -p writer auth add anthropic"
    served.house.agent.known_grants["default"] = served.house.agent.known_grants["coder"]
    (shown,) = (await stub.GetProfile(profiles_pb2.GetProfileRequest(profile="coder"))).grants
    assert list(shown.profiles) == ["default"]
    assert shown.fix == "hermesctl -p coder auth add anthropic"
    listed = (await stub.ListProfiles(profiles_pb2.ListProfilesRequest())).profiles
    assert not any(one.grants for one in listed)


async def test_settings_are_what_is_cloned_unless_more_is_asked_for(served: Served) -> None:
    """An unset extent is the smaller one; channels can be left out."""
    stub = profiles_pb2_grpc.ProfilesServiceStub(served.channel)
    await stub.CreateProfile(Create(profile="writer", clone_from="coder", strip_channels=True))
    await served.house.clock.settle()
    assert served.house.agent.clones == [("coder", "writer", CloneOrder(Extent.SETTINGS, has_channels=False))]
