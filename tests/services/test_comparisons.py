"""Comparisons: two profiles are read, and neither is written."""

import pytest

from hermesd.domain.comparison import Matter
from hermesd.domain.configuration import ConfigFile
from hermesd.domain.errors import ProfileNotFound
from hermesd.domain.profile import ProfileName
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, WORKER = ProfileName("coder"), ProfileName("worker")


async def test_two_profiles_are_compared(house: House) -> None:
    """By what their files and skills are now."""
    await house.furnish("worker")
    one, other = (house.homes.find(name) for name in (CODER, WORKER))
    assert one is not None
    assert other is not None
    house.agent.config_files.files[one.path / ConfigFile.CONFIG] = b"level=1\nsame=x\n"
    house.agent.config_files.files[other.path / ConfigFile.CONFIG] = b"level=2\nsame=x\n"
    house.skills.homes[one.path] = {"paint": "1"}
    house.skills.homes[other.path] = {}
    found = await house.services.comparisons.compare(CODER, WORKER)
    assert [(each.matter, each.key) for each in found] == [(Matter.SETTING, "level"), (Matter.SKILL, "paint")]
    assert await house.services.comparisons.compare(CODER, CODER) == []


async def test_both_must_be_there(house: House) -> None:
    """Whichever is missing is named."""
    with pytest.raises(ProfileNotFound, match="gone"):
        await house.services.comparisons.compare(CODER, ProfileName("gone"))
