"""Ports of profiles: given out once, changed only where they must be, and told."""

import asyncio

import pytest

from hermesd.domain.agent import ApiServer, ProfileFacts, Setup
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.cloning import CloneOrder
from hermesd.domain.creation import NewProfile, Step
from hermesd.domain.errors import ChangedMeanwhile, ConfigInvalid, DiskFull, PortInUse
from hermesd.domain.listening import PortMove
from hermesd.domain.operation import OperationState
from hermesd.domain.profile import ProfileName
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, WRITER, THIRD = ProfileName("coder"), ProfileName("writer"), ProfileName("third")


def webhook(port: int = 8644, *, is_usual: bool = True) -> Claim:
    """What a webhook claims."""
    return Claim(ClaimKind.PORT, "webhook", "WEBHOOK_PORT", port=port, is_usual=is_usual)


def api(port: int) -> ProfileFacts:
    """Facts of a profile with an API."""
    return ProfileFacts(api_server=ApiServer(is_enabled=True, port=port))


def clone_of(name: ProfileName, source: ProfileName = CODER, *, has_channels: bool = True) -> NewProfile:
    """A wish for a clone."""
    return NewProfile(name, source=source, order=CloneOrder(has_channels=has_channels), with_alias=False)


def claimed(house: House, name: str) -> list[int]:
    """The ports that a profile claims."""
    home = house.homes.find(ProfileName(name))
    assert home is not None
    return [claim.port for claim in house.agent.claims(home) if claim.kind is ClaimKind.PORT]


async def test_a_clone_gets_ports_of_its_own(house: House) -> None:
    """Told before, in the plan, and after."""
    await house.furnish("coder", "third")
    house.agent.known_facts["coder"] = api(8643)
    house.agent.known_claims["coder"] = [webhook(9000, is_usual=False)]
    house.agent.known_claims["third"] = [webhook(9001, is_usual=False)]
    house.sockets.listening = {8644}
    plan = await house.services.creations.plan(clone_of(WRITER))
    assert [step for step in plan.steps if step.verb == "set"] == [
        Step("set", "port 9002 for webhook: 'coder' has 9000"),
        Step("set", "port 8645 for api_server: 'coder' has 8643"),
    ]
    operation = await house.now(await house.services.creations.create(clone_of(WRITER), REQUESTER))
    assert operation.state is OperationState.SUCCEEDED
    assert claimed(house, "writer") == [9002, 8645]
    assert claimed(house, "coder") == [9000, 8643]
    assert "webhook listens on port 9002, since 'coder' has 9000" in operation.warnings


async def test_a_clone_without_channels_has_no_use_for_their_ports(house: House) -> None:
    """Nothing is told of them."""
    await house.furnish("coder")
    house.agent.known_claims["coder"] = [webhook()]
    plan = await house.services.creations.plan(clone_of(WRITER, has_channels=False))
    assert [step for step in plan.steps if step.verb == "set"] == []


async def test_clones_that_are_made_at_once_do_not_get_one_port(house: House) -> None:
    """Nobody can find the first home yet when the second one's port is chosen."""
    await house.furnish("coder")
    house.agent.known_facts["coder"] = api(8643)
    listening, source = house.services.listening, house.homes.find(CODER)
    assert source is not None
    async with (
        listening.promised(source, CloneOrder()) as first,
        listening.promised(source, CloneOrder()) as second,
    ):
        assert [one.port for one in (*first, *second)] == [8644, 8645]
        setup = Setup(enable_api_server=True)
        house.homes.add("third")
        await house.now(await house.services.profiles.set_up(THIRD, setup, REQUESTER))
        assert claimed(house, "third") == [8646]
    async with listening.promised(source, CloneOrder()) as later:
        assert [one.port for one in later] == [8644]


async def test_a_promise_ends_with_a_creation_that_fails(house: House) -> None:
    """Or ports would run out."""
    await house.furnish("coder")
    house.agent.known_facts["coder"] = api(8643)
    house.agent.moving_refusals["writer"] = DiskFull("no room")
    operation = await house.now(await house.services.creations.create(clone_of(WRITER), REQUESTER))
    assert failure(operation) == "DISK_FULL"
    assert house.homes.find(WRITER) is None
    await house.now(await house.services.creations.create(clone_of(THIRD), REQUESTER))
    assert claimed(house, "third") == [8644]


async def test_a_clone_whose_files_need_a_person_is_made_and_says_so(house: House) -> None:
    """It is worth having all the same."""
    await house.furnish("coder")
    house.agent.known_facts["coder"] = api(8643)
    house.agent.moving_refusals["writer"] = ConfigInvalid("cannot use .env: it must be edited by hand")
    operation = await house.now(await house.services.creations.create(clone_of(WRITER), REQUESTER))
    assert operation.state is OperationState.SUCCEEDED
    assert "cannot use .env: it must be edited by hand: 'coder' has port 8643 too" in operation.warnings


