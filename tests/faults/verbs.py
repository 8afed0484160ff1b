"""Every verb of a profile's life as a whole: services and operations on a real directory tree.

Owns: the verbs, the house they are done in, and a picture of all that may differ afterwards. Must not know what is
done to a verb meanwhile. A new verb is one entry of `VERBS`; it is held to its own undisturbed outcome.
"""

import copy
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hermesd.adapters.agents.hermes_rename import follow_rename
from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.atomic import TEMPORARY_SUFFIX
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.trash import TrashOnDisk
from hermesd.domain import layout
from hermesd.domain.creation import NewProfile
from hermesd.domain.operation import Operation
from hermesd.domain.profile import Home, ProfileName
from tests.fakes.agent import ScriptedAgent
from tests.fakes.backend import ScriptedBackend
from tests.fakes.store import MemoryStore
from tests.faults.injection import Crash, snapshot
from tests.faults.powerloss import Disk, Tree
from tests.services.house import REQUESTER, House

CODER, OTHER, LOST, FRESH, WRITER = map(ProfileName, ("coder", "other", "lost", "fresh", "writer"))
LONG_S = 900.0
"""Longer than any gateway waits before it is tried again."""


class FollowingAgent(ScriptedAgent):
    """The fake, but that homes follow as hermes-agent's do. Something can reach each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.usual_channels = ("telegram",)

    def follow_rename(self, before: Home, after: Home) -> list[str]:
        return follow_rename(before, after, None)


@dataclass
class HouseOnDisk(House):
    """A house whose homes, trash and aliases lie below a directory; opening another one is the next daemon."""

    place: Path = field(kw_only=True)
    agent: ScriptedAgent = field(default_factory=FollowingAgent)

    def __post_init__(self) -> None:
        root = self.place / ".hermes"
        self.homes = cast("Any", HomesOnDisk(root))
        self.aliases = cast("Any", AliasesInBin(self.place / "bin", self.place / "current", ""))

    @property
    def trash(self) -> Any:
        return TrashOnDisk(self.place / ".hermes")

    async def close(self, *, drain: bool = False) -> None:
        """Also of a daemon that never came to itself."""
        if hasattr(self, "services"):
            await super().close(drain=drain)

    async def awake(self) -> None:
        """Does what a daemon does at its start, in its order, and lets all its gateways come up."""
        self.ports.homes.recover()
        self.ports.aliases.recover()
        await self.open()
        await self.clock.advance(LONG_S)

    def successor(self, store: MemoryStore, *, is_same_boot: bool = True) -> "HouseOnDisk":
        """The daemon after this one, on what the store said then; after another boot no process lives."""
        if is_same_boot:
            backend, processes = self.backend, self.processes
        else:
            backend, processes = ScriptedBackend(), type(self.processes)()
            processes.boot = "another boot"
        return HouseOnDisk(
            clock=self.clock,
            store=store,
            backend=backend,
            processes=processes,
            installer=self.installer,
            agent=self.agent,
            ids=self.ids,
            place=self.place,
        )


async def furnished(place: Path) -> HouseOnDisk:
    """A daemon and its profiles: `coder`, which runs and is the sticky default; `other`; `lost`, in the trash."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    house = HouseOnDisk(place=place)
    await house.open()
    await house.furnish()
    for name in (CODER, OTHER, LOST):
        house.ports.homes.create(name, layout.fresh_files(description="", with_skills=True), layout.DIRECTORIES)
        house.ports.aliases.create(name.text, name)
    house.ports.aliases.create("bot", CODER)
    coder = house.ports.homes.find(CODER)
    assert coder is not None
    (coder.path / "honcho.json").write_text('{"hosts": {"hermes_coder": {"aiPeer": "a"}}}')
    (coder.path / "config.yaml").write_text(f"terminal:\n  cwd: {coder.path}/workspace\n")
    (coder.path / "skills" / "mine").mkdir()
    (coder.path / "skills" / "mine" / "SKILL.md").write_text("how to")
    (place / "bin" / "a program").write_text("somebody's")
    (place / ".hermes" / "config.yaml").write_text("model: x\n")
    (place / ".hermes" / "profiles" / "stray.txt").write_text("somebody's")
    house.ports.homes.write_sticky_default(CODER)
    await house.services.profiles.all()
    await done(house, await house.services.profiles.delete(LOST, purge=False, requester=REQUESTER))
    await house.start("coder")
    return house


