"""Profiles: created, shown, set up, chosen and deleted, also across a daemon's death."""

import json

import pytest

from hermesd.domain.agent import ApiServer, ModelEndpoint, ProfileFacts, Setup
from hermesd.domain.creation import NewProfile
from hermesd.domain.errors import GatewayForeign, HermesError
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.profile import ProfileName
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]


async def create(house: House, name: str, **wanted: object) -> Operation:
    """Asks for a profile and lets everything happen."""
    new = NewProfile(ProfileName(name), **wanted)  # type: ignore[arg-type]
    return await house.now(await house.services.creations.create(new, REQUESTER))


async def delete(house: House, name: str, *, purge: bool = False) -> Operation:
    """Asks for a deletion and lets everything happen."""
    begun = await house.services.profiles.delete(ProfileName(name), purge=purge, requester=REQUESTER)
    return await house.now(begun)


async def record_running(house: House, kind: str, profile: str, parameters: list[object]) -> None:
    """What a daemon leaves that dies during an operation."""
    at_s = house.clock.now_s()
    await house.store.save_operation(
        Operation("cut-off-op-1", kind, profile, json.dumps(parameters), REQUESTER, at_s)
    )


async def test_set_up_hands_out_a_port_nobody_uses(house: House) -> None:
    """The HTTP API gets a port that no other profile has."""
    house.homes.add("writer")
    house.agent.known_facts["writer"] = ProfileFacts(api_server=ApiServer(is_enabled=True, port=8643))
    setup = Setup(enable_api_server=True)
    begun = await house.services.profiles.set_up(ProfileName("coder"), setup, REQUESTER)
    assert (await house.now(begun)).state is OperationState.SUCCEEDED
    assert (await house.services.profiles.get(ProfileName("coder"))).facts.api_server.port == 8644


async def test_a_key_reaches_the_agent_and_no_record(house: House) -> None:
    """The secret of an endpoint is in no operation and no event."""
    endpoint = ModelEndpoint("m", "http://127.0.0.1:1/v1", "MY_KEY", "sk-canary-0123456789")
    begun = await house.services.profiles.set_up(ProfileName("coder"), Setup(endpoint), REQUESTER)
    await house.now(begun)
    assert house.agent.setups == [("coder", Setup(endpoint))]
    recorded = repr(await house.store.operations(profile="", limit=100))
    recorded += repr(await house.store.events(after=0, profile="", limit=100))
    assert "canary" not in recorded + repr(endpoint)


async def test_set_up_of_a_running_gateway_says_when_it_takes_effect(house: House) -> None:
    """A change under a running gateway names the restart; no change says nothing."""
    await house.start("coder")
    setup = Setup(enable_api_server=True)
    for warnings in (("takes effect after: hermesctl gateway restart coder",), ()):
        begun = await house.services.profiles.set_up(ProfileName("coder"), setup, REQUESTER)
        assert (await house.now(begun)).warnings == warnings


async def test_deleting_ends_the_gateway_and_removes_everything(house: House) -> None:
    """Gateway, home, alias and sticky default are gone; the data is in the trash."""
    await create(house, "writer")
    await house.services.profiles.use(ProfileName("writer"))
    await house.start("writer")
    done = await delete(house, "writer")
    assert done.state is OperationState.SUCCEEDED
    assert list(house.backend.alive) == []
    assert house.homes.find(ProfileName("writer")) is None
    assert house.aliases.scan() == []
    assert house.homes.sticky_text is None
    assert len(house.homes.trash) == 1
    assert await house.store.gateways() == []


async def test_purging_keeps_nothing(house: House) -> None:
    """With purge the data and the captured output are gone as well."""
    await create(house, "writer")
    await house.start("writer")
    profile_id = (await house.record("writer")).profile_id
    house.logs.write(profile_id, "private\n")
    await delete(house, "writer", purge=True)
    assert house.homes.trash == {}
    assert [path.name for path in house.backend.forgotten] == [f"{profile_id}.lock"]
    assert house.logs.tail(profile_id, 10) == []


async def test_a_name_can_be_used_again_after_a_deletion(house: House) -> None:
    """The new profile of an old name has another id and inherits no wish."""
    await create(house, "writer")
    await house.start("writer")
    old_id = (await house.record("writer")).profile_id
    await delete(house, "writer", purge=True)
    await create(house, "writer")
    record = await house.record("writer")
    assert record.profile_id != old_id
    assert not record.gateway.wanted_up


async def test_the_default_profile_cannot_be_deleted(house: House) -> None:
    """It holds all others."""
    with pytest.raises(HermesError) as caught:
        await delete(house, "default")
    assert caught.value.reason == "PROFILE_NAME_INVALID"


async def test_a_profile_with_a_foreign_gateway_is_not_deleted(house: House) -> None:
    """Data is not taken from under a process that is not ours to stop."""
    house.agent.foreign["coder"] = 4711
    done = await delete(house, "coder")
    assert failure(done) == GatewayForeign.reason
    assert house.homes.find(ProfileName("coder")) is not None


async def test_an_alias_that_is_not_ours_survives(house: House) -> None:
    """A wrapper that hermes-agent wrote is not removed by us."""
    house.aliases.add_upstream("coder", "coder")
    await delete(house, "coder")
    assert [alias.name for alias in house.aliases.scan()] == ["coder"]


async def test_a_deletion_that_was_cut_off_is_finished(house: House) -> None:
    """Whatever had been done, the next daemon leaves nothing of the profile."""
    await create(house, "writer")
    profile_id = (await house.record("writer")).profile_id
    house.homes.drop("writer")
    await record_running(house, "profile.delete", "writer", [profile_id, True])
    await house.reopen()
    assert house.aliases.scan() == []


async def test_the_sticky_default_can_be_set_and_cleared(house: House) -> None:
    """`use` answers with what was before; an unknown profile is refused."""
    profiles = house.services.profiles
    assert await profiles.use(ProfileName("coder")) == (ProfileName("default"), ProfileName("coder"))
    assert await profiles.use(ProfileName("default")) == (ProfileName("coder"), ProfileName("default"))
    with pytest.raises(HermesError):
        await profiles.use(ProfileName("nobody"))


async def test_the_sticky_default_can_be_toggled(house: House) -> None:
    """Going back is a choice like any other; without a choice before, or after its deletion, it is refused."""
    profiles = house.services.profiles
    coder, default = ProfileName("coder"), ProfileName("default")
    with pytest.raises(HermesError) as caught:
        await profiles.use_previous()
    assert caught.value.reason == "NOT_FOUND"
    await profiles.use(coder)
    assert await profiles.use_previous() == (coder, default)
    assert await profiles.use_previous() == (default, coder)
    await profiles.use(default)
    house.homes.drop("coder")
    with pytest.raises(HermesError) as caught:
        await profiles.use_previous()
    assert caught.value.reason == "PROFILE_NOT_FOUND"


async def test_a_sticky_default_that_is_gone_can_be_left(house: House) -> None:
    """Whatever hermes-agent left in the file, the next choice replaces it, and says what it was."""
    house.homes.sticky_text = "gone\n"
    assert await house.services.profiles.use(ProfileName("default")) == (
        ProfileName("gone"),
        ProfileName("default"),
    )
    assert house.homes.sticky_text is None


async def test_profiles_of_hermes_agent_are_simply_there(house: House) -> None:
    """What another program made is listed, the default first."""
    house.homes.add("zoe")
    house.homes.add("abe")
    names = [view.known.home.name.text for view in await house.services.profiles.all()]
    assert names == ["default", "abe", "coder", "zoe"]
