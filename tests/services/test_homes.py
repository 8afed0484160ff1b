"""Names, homes and ids: a home is known by its id, whatever it is called, and looked for where it was."""

import pytest

from hermesd.domain.errors import DiskFull, ProfileNotFound
from hermesd.domain.profile import ProfileName
from hermesd.services.homes import KnownHomes
from tests.fakes.homes import MemoryHomes
from tests.fakes.store import MemoryStore

pytestmark = [pytest.mark.fast, pytest.mark.services]


@pytest.fixture
def homes() -> MemoryHomes:
    """A tree with two profiles."""
    made = MemoryHomes()
    made.add("coder")
    made.add("writer")
    return made


@pytest.fixture
def known(homes: MemoryHomes) -> KnownHomes:
    """What a daemon knows of the tree."""
    return KnownHomes(homes, MemoryStore())


async def test_a_home_that_is_where_it_was_is_found_without_a_scan(homes: MemoryHomes, known: KnownHomes) -> None:
    """The start of one gateway costs the same among five hundred."""
    coder = await known.get(ProfileName("coder"))
    homes.faults.arm("scan", DiskFull("nobody may scan now"))
    assert await known.home_of(coder.id) == coder.home


async def test_a_renamed_home_is_found_under_its_new_name(homes: MemoryHomes, known: KnownHomes) -> None:
    """Also when another home has taken the old one since."""
    coder = await known.get(ProfileName("coder"))
    homes.rename("coder", "painter")
    assert (await known.home_of(coder.id)).name == ProfileName("painter")
    homes.rename("writer", "coder")
    homes.rename("painter", "writer")
    assert (await known.home_of(coder.id)).name == ProfileName("writer")


async def test_a_home_that_is_gone_is_not_found(homes: MemoryHomes, known: KnownHomes) -> None:
    """Not even if a new one has its name."""
    coder = await known.get(ProfileName("coder"))
    homes.drop("coder")
    homes.add("coder")
    with pytest.raises(ProfileNotFound):
        await known.home_of(coder.id)


async def test_a_home_that_was_never_seen_is_searched(homes: MemoryHomes) -> None:
    """A daemon that has just started knows an id from its store alone."""
    store = MemoryStore()
    coder = await KnownHomes(homes, store).get(ProfileName("coder"))
    assert await KnownHomes(homes, store).home_of(coder.id) == coder.home