async def done(house: House, operation: Operation) -> Operation:
    """The operation once it needs nothing but time any more."""
    return await house.now(operation)


Act = Callable[[HouseOnDisk], Awaitable[Operation | None]]


@dataclass(frozen=True)
class Verb:
    """Something that people ask for; an `Operation` if it is one."""

    name: str
    act: Act

    def __str__(self) -> str:
        return self.name


async def _create(house: HouseOnDisk) -> Operation:
    return await house.services.creations.create(NewProfile(FRESH, "writes"), REQUESTER)


async def _rename(house: HouseOnDisk) -> Operation:
    return await house.services.renames.rename(CODER, WRITER, REQUESTER)


async def _delete(house: HouseOnDisk) -> Operation:
    return await house.services.profiles.delete(CODER, purge=False, requester=REQUESTER)


async def _purge(house: HouseOnDisk) -> Operation:
    return await house.services.profiles.delete(CODER, purge=True, requester=REQUESTER)


async def _restore(house: HouseOnDisk) -> Operation:
    (entry,) = await house.services.trash.all(with_sizes=False)
    return await house.services.trash.restore(entry.entry.note.id, None, REQUESTER)


async def _empty(house: HouseOnDisk) -> Operation:
    (entry,) = await house.services.trash.all(with_sizes=False)
    return await house.services.trash.empty([entry.entry.note.id], REQUESTER)


async def _use(house: HouseOnDisk) -> None:
    await house.services.profiles.use(OTHER)


async def _clear(house: HouseOnDisk) -> None:
    await house.services.profiles.use(ProfileName("default"))


async def _alias(house: HouseOnDisk) -> None:
    house.ports.aliases.create("helper", OTHER)


async def _unalias(house: HouseOnDisk) -> None:
    (alias,) = (one for one in house.ports.aliases.scan() if one.name == "bot")
    house.ports.aliases.remove(alias)


VERBS = (
    Verb("create", _create),
    Verb("rename", _rename),
    Verb("delete", _delete),
    Verb("purge", _purge),
    Verb("restore", _restore),
    Verb("empty the trash", _empty),
    Verb("use another", _use),
    Verb("use none", _clear),
    Verb("make an alias", _alias),
    Verb("remove an alias", _unalias),
)
"""All of them. Each is done to a house that `furnished` made."""


@dataclass(frozen=True)
class Picture:
    """All that a person could tell afterwards."""

    homes: Mapping[str, Tree]
    """Every byte and mode of each, by name."""
    rest: object
    """Every byte of the root that is in no home and no staging, and that is no litter (see `staged`)."""
    trash: object
    """Every byte and mode of each entry, and what its note says."""
    aliases: object
    """Every byte and mode of the bin directory."""
    default: str
    gateways: Mapping[str, str]
    processes: int
    known: Mapping[str, str]
    """Names by the stable ids that were given before."""

    def differences(self, other: "Picture", *, lagging: "Picture | None" = None) -> list[str]:
        """Which parts differ. What goes by a name, in files or elsewhere, may be as in `lagging` too."""
        parts = [name for name in self.__dataclass_fields__ if getattr(self, name) != getattr(other, name)]
        if lagging is None:
            return parts
        free = {"aliases", "default"} | ({"homes"} if self._is_mixture(other, lagging) else set())
        return [name for name in parts if name not in free]

    def _is_mixture(self, other: "Picture", lagging: "Picture") -> bool:
        """Whether the same homes have the same files, each of them as in either picture."""
        if self.homes.keys() != other.homes.keys():
            return False
        for name, home in self.homes.items():
            known = [other.homes[name], *lagging.homes.values()]
            whole = {path: what for path, what in home.items() if not path.endswith(TEMPORARY_SUFFIX)}
            if whole.keys() != other.homes[name].keys():
                return False
            if not all(any(one.get(path) == what for one in known) for path, what in whole.items()):
                return False
        return True


