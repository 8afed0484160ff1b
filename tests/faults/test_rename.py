"""A rename that is cut off at any step, and again at any step of going on with it."""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from hermesd.adapters.agents.hermes_rename import follow_rename
from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain import layout
from hermesd.domain.errors import HermesError
from hermesd.domain.gateway import State
from hermesd.domain.operation import OperationState
from hermesd.domain.profile import Home, ProfileName
from tests.fakes.agent import ScriptedAgent
from tests.faults.injection import Crash, Injector, fill_disk_at, injected
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

STEPS = 30
"""Changes of the file system that a rename makes at least, and that the second accident is among."""

CODER, WRITER = ProfileName("coder"), ProfileName("writer")


class OnDisk(ScriptedAgent):
    """The fake, but that homes follow as hermes-agent's do."""

    def follow_rename(self, before: Home, after: Home) -> list[str]:
        return follow_rename(before, after, None)


async def furnished(place: Path) -> House:
    """A daemon whose profile `coder` runs and is the sticky default, and all that knows its name."""
    homes = HomesOnDisk(place / ".hermes")
    aliases = AliasesInBin(place / "bin", place / "current", "")
    house = House(homes=cast("Any", homes), aliases=cast("Any", aliases), agent=OnDisk())
    await house.open()
    await house.furnish()
    home = homes.create(CODER, layout.fresh_files(description="", with_skills=True), layout.DIRECTORIES)
    (home.path / "honcho.json").write_text('{"hosts": {"hermes_coder": {"aiPeer": "a"}}}')
    (home.path / "config.yaml").write_text(f"terminal:\n  cwd: {home.path}/workspace\n")
    for name in ("coder", "bot"):
        aliases.create(name, CODER)
    homes.write_sticky_default(CODER)
    await house.start("coder")
    return house


async def crashed_at(step: int, house: House, work: Callable[[], Awaitable[object]]) -> bool:
    """The daemon is gone at a step of what it does for `work`; says whether there were that many."""
    injector = Injector(step, Crash())
    with injected(injector):
        try:
            await work()
            await house.clock.settle()
        except Crash:
            pass
    return injector.has_fired


async def gone_on(house: House) -> None:
    """A new daemon."""
    await house.close()
    house.ports.homes.recover()
    await house.open()
    await house.clock.settle()


async def assert_renamed(house: House, place: Path) -> None:
    """Everything goes by the new name, and the one gateway runs."""
    root, writer = place / ".hermes", place / ".hermes" / "profiles" / "writer"
    assert [home.name.text for home in house.ports.homes.scan()] == ["default", "writer"]
    assert {(alias.name, alias.profile) for alias in house.ports.aliases.scan()} == {
        ("writer", WRITER),
        ("bot", WRITER),
    }
    assert (root / "active_profile").read_text() == "writer\n"
    assert "hermes_writer" in (writer / "honcho.json").read_text()
    assert str(writer) in (writer / "config.yaml").read_text()
    assert await house.state("writer") is State.RUNNING
    assert len(house.backend.alive) == 1
    assert (await house.services.operations.all(profile="coder", limit=1))[0].state is OperationState.SUCCEEDED


async def test_a_rename_cut_off_at_any_step_and_again_is_finished(tmp_path: Path, rng: random.Random) -> None:
    """Whatever was done by then: after the next undisturbed start it is wholly renamed."""
    for step in count(1):
        place = tmp_path / str(step)
        place.mkdir()
        house = await furnished(place)
        rename = partial(house.services.renames.rename, CODER, WRITER, REQUESTER)
        has_crashed = await crashed_at(step, house, rename)
        await crashed_at(rng.randint(1, STEPS), house, partial(gone_on, house))
        await gone_on(house)
        await assert_renamed(house, place)
        await house.close()
        if not has_crashed:
            break
    assert step > STEPS


def moved(root: Path) -> None:
    """A home is given another name."""
    homes = HomesOnDisk(root)
    home = homes.find(CODER)
    assert home is not None
    homes.move(home, WRITER)


def test_a_full_disk_during_the_move_is_said(tmp_path: Path) -> None:
    """And the home is there under one of its names, whole."""
    for step in count(1):
        root = tmp_path / str(step)
        HomesOnDisk(root).create(CODER, {"a": "b"}, ())
        is_full = fill_disk_at(step, partial(moved, root), HermesError)
        (home,) = (one for one in HomesOnDisk(root).scan() if not one.name.is_default)
        assert (home.path / "a").read_text() == "b"
        if not is_full:
            break
    assert step > 1