async def test_who_starts_on_a_usual_port_that_another_named_gets_another(house: House) -> None:
    """Written, told by the operation and in the history; the next start changes nothing."""
    await house.furnish("coder", "writer")
    house.agent.known_claims["coder"] = [webhook()]
    house.agent.known_claims["writer"] = [webhook(is_usual=False)]
    operation = await house.start("coder")
    what = "webhook listens on port 8645, since 'writer' has 8644"
    assert operation.warnings[0] == f"{what} (WEBHOOK_PORT); whatever calls it must call the new one"
    assert claimed(house, "coder") == [8645]
    events = await house.services.events.recent(profile="coder", limit=9)
    assert f"profile coder: {what}" in [one.message for one in events]
    await house.stop("coder")
    assert not any("8645" in one for one in (await house.start("coder")).warnings)


async def test_a_bridge_is_known_to_nobody_else(house: House) -> None:
    """So nobody has to be told of its new port."""
    await house.furnish("coder", "writer")
    bridge = Claim(ClaimKind.PORT, "whatsapp", "platforms.whatsapp.extra.bridge_port", port=3000, is_usual=True)
    house.agent.known_claims |= {"coder": [bridge], "writer": [bridge]}
    assert not any("port" in one for one in (await house.start("writer")).warnings)
    assert (await house.start("coder")).warnings[0].endswith("(platforms.whatsapp.extra.bridge_port)")
    assert (claimed(house, "writer"), claimed(house, "coder")) == ([3000], [3001])


async def test_a_usual_port_stays_while_nobody_is_in_the_way(house: House) -> None:
    """It is known elsewhere; also on a restart of who runs on it."""
    await house.furnish("coder", "writer")
    house.agent.known_claims |= {"coder": [webhook()], "writer": [webhook()]}
    await house.start("coder")
    house.agent.known_claims["writer"] = [webhook(is_usual=False)]
    await house.restart("coder")
    assert claimed(house, "coder") == [8644]


async def test_a_port_that_a_person_wrote_is_never_changed(house: House) -> None:
    """Whoever else has it: that is theirs to solve."""
    await house.furnish("coder", "writer")
    house.agent.known_claims |= {name: [webhook(9000, is_usual=False)] for name in ("coder", "writer")}
    await house.start("writer")
    await house.services.listening.settle((await house.services.profiles.get(CODER)).known)
    assert claimed(house, "coder") == [9000]


async def test_a_start_that_is_refused_changes_no_port(house: House) -> None:
    """Whoever merely asks whether it could start changes none either."""
    await house.furnish("coder", "writer")
    house.agent.known_claims |= {"coder": [webhook()], "writer": [webhook(is_usual=False)]}
    house.agent.foreign["coder"] = 4242
    with pytest.raises(Exception, match="4242"):
        await house.services.gateways.start(CODER, REQUESTER)
    del house.agent.foreign["coder"]
    await house.services.gateways.check(CODER)
    assert claimed(house, "coder") == [8644]


async def test_a_file_that_is_being_edited_is_looked_at_again(house: House) -> None:
    """A few times; then the start is refused, for nobody's text may be lost."""
    await house.furnish("coder", "writer")
    house.agent.known_claims |= {"coder": [webhook()], "writer": [webhook(is_usual=False)]}
    house.agent.moving_refusals["coder"] = ChangedMeanwhile("cannot write .env: somebody changed it meanwhile")
    with pytest.raises(ChangedMeanwhile):
        await house.services.gateways.start(CODER, REQUESTER)
    del house.agent.moving_refusals["coder"]
    await house.start("coder")
    assert claimed(house, "coder") == [8645]


async def test_starts_at_once_do_not_get_one_port(house: House) -> None:
    """What the first was given is claimed when the second looks."""
    await house.furnish("coder", "writer", "third")
    house.agent.known_claims |= {"coder": [webhook()], "writer": [webhook()], "third": [webhook(is_usual=False)]}
    names = (CODER, WRITER)
    await asyncio.gather(*(house.services.gateways.start(name, REQUESTER) for name in names))
    assert sorted(claimed(house, "coder") + claimed(house, "writer")) == [8645, 8646]


async def test_an_asked_port_of_another_profile_is_refused(house: House) -> None:
    """Of whatever platform it is there, and of one's own."""
    await house.furnish("coder", "writer")
    house.agent.known_claims |= {"writer": [webhook(9000)], "coder": [webhook(9001)]}
    for port in (9000, 9001):
        setup = Setup(enable_api_server=True, api_server_port=port)
        operation = await house.now(await house.services.profiles.set_up(CODER, setup, REQUESTER))
        assert failure(operation) == PortInUse.reason


def test_a_move_says_what_and_why() -> None:
    """In a sentence."""
    assert str(PortMove(webhook(), 8645, "bluebubbles")) == (
        "webhook listens on port 8645, since bluebubbles has 8644"
    )
