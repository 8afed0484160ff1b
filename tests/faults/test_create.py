"""A creation that is cut off, or finds no room, at any step, and again at any step of going on with it."""

import errno
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.atomic import leftovers, write_atomic, write_new
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.oserrors import translating
from hermesd.adapters.trash import TrashOnDisk
from hermesd.adapters.trees import ensure_private
from hermesd.domain import layout
from hermesd.domain.agent import ApiServer, ProfileFacts, Setup
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.creation import NewProfile
from hermesd.domain.listening import PortMove
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.profile import Home, ProfileName
from tests.fakes.agent import ScriptedAgent
from tests.faults.injection import FILLING, Crash, Injector, injected, snapshot
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, WRITER = ProfileName("coder"), ProfileName("writer")
BLANK = NewProfile(WRITER, "Writes", model="m")
WHOLE = NewProfile(WRITER, "Writes", model="m", source=CODER, order=CloneOrder(Extent.EVERYTHING))
WANTED = pytest.mark.parametrize("wanted", [BLANK, WHOLE], ids=["blank", "clone"])

STEPS = 30
"""Changes of the file system that a creation makes at least, and that the second accident is among."""

CREATED = ("profiles/writer/", "bin/writer/", "beside/writer/")
"""Everything that a creation makes, but for staging."""

Work = Callable[[], Awaitable[object]]


class Copying(ScriptedAgent):
    """The fake, but that homes are filled on disk, in more than one step, and something is kept beside them."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.beside = place / "beside"

    def clone(
        self, source: Home, name: ProfileName, target: Path, order: CloneOrder, is_cancelled: Callable[[], bool]
    ) -> list[str]:
        with translating(target):
            for path in sorted(source.path.rglob("*")):
                copy = target / path.relative_to(source.path)
                if path.is_dir():
                    ensure_private(copy)
                else:
                    copy.unlink(missing_ok=True)
                    write_new(copy, path.read_bytes())
        return super().clone(source, name, target, order, is_cancelled)

    def settle_clone(self, source: Home, home: Home) -> list[str]:
        for cut_off in leftovers(self.beside / home.name.text):
            cut_off.unlink()
        write_atomic(self.beside / home.name.text, f"a clone of {source.name}\n".encode())
        return super().settle_clone(source, home)

    def move_ports(self, home: Home, moves: Sequence[PortMove]) -> list[PortMove]:
        if moves:
            write_atomic(home.path / ".env", f"API_SERVER_PORT={moves[0].port}\n".encode())
        return super().move_ports(home, moves)

    def set_up(self, home: Home, setup: Setup, *, taken_ports: frozenset[int]) -> list[str]:
        write_atomic(home.path / "config.yaml", b"model:\n  default: m\n")
        return super().set_up(home, setup, taken_ports=taken_ports)


@dataclass
class HouseOnDisk(House):
    """A house whose homes, trash and aliases are real."""

    place: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        self.homes = cast("Any", HomesOnDisk(self.place))
        self.aliases = cast("Any", AliasesInBin(self.place / "bin", self.place / "current", ""))

    @property
    def trash(self) -> Any:
        return TrashOnDisk(self.place)


@pytest.fixture(autouse=True)
def _unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on what survives a power cut, and flushing takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


async def furnished(place: Path) -> House:
    """A daemon, the profile `coder`, its alias, and somebody's files."""
    place.mkdir(parents=True)
    house = HouseOnDisk(place=place, agent=Copying(place))
    homes = house.ports.homes
    house.agent.known_facts["coder"] = ProfileFacts(api_server=ApiServer(is_enabled=True, port=8643))
    await house.open()
    files = layout.fresh_files(description="", with_skills=True)
    home = homes.create(CODER, {**files, "config.yaml": "model: x\n"}, layout.DIRECTORIES)
    (home.path / "memories" / "MEMORY.md").write_text("likes herons")
    house.ports.aliases.create("coder", CODER)
    homes.write_sticky_default(CODER)
    (place / "beside").mkdir()
    (place / "beside" / "coder").write_text("of coder")
    (place / "profiles" / "stray.txt").write_text("somebody's")
    return house


async def disturbed(injector: Injector, house: House, work: Work) -> bool:
    """The work, with an accident; says whether there were so many steps that it happened."""
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


