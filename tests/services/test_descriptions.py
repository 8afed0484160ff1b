"""Descriptions: a person's words, an agent's, and who gives way."""

import asyncio
from collections.abc import Awaitable

import pytest

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.errors import AgentFailed, DiskFull, HermesError
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.profile import ProfileName
from hermesd.services.operations import Job, Request
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")


def told(house: House, name: str = "coder") -> tuple[str, bool]:
    """What a profile's files say."""
    facts = house.agent.known_facts.get(name, ProfileFacts())
    return facts.description, facts.description_is_generated


async def generate(house: House, *, overwrite: bool = False, name: str = "coder") -> Operation:
    """A profile is described by its agent."""
    begun = await house.services.descriptions.generate(ProfileName(name), overwrite=overwrite, requester=REQUESTER)
    return await house.now(begun)


async def refusal(call: Awaitable[object]) -> HermesError:
    """What a call is refused with."""
    with pytest.raises(HermesError) as caught:
        await call
    return caught.value


async def kinds(house: House) -> list[str]:
    """The kinds of what happened to the profile."""
    return [one.kind for one in await house.store.events(after=0, profile="coder", limit=10)]


async def test_a_person_says_what_a_profile_is_for(house: House) -> None:
    """Anything may be replaced, and taken away."""
    await house.services.descriptions.describe(CODER, " Writes code\n")
    assert told(house) == ("Writes code", False)
    assert (await house.services.profiles.get(CODER)).facts.description == "Writes code"
    await house.services.descriptions.describe(CODER, "")
    assert told(house) == ("", False)
    assert await kinds(house) == ["profile.described"] * 2


async def test_what_is_no_description_changes_nothing(house: House) -> None:
    """Nor does a profile that is not there, or a disk that is full."""
    await house.services.descriptions.describe(CODER, "Mine")
    describe = house.services.descriptions.describe
    assert (await refusal(describe(CODER, "two\nlines"))).reason == "ARGUMENT_INVALID"
    assert (await refusal(describe(ProfileName("ghost"), "x"))).reason == "PROFILE_NOT_FOUND"
    house.agent.writing_refusals["coder"] = DiskFull("cannot write it")
    assert (await refusal(describe(CODER, "x"))).reason == "DISK_FULL"
    assert told(house) == ("Mine", False)


async def test_an_agent_says_what_its_profile_is_for(house: House) -> None:
    """With a gateway's environment; it may do so again."""
    for _ in range(2):
        done = await generate(house)
        assert (done.kind, done.state) == ("profile.describe", OperationState.SUCCEEDED)
    assert told(house) == ("Does what coder does.", True)
    assert house.agent.asked == [("coder", house.ports.gateway_environment)] * 2


async def test_a_persons_words_stay_unless_they_are_to_go(house: House) -> None:
    """And the agent is not even asked."""
    await house.services.descriptions.describe(CODER, "Mine")
    refused = await refusal(generate(house))
    assert refused.reason == "ARGUMENT_INVALID"
    assert refused.metadata["fix"] == "hermesctl profile describe coder --auto --overwrite"
    assert (told(house), house.agent.asked) == (("Mine", False), [])
    await generate(house, overwrite=True)
    assert told(house) == ("Does what coder does.", True)


async def test_a_person_who_is_faster_than_the_model_wins(house: House) -> None:
    """Their words are there before the answer is."""

    def write() -> None:
        house.agent.known_facts["coder"] = ProfileFacts(description="Mine")

    house.agent.while_asked = write
    assert failure(await generate(house)) == "CHANGED_MEANWHILE"
    assert told(house) == ("Mine", False)


async def test_an_agent_that_fails_changes_nothing(house: House) -> None:
    """Its reason is the operation's."""
    house.agent.answers["coder"] = AgentFailed("cannot describe 'coder': LLM error: Refused")
    assert failure(await generate(house)) == "AGENT_FAILED"
    assert told(house) == ("", False)
    assert "profile.described" not in await kinds(house)


async def test_the_words_follow_a_profile_that_is_renamed_meanwhile(house: House) -> None:
    """They were found for it, whatever it is called."""
    known = await house.services.profiles.get(CODER)

    def rename() -> None:
        house.homes.move(known.known.home, ProfileName("writer"))

    house.agent.while_asked = rename
    assert (await generate(house)).state is OperationState.SUCCEEDED
    assert told(house, "writer")[1]
    assert told(house) == ("", False)


async def test_nothing_is_written_into_a_profile_that_is_being_changed(house: House) -> None:
    """Whoever asks, and whenever that began."""

    async def endless(job: Job) -> None:
        await asyncio.Event().wait()

    request = Request("profile.rename", "coder", is_exclusive=True)
    await house.services.operations.start(request, REQUESTER, endless)
    describe, generate_ = house.services.descriptions.describe, house.services.descriptions.generate
    assert (await refusal(describe(CODER, "x"))).reason == "PROFILE_BUSY"
    assert (await refusal(generate_(CODER, overwrite=True, requester=""))).reason == "PROFILE_BUSY"
    assert (await refusal(house.services.souls.set(CODER, "x", None))).reason == "PROFILE_BUSY"
    assert (await refusal(house.services.aliases.create(CODER, "bot"))).reason == "PROFILE_BUSY"
    assert (await refusal(house.services.aliases.remove(CODER, "bot"))).reason == "PROFILE_BUSY"
    assert told(house) == ("", False)


async def test_without_an_agent_nobody_can_be_asked(house: House) -> None:
    """And that is said at once."""
    await house.store.use_runtime("")
    assert (await refusal(generate(house))).reason == "RUNTIME_MISSING"


async def test_one_agent_is_asked_at_a_time(house: House) -> None:
    """The next one waits, and a second request for it is the same one."""
    house.homes.add("other")
    lock = house.services.descriptions._asking
    await lock.acquire()
    first = await generate(house)
    other = await generate(house, name="other")
    assert (first.state, first.progress.phase) == (OperationState.RUNNING, "wait")
    assert (await generate(house)).id == first.id
    lock.release()
    assert (await house.now(first)).state is OperationState.SUCCEEDED
    assert (await house.now(other)).state is OperationState.SUCCEEDED


async def test_who_cancels_is_obeyed_before_an_agent_is_asked(house: House) -> None:
    """While it waits."""
    lock = house.services.descriptions._asking
    await lock.acquire()
    begun = await generate(house)
    await house.services.operations.cancel(begun.id)
    lock.release()
    assert failure(await house.now(begun)) == "CANCELLED"
    assert (told(house), house.agent.asked) == (("", False), [])


async def test_a_daemon_that_dies_meanwhile_leaves_no_words(house: House) -> None:
    """The next one says that it was interrupted."""
    await house.services.descriptions._asking.acquire()
    begun = await generate(house)
    await house.reopen()
    assert failure(await house.now(begun)) == "INTERRUPTED"
    assert told(house) == ("", False)