async def picture(house: HouseOnDisk, ids: Mapping[str, str]) -> Picture:
    """The house now. `ids` are the stable ids of interest; any other is one that was made meanwhile."""
    root, profiles = house.place / ".hermes", house.place / ".hermes" / "profiles"
    found = {home.name.text: home for home in house.ports.homes.scan() if not home.name.is_default}
    whole = snapshot(root)
    own = tuple(f"profiles/{name}" for name in (*found, layout.STAGING))
    bindings = {one.name: one.id for one in await house.store.bindings() if one.name in found}
    assert len(set(bindings.values())) == len(bindings)
    states = {name: await house.state(name) for name in found}
    return Picture(
        {name: snapshot(profiles / name) for name in found},
        {
            path: what
            for path, what in whole.items()
            if not f"{path}/".startswith(tuple(f"{one}/" for one in own))
            and path != "active_profile"
            and not path.endswith(TEMPORARY_SUFFIX)
        },
        [(entry.note, snapshot(entry.path)) for entry in house.trash.scan()],
        snapshot(house.place / "bin"),
        _text(root / "active_profile"),
        {name: state.name for name, state in states.items()},
        len(house.backend.alive),
        {id_: name for name, id_ in bindings.items() if id_ in ids},
    )


@dataclass(frozen=True)
class Outcomes:
    """What a verb starts from and what it comes to."""

    old: Picture
    new: Picture
    ids: Mapping[str, str]
    steps: int
    """Changes of the file system that it takes."""


async def outcomes(verb: Verb, place: Path) -> Outcomes:
    """The verb undisturbed; the disk must have seen everything that it did."""
    house = await furnished(place)
    ids = await ids_of(house)
    old = await picture(house, ids)
    disk = Disk(place)
    with disk.attached():
        await verb.act(house)
        await house.clock.settle()
        disk.cut()
    whole, *_ = disk.survivals()
    assert disk.tree(whole) == snapshot(place), "the disk did not see everything"
    await house.clock.advance(LONG_S)
    new = await picture(house, ids)
    await house.close()
    return Outcomes(old, new, ids, disk.steps)


Work = Callable[[], Awaitable[object]]


async def cut_off(house: HouseOnDisk, disk: Disk, step: int, work: Work) -> MemoryStore:
    """Does `work` until the power fails at a step, or after the last one; returns the store as of then."""
    kept: list[MemoryStore] = []
    with disk.attached():
        disk.cut_at(step, lambda: kept.append(copied(house.store)))
        try:
            await work()
            await house.clock.settle()
        except Crash:
            pass
        disk.cut()
        await house.close()
    return kept[0]


async def ids_of(house: HouseOnDisk) -> Mapping[str, str]:
    """Every stable id that is given now, or was given to what lies in the trash, with its name."""
    known = {one.id: one.name for one in await house.store.bindings() if one.name != "default"}
    return known | {entry.note.profile_id: entry.note.name.text for entry in house.trash.scan()}


def staged(house: HouseOnDisk) -> list[str]:
    """Litter: what lies in staging and is neither an entry of the trash nor its note, or half written anywhere."""
    profiles = house.place / ".hermes" / "profiles"
    entries = [entry.path for entry in house.trash.scan()]
    kept = {path for entry in entries for path in (entry, entry.with_name(f"{entry.name}.json"))}
    staging = profiles / layout.STAGING
    found = [path for place in ("new", "trash") for path in (staging / place).glob("*") if path not in kept]
    found += [path for path in house.place.rglob("*.tmp") if "trash" not in path.parts]
    return [str(path.relative_to(house.place)) for path in found]


async def operations_in(store: MemoryStore) -> Mapping[str, Operation]:
    """Every operation there ever was, by id."""
    return {one.id: one for one in await store.operations(profile="", limit=100)}


def copied(store: MemoryStore) -> MemoryStore:
    """The store as it is now, whatever is written later."""
    return copy.deepcopy(store)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
