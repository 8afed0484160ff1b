"""Aliases: made, listed and removed, and nobody else's touched."""

from collections.abc import Awaitable

import pytest

from hermesd.domain.errors import HermesError
from hermesd.domain.profile import ProfileName
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, GHOST = ProfileName("coder"), ProfileName("ghost")


async def refusal(call: Awaitable[object]) -> HermesError:
    """What a call is refused with."""
    with pytest.raises(HermesError) as caught:
        await call
    return caught.value


async def names(house: House, profile: ProfileName | None = None) -> list[str]:
    """What there is."""
    return [view.alias.name for view in await house.services.aliases.all(profile)]


async def told(house: House) -> list[str]:
    """What happened to aliases."""
    found = await house.store.events(after=0, profile="", limit=10, kinds=["profile.alias"])
    return [one.message for one in found]


async def test_an_alias_is_called_as_its_profile_or_otherwise(house: House) -> None:
    """Once more is no change."""
    for name in ("", "bot", " BOT "):
        made = await house.services.aliases.create(CODER, name)
        assert (made.alias.is_ours, made.has_profile) == (True, True)
    assert await names(house) == ["bot", "coder"]
    assert await told(house) == ["'coder' calls profile coder", "'bot' calls profile coder"]
    assert house.services.aliases.directory == str(house.aliases.directory)
    assert house.services.aliases.is_on_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [("../x", "ARGUMENT_INVALID"), ("chat", "ALIAS_TAKEN"), ("hermes", "ALIAS_TAKEN"), ("ls", "ALIAS_TAKEN"),
     ("mine", "ALIAS_TAKEN"), ("theirs", "ALIAS_TAKEN")],
)  # fmt: skip
async def test_no_other_command_is_hidden_or_replaced(house: House, name: str, reason: str) -> None:
    """The agent's verbs, programs, files of people's, and aliases of other profiles."""
    house.aliases.programs["ls"] = house.aliases.directory
    house.aliases.foreign.add("mine")
    house.aliases.add_upstream("theirs", "other")
    assert (await refusal(house.services.aliases.create(CODER, name))).reason == reason
    assert await names(house) == ["theirs"]
    assert await told(house) == []


async def test_a_profile_that_is_not_there_gets_no_alias(house: House) -> None:
    """But loses those that it has left behind."""
    assert (await refusal(house.services.aliases.create(GHOST, ""))).reason == "PROFILE_NOT_FOUND"
    house.aliases.create("old", GHOST)
    (dangling,) = await house.services.aliases.all(GHOST)
    assert not dangling.has_profile
    assert [one.alias.name for one in await house.services.aliases.remove(GHOST, "")] == ["old"]
    assert await names(house) == []


async def test_all_of_a_profiles_go_but_for_what_others_wrote(house: House) -> None:
    """And other profiles keep theirs."""
    for name in ("", "bot"):
        await house.services.aliases.create(CODER, name)
    house.aliases.add_upstream("theirs", "coder")
    house.aliases.create("old", GHOST)
    gone = await house.services.aliases.remove(CODER, "")
    assert [one.alias.name for one in gone] == ["bot", "coder"]
    assert await names(house) == ["old", "theirs"]
    assert await names(house, CODER) == ["theirs"]
    left = await refusal(house.services.aliases.remove(CODER, ""))
    assert (left.reason, left.metadata["fix"]) == ("NOT_FOUND", f"rm {house.aliases.directory}/theirs")


async def test_one_alias_is_removed_by_its_name_and_its_profile(house: House) -> None:
    """Whose it is otherwise is said, and how it is removed."""
    for name in ("a", "b"):
        await house.services.aliases.create(CODER, name)
    house.aliases.add_upstream("theirs", "coder")
    remove = house.services.aliases.remove
    assert [one.alias.name for one in await remove(CODER, "a")] == ["a"]
    missing, others, foreign = [
        await refusal(remove(profile, name)) for profile, name in ((CODER, "a"), (GHOST, "b"), (CODER, "theirs"))
    ]
    assert (missing.reason, others.reason) == ("NOT_FOUND", "NOT_FOUND")
    assert others.metadata["fix"] == "hermesctl profile alias coder --name b --remove"
    assert (foreign.reason, foreign.metadata["fix"]) == ("ALIAS_TAKEN", f"rm {house.aliases.directory}/theirs")
    assert await names(house) == ["b", "theirs"]
