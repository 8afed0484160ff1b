"""Profiles that are renamed or removed behind the daemon's back."""

import pytest

from hermesd.domain.profile import ProfileName
from hermesd.services.drift import CHECK_S, Drift
from hermesd.services.homes import KnownHomes
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, DEV = ProfileName("coder"), ProfileName("dev")


@pytest.fixture
async def drift(house: House) -> Drift:
    """What looked once, when there were `coder` and `other`."""
    await house.furnish("coder", "other")
    services = house.services
    known = KnownHomes(house.ports, services.runtimes)
    drift = Drift(house.ports, services.events, services.operations, known)
    await drift.check()
    return drift


async def told(house: House) -> list[tuple[str, str]]:
    """What was said of doings elsewhere: kind and profile."""
    found = await house.services.events.recent(profile="", limit=100)
    return [(one.kind, one.profile) for one in found if one.kind.endswith("_elsewhere")]


async def test_a_rename_by_somebody_else_is_told_once_and_our_aliases_follow(house: House, drift: Drift) -> None:
    """Also those with names of their own, which hermes-agent leaves behind."""
    house.aliases.create("bot", CODER)
    house.aliases.add_upstream("theirs", "coder")
    house.homes.rename("coder", "dev")
    await drift.check()
    await drift.check()
    assert await told(house) == [("profile.renamed_elsewhere", "dev")]
    assert {one.name: one.profile for one in house.aliases.scan()} == {"bot": DEV, "theirs": CODER}


async def test_an_alias_of_a_name_that_is_used_again_stays(house: House, drift: Drift) -> None:
    """Whose it is cannot be known."""
    house.aliases.create("bot", CODER)
    house.homes.rename("coder", "dev")
    house.homes.add("coder")
    await drift.check()
    assert {one.name: one.profile for one in house.aliases.scan()} == {"bot": CODER}


async def test_a_removal_by_somebody_else_is_told_once(house: House, drift: Drift) -> None:
    """That the whole tree is out of sight tells nothing of any profile."""
    house.homes.drop("coder")
    await drift.check()
    await drift.check()
    assert await told(house) == [("profile.removed_elsewhere", "coder")]


async def test_what_hermesd_did_is_not_told_as_somebody_elses(house: House) -> None:
    """Neither a rename nor a deletion."""
    await house.furnish("coder", "other")
    services = house.services
    services.drift.open()
    await house.clock.settle()
    await services.renames.rename(CODER, DEV, REQUESTER)
    await services.profiles.delete(ProfileName("other"), purge=False, requester=REQUESTER)
    await house.clock.advance(3 * CHECK_S)
    services.drift.close()
    assert await told(house) == []