def parted(place: Path) -> tuple[dict[str, object], dict[str, object]]:
    """What a creation made, and everything else but what staging and unfinished aliases leave."""
    everything: dict[str, object] = dict(snapshot(place))
    made = {path: what for path, what in everything.items() if f"{path}/".startswith(CREATED)}
    passing = ("profiles/.hermesd/", "profiles/.hermesd/new/", "bin/.writer.")
    return made, {
        path: what
        for path, what in everything.items()
        if path not in made and not (f"{path}/" in passing or path.startswith(passing[-1]))
    }


def normal(made: dict[str, object], place: Path) -> dict[str, object]:
    """The same, wherever it lies: an alias holds the path of its launcher."""
    alias = cast("tuple[str, bytes]", made["bin/writer"])
    return made | {"bin/writer": (alias[0], alias[1].replace(bytes(place), b"PLACE"))}


async def whole(place: Path, wanted: NewProfile) -> dict[str, object]:
    """What an undisturbed creation makes."""
    house = await furnished(place)
    await house.services.creations.create(wanted, REQUESTER)
    await house.clock.settle()
    await house.close()
    return normal(parted(place)[0], place)


async def ended(house: House) -> Operation | None:
    """How the creation ended, if it had begun."""
    found = await house.services.operations.all(profile="writer", limit=1)
    return found[0] if found else None


@WANTED
async def test_a_creation_cut_off_at_any_step_and_again_is_finished(
    tmp_path: Path, wanted: NewProfile, rng: random.Random
) -> None:
    """Whatever was done by then: after the next undisturbed start it is wholly there, and all else as it was."""
    expected = await whole(tmp_path / "whole", wanted)
    for step in count(1):
        place = tmp_path / str(step)
        house = await furnished(place)
        _, others = parted(place)
        create = partial(house.services.creations.create, wanted, REQUESTER)
        has_crashed = await disturbed(Injector(step, Crash()), house, create)
        await disturbed(Injector(rng.randint(1, STEPS), Crash()), house, partial(gone_on, house))
        await gone_on(house)
        made, rest = parted(place)
        assert normal(made, place) == expected
        assert rest == others
        done = await ended(house)
        assert done is not None
        assert done.state is OperationState.SUCCEEDED
        await house.close()
        if not has_crashed:
            break
    assert step > STEPS


@pytest.mark.parametrize(
    ("wanted", "code"),
    [(WHOLE, errno.ENOSPC), (WHOLE, errno.EDQUOT), (BLANK, errno.EROFS)],
    ids=["full", "quota", "read-only"],
)
async def test_a_disk_that_refuses_at_any_step_leaves_all_or_nothing(
    tmp_path: Path, wanted: NewProfile, code: int
) -> None:
    """Until the home is there nothing is; then the profile is, and what it lacks is told. All else stays."""
    expected = await whole(tmp_path / "whole", wanted)
    outcomes = []
    for step in count(1):
        place = tmp_path / str(step)
        house = await furnished(place)
        _, others = parted(place)
        create = partial(house.services.creations.create, wanted, REQUESTER)
        has_failed = await disturbed(Injector(step, OSError(code, "no"), only=FILLING), house, create)
        done = await ended(house)
        assert done is not None
        made, rest = parted(place)
        homes = {path: what for path, what in made.items() if path.startswith("profiles/")}
        assert rest == others
        assert homes == {path: what for path, what in expected.items() if path.startswith("profiles/") and homes}
        if done.state is OperationState.SUCCEEDED:
            assert homes
            assert done.warnings or made.keys() == expected.keys()
        else:
            assert done.error is not None
            assert done.error.reason == ("NOT_PERMITTED" if code == errno.EROFS else "DISK_FULL")
        outcomes.append(done.state)
        await house.close()
        if not has_failed:
            break
    assert outcomes[0] is OperationState.FAILED
    assert outcomes[-1] is OperationState.SUCCEEDED


async def test_a_clone_that_fails_can_be_made_again(tmp_path: Path, rng: random.Random) -> None:
    """What a failure left is in nobody's way."""
    house = await furnished(tmp_path / "place")
    create = partial(house.services.creations.create, WHOLE, REQUESTER)
    for _ in range(5):
        await disturbed(Injector(rng.randint(1, 15), OSError(errno.ENOSPC, "full"), only=FILLING), house, create)
        done = await ended(house)
        assert done is not None
        assert done.state is OperationState.FAILED
    await create()
    await house.clock.settle()
    assert house.ports.homes.find(WRITER) is not None
    await house.close()
