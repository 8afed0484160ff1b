"""What the contract says of profiles: sizes, plans of deletions, names for people, and what is no profile."""

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.cloning import Credential
from hermesd.domain.profile import ProfileName
from hermesd.domain.usage import Holdings, Leftover
from hermesd.v1 import profiles_pb2 as v1
from hermesd.v1 import profiles_pb2_grpc
from tests.api.serving import Served

pytestmark = [pytest.mark.fast, pytest.mark.api]


def stub(served: Served) -> "profiles_pb2_grpc.ProfilesServiceAsyncStub":
    """The calls about profiles."""
    return profiles_pb2_grpc.ProfilesServiceStub(served.channel)


async def test_what_is_known_of_a_profile_arrives(served: Served) -> None:
    """Names of variables and fingerprints; channels with the one profile that was asked for alone."""
    house = served.house
    house.agent.known_facts["coder"] = ProfileFacts(
        display_name="Desk", description="x", description_is_generated=True, has_env=True, env_names=("A", "B"),
        has_soul=True, key_env="A", has_key=True,
    )  # fmt: skip
    house.agent.known_credentials["coder"] = [Credential("telegram", "T", "ab12cd34ef9f")]
    house.homes.strays["My Bot"] = "a reason"
    found = await stub(served).GetProfile(v1.GetProfileRequest(profile="coder"))
    assert (found.display_name, found.description_is_generated, list(found.env_names)) == (
        "Desk",
        True,
        ["A", "B"],
    )
    assert (found.has_env, found.has_soul, found.key_env, found.has_key) == (True, True, "A", True)
    assert [(one.platform, one.fingerprint) for one in found.channels] == [("telegram", "ab12cd34ef9f")]
    listed = await stub(served).ListProfiles(v1.ListProfilesRequest())
    assert not listed.profiles[1].channels
    assert [(one.path, one.why) for one in listed.ignored] == [("/nowhere/.hermes/profiles/My Bot", "a reason")]


async def test_a_size_and_a_plan_arrive(served: Served) -> None:
    """What is not known is absent, which is not zero."""
    house = served.house
    house.homes.add("coder", {"a": "xxx", "b": "x"})
    usage = await stub(served).MeasureProfile(v1.MeasureProfileRequest(profile="coder"))
    assert (usage.bytes, [part.name for part in usage.parts], usage.is_partial) == (4, ["a", "b"], False)
    no_time = v1.MeasureProfileRequest(profile="coder", limit=Duration())
    assert (await stub(served).MeasureProfile(no_time)).is_partial
    house.agent.known_holdings["coder"] = Holdings(None, 3, 5, "somewhere")
    house.agent.known_leftovers["coder"] = [Leftover("a unit", "take it away")]
    plan = await stub(served).PlanDeletion(v1.PlanDeletionRequest(profile="coder"))
    assert not plan.HasField("session_count")
    assert (plan.job_count, plan.secret_count, plan.origin, plan.usage.bytes) == (3, 5, "somewhere", 4)
    assert plan.kept_for.seconds == 7 * 86_400
    assert [(one.message, one.fix) for one in plan.leftovers] == [("a unit", "take it away")]
    purged = await stub(served).PlanDeletion(v1.PlanDeletionRequest(profile="coder", purge=True))
    assert not purged.HasField("kept_for")


async def test_a_name_for_people_is_set_or_refused(served: Served) -> None:
    """The profile arrives as it is now."""
    request = v1.SetDisplayNameRequest(profile="default", display_name="Desk")
    found = await stub(served).SetDisplayName(request)
    assert (found.name, found.display_name) == ("default", "Desk")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub(served).SetDisplayName(v1.SetDisplayNameRequest(profile="default", display_name="\x1b"))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_profiles_are_compared(served: Served) -> None:
    """What only one of them has is unset for the other."""
    coder = served.house.homes.find(ProfileName("coder"))
    assert coder is not None
    served.house.agent.config_files.files[coder.path / "config.yaml"] = b"level=1\n"
    request = v1.CompareProfilesRequest(profile="coder", other="default")
    found = (await stub(served).CompareProfiles(request)).differences
    assert [(one.category, one.key, one.left, one.HasField("right")) for one in found] == [
        ("setting", "level", "1", False)
    ]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub(served).CompareProfiles(v1.CompareProfilesRequest(profile="coder"))
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
