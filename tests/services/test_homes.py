"""Names, homes and ids: a home is known by its id, whatever it is called, and looked for where it was."""

import asyncio

import pytest

from hermesd.domain.errors import DiskFull, ProfileNotFound
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import Binding
from hermesd.services.homes import KnownHomes
from tests.fakes.homes import MemoryHomes
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]


@pytest.fixture
def homes() -> MemoryHomes:
    """A tree with two profiles."""
    made = MemoryHomes()
    made.add("coder")
    made.add("writer")
    return made


@pytest.fixture
def known(house: House, homes: MemoryHomes) -> KnownHomes:
    """What a daemon knows of the tree."""
    house.homes = homes
    return known_to(house)


def known_to(house: House) -> KnownHomes:
    """What a daemon that has just started knows."""
    return KnownHomes(house.ports, house.services.runtimes)


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


async def test_a_home_that_was_never_seen_is_searched(house: House, homes: MemoryHomes) -> None:
    """A daemon that has just started knows an id from its store alone."""
    house.homes = homes
    coder = await known_to(house).get(ProfileName("coder"))
    assert await known_to(house).home_of(coder.id) == coder.home


async def test_a_name_is_recorded_with_its_home(house: House, homes: MemoryHomes, known: KnownHomes) -> None:
    """Whoever looks later, and finds another home of that name, can tell whose it was."""
    await known.scan()
    homes.rename("coder", "spare")
    homes.rename("writer", "coder")
    homes.rename("spare", "writer")
    swapped = {found.id: found.home.name.text for found in await known.scan()}
    assert {binding.id: binding.name for binding in await house.store.bindings()} == swapped
    assert {found.id: found.home.name.text for found in await known_to(house).scan()} == swapped


async def test_a_name_that_cannot_be_recorded_hides_nobody(
    house: House, homes: MemoryHomes, known: KnownHomes
) -> None:
    """A full disk does not make a renamed profile another one."""
    before = {found.id for found in await known.scan()}
    homes.rename("coder", "painter")
    house.store.faults.arm("bind", DiskFull("no space is left"))
    found = await known.scan()
    assert {one.id for one in found} == before
    assert [one.home.name.text for one in found] == ["default", "painter", "writer"]


async def test_two_looks_at_once_give_a_home_one_id(known: KnownHomes) -> None:
    """Whoever comes second waits for the first, and knows what that has made."""
    first, second = await asyncio.gather(known.scan(), known.scan())
    assert first == second


async def test_a_home_that_goes_while_another_one_is_learnt_keeps_its_id_as_long(
    house: House, homes: MemoryHomes, known: KnownHomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody lists profiles while one is deleted and another one appears: nobody gets an error for it."""
    coder = await known.get(ProfileName("coder"))
    await known.scan()
    homes.add("third")
    bind = house.store.bind

    async def slow(binding: Binding) -> None:
        homes.drop("coder")
        deleting.append(asyncio.create_task(known.forget(coder.id)))
        await asyncio.sleep(0)
        await bind(binding)

    deleting: list[asyncio.Task[None]] = []
    monkeypatch.setattr(house.store, "bind", slow)
    await known.scan()
    await asyncio.gather(*deleting)
    assert [one.home.name.text for one in await known.scan()] == ["default", "third", "writer"]
    assert coder.id not in {binding.id for binding in await house.store.bindings()}
