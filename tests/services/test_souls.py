"""Souls: read, replaced, and never over what somebody wrote meanwhile."""

import pytest

from hermesd.domain.errors import ChangedMeanwhile, HermesError
from hermesd.domain.profile import ProfileName
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")


async def test_a_soul_is_read_as_it_was_written(house: House) -> None:
    """With where it lies; none has no revision."""
    assert (await house.services.souls.get(CODER)).soul.revision == ""
    written = await house.services.souls.set(CODER, "You are.\n", "")
    assert await house.services.souls.get(CODER) == written
    assert (written.soul.text, written.path.name, written.path.parent.name) == ("You are.\n", "SOUL.md", "coder")
    kinds = [one.kind for one in await house.store.events(after=0, profile="coder", limit=10)]
    assert kinds == ["profile.soul"]


async def test_the_same_text_again_is_no_event(house: House) -> None:
    """Nothing has happened."""
    for _ in range(2):
        await house.services.souls.set(CODER, "You are.\n", None)
    assert len(await house.store.events(after=0, profile="coder", limit=10)) == 1


async def test_a_soul_is_in_use_while_a_gateway_runs(house: House) -> None:
    """Ours, or one that was started elsewhere."""
    assert not (await house.services.souls.get(CODER)).is_in_use
    await house.start("coder")
    assert (await house.services.souls.get(CODER)).is_in_use
    await house.stop("coder")
    house.agent.foreign["coder"] = 99
    assert (await house.services.souls.set(CODER, "x", None)).is_in_use


async def test_what_was_not_read_is_not_replaced(house: House) -> None:
    """Unless nobody minds what it was."""
    first = await house.services.souls.set(CODER, "first", None)
    await house.services.souls.set(CODER, "second", first.soul.revision)
    with pytest.raises(ChangedMeanwhile):
        await house.services.souls.set(CODER, "third", first.soul.revision)
    assert (await house.services.souls.get(CODER)).soul.text == "second"


@pytest.mark.parametrize(
    ("name", "text", "reason"), [("coder", "a\0b", "ARGUMENT_INVALID"), ("ghost", "x", "PROFILE_NOT_FOUND")]
)
async def test_what_cannot_be_written_changes_nothing(house: House, name: str, text: str, reason: str) -> None:
    """No text, or no profile."""
    with pytest.raises(HermesError) as failure:
        await house.services.souls.set(ProfileName(name), text, None)
    assert failure.value.reason == reason
    assert house.agent.souls == {}
