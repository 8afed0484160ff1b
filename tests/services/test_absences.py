"""Why a profile that somebody names is not there."""

import pytest

from hermesd.domain.errors import NotPermitted, ProfileNotFound
from hermesd.domain.profile import ProfileName
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")


async def told(house: House, name: str = "coder") -> tuple[str, str]:
    """The reason that people read, and the command they are given."""
    with pytest.raises(ProfileNotFound) as caught:
        await house.services.profiles.get(ProfileName(name))
    return caught.value.metadata.get("hint", ""), caught.value.metadata["fix"]


async def delete(house: House, *, purge: bool) -> None:
    """The profile goes, by us."""
    await house.now(await house.services.profiles.delete(CODER, purge=purge, requester=REQUESTER))


async def test_who_was_never_there_may_have_been_mistyped(house: House) -> None:
    """The closest names, as ever."""
    assert await told(house, "codr") == ("did you mean 'coder'?", "hermesctl profile list")


async def test_who_was_deleted_can_be_brought_back(house: House) -> None:
    """Or was, for good, and then nothing is known of it."""
    await delete(house, purge=False)
    assert await told(house) == (
        "it was deleted and is in the trash",
        "hermesctl profile trash restore coder",
    )
    house.homes.add("coder")
    house.homes.trash.clear()
    await delete(house, purge=True)
    assert (await told(house))[1] == "hermesctl profile list"


async def test_who_was_renamed_has_another_name(house: House) -> None:
    """The last one, unless that is gone too; also after the daemon's next start."""
    await house.now(await house.services.renames.rename(CODER, ProfileName("writer"), REQUESTER))
    await house.reopen()
    assert await told(house) == (
        "it was renamed and is called 'writer' now",
        "hermesctl profile show writer",
    )
    house.homes.drop("writer")
    assert "renamed" not in (await told(house))[0]


async def test_whose_home_was_removed_by_others_may_come_back(house: House) -> None:
    """Its wish waits for it, which nobody would guess."""
    await house.services.profiles.get(CODER)
    house.homes.drop("coder")
    why, fix = await told(house)
    assert why.startswith("its home was removed, and not by hermesd")
    assert fix == "hermesctl profile list"


async def test_a_trash_that_cannot_be_read_hides_no_other_reason(house: House) -> None:
    """The question was another one."""
    await house.services.profiles.get(CODER)
    house.homes.drop("coder")
    house.trash.faults.arm("scan", NotPermitted("no"))
    assert (await told(house))[0].startswith("its home was removed")
