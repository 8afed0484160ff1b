"""Mending on a real tree: cut off at any step, on a full disk, and with everything else as it was."""

import asyncio
import errno
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.homeinspector import HomeInspectorOnDisk
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.machineinspector import MachineInspectorOnDisk
from hermesd.domain import layout
from hermesd.domain.findings import Finding, Severity
from hermesd.domain.profile import ProfileName
from tests.adapters.unprivileged import reachable_directory
from tests.faults.injection import FILLING, Crash, Injector, injected, snapshot
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

STEPS, FILLING_STEPS = 15, 5
"""Changes of the file system that mending makes at least."""

CODER, OTHER = ProfileName("coder"), ProfileName("other")
TEXTS = layout.fresh_files(description="", with_skills=True)


def damage(place: Path) -> None:
    """What hermes-agent, a crash and an older hermesd leave, all at once; `other` is nobody's to mend."""
    root, home = place / ".hermes", place / ".hermes" / "profiles" / "coder"
    for name in ("plans", "skins"):
        (home / name).rmdir()
    (home / "state.db").write_bytes(b"SQLite format 3\0")
    (home / "memories" / "MEMORY.md").write_text("he likes tea")
    (home / ".env").write_text("KEY=value\n")
    for path in (root, root / "profiles", home, *home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (root / "active_profile").write_text("ghost\n")
    (root / "profiles" / ".hermesd" / "new" / "cut-0123" / "skills").mkdir(parents=True)
    (place / "bin" / "coder").write_text("#!/bin/sh\n# hermesd alias: hermes -p coder\n")
    (place / "bin" / "lost").write_text("#!/bin/sh\n# hermesd alias: hermes -p gone\n")
    (place / "state").chmod(0o755)


async def furnished(place: Path) -> House:
    """A daemon on a tree with two profiles, one of them damaged."""
    homes = HomesOnDisk(place / ".hermes")
    aliases = AliasesInBin(place / "bin", place / "current", "")
    (place / "state").mkdir(0o700)
    machine = MachineInspectorOnDisk(
        place / ".hermes", kept=(), private=(place / "state",), units={}, read_settings=lambda: None
    )
    house = House(
        homes=cast("Any", homes),
        aliases=cast("Any", aliases),
        home_inspector=cast("Any", HomeInspectorOnDisk()),
        machine_inspector=cast("Any", machine),
    )
    await house.open()
    await house.furnish()
    for name in (CODER, OTHER):
        homes.create(name, TEXTS, layout.DIRECTORIES)
    aliases.create("coder", CODER)
    damage(place)
    return house


async def mend(house: House) -> list[Finding]:
    """Everything that can be."""
    found = await house.services.doctor.examine_all(fix=True, requester=REQUESTER)
    return [one for one in found if one.severity is not Severity.FINE]


@contextmanager
def place() -> Iterator[Path]:
    """A directory that everybody can reach."""
    with reachable_directory() as directory:
        yield directory


def assert_mended(directory: Path) -> None:
    """Nobody else can look in, nothing is half done, and no byte of the person's has changed."""
    root, home = directory / ".hermes", directory / ".hermes" / "profiles" / "coder"
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".env").read_text() == "KEY=value\n"
    assert (home / "memories" / "MEMORY.md").read_text() == "he likes tea"
    assert {path.stat().st_mode & 0o777 for path in (home / ".env", home / "state.db")} == {0o600}
    assert all((home / name).is_dir() for name in layout.DIRECTORIES)
    assert not (root / "active_profile").exists()
    assert not list((root / "profiles" / ".hermesd" / "new").iterdir())
    assert [path.name for path in (directory / "bin").glob("[a-z]*")] == ["coder"]
    assert (directory / "state").stat().st_mode & 0o777 == 0o700


async def test_everything_that_can_be_mended_is_and_nothing_else() -> None:
    """Byte by byte and mode by mode; a second time there is nothing to do."""
    with place() as directory:
        house = await furnished(directory)
        other = directory / ".hermes" / "profiles" / "other"
        before, own = snapshot(other), snapshot(other.with_name("coder"))
        found = await mend(house)
        assert {one.check for one in found} == {"default", "alias", "litter", "state", "modes", "parts"}
        assert all(one.is_fixed for one in found)
        assert_mended(directory)
        assert snapshot(other) == before
        after = snapshot(other.with_name("coder"))
        assert after.keys() - own.keys() == {"plans", "skins"}
        assert {name: content for name, (_, content) in own.items()} == {name: after[name][1] for name in own}
        whole = snapshot(directory)
        assert await mend(house) == []
        assert snapshot(directory) == whole
        await house.close()


async def accident(house: House, injector: Injector, work: Callable[[], Awaitable[object]]) -> None:
    """Something happens at one step of what the daemon does; after a crash nobody waits for its end."""
    with injected(injector):
        task = asyncio.ensure_future(work())
        await house.clock.settle()
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        assert task.exception() is None or isinstance(task.exception(), Crash)


async def mended_after_a_crash_at(step: int) -> bool:
    """The next one mends what was left; nothing is lost. Whether there were that many steps."""
    with place() as directory:
        house = await furnished(directory)
        other = snapshot(directory / ".hermes" / "profiles" / "other")
        injector = Injector(step, Crash())
        await accident(house, injector, partial(mend, house))
        home = directory / ".hermes" / "profiles" / "coder"
        assert (home / ".env").read_text() == "KEY=value\n"
        assert (home / "memories" / "MEMORY.md").read_text() == "he likes tea"
        await house.close()
        house.ports.homes.recover()
        await house.open()
        assert all(one.is_fixed for one in await mend(house))
        assert_mended(directory)
        assert snapshot(directory / ".hermes" / "profiles" / "other") == other
        await house.close()
    return injector.has_fired


async def told_of_a_full_disk_at(step: int) -> bool:
    """What is not there after all is a finding with the reason, and the rest mended. Was there such a step?"""
    with place() as directory:
        house = await furnished(directory)
        injector = Injector(step, OSError(errno.ENOSPC, "full"), only=FILLING)
        found: list[Finding] = []

        async def work() -> None:
            found.extend(await mend(house))

        await accident(house, injector, work)
        failed = [one for one in found if not one.is_fixed]
        assert injector.has_fired or not failed
        assert all("it could not be mended: cannot " in one.message for one in failed)
        assert all(one.is_fixed for one in await mend(house))
        assert_mended(directory)
        await house.close()
    return injector.has_fired


async def test_mending_cut_off_at_a_step_is_mended_by_the_next_one(rng: random.Random) -> None:
    """At one step in eight, chosen by chance."""
    step = rng.randint(1, 8)
    while await mended_after_a_crash_at(step):
        step += 8
    assert step > STEPS


async def test_a_full_disk_at_a_step_is_told(rng: random.Random) -> None:
    """At one step in four, chosen by chance."""
    step = rng.randint(1, 4)
    while await told_of_a_full_disk_at(step):
        step += 4
    assert step > FILLING_STEPS
