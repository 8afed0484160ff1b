"""The tree of profiles in memory.

Owns: which homes exist and what they hold. Must not know a file system; paths are values that name nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from hermesd.domain.errors import ArgumentInvalid, HermesError, NotFound, ProfileExists, ProfileNotFound
from hermesd.domain.layout import STAGING
from hermesd.domain.profile import DEFAULT, Home, HomeIdentity, ProfileName, sort_key
from hermesd.domain.trash import TrashNote
from tests.fakes.faults import Faults


@dataclass
class StoredHome:
    """One home's contents."""

    identity: HomeIdentity
    files: dict[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()


class MemoryHomes:
    """Homes (port `Homes`) below a root that need not exist."""

    def __init__(self, root: Path = Path("/nowhere/.hermes"), *, has_root: bool = True) -> None:
        self.faults = Faults()
        self.root = root
        self.trash: dict[Path, tuple[TrashNote, StoredHome]] = {}
        self.sticky_text: str | None = None
        """What the sticky default's file says; `None` if there is none."""
        self._chosen_and_before: tuple[ProfileName, ProfileName] | None = None
        self._homes: dict[ProfileName, StoredHome] = {}
        self._numbers = count(1)
        if has_root:
            self.add(DEFAULT)

    def add(self, name: str, files: Mapping[str, str] | None = None) -> Home:
        """Someone else makes a home, or writes into the one that is there."""
        parsed = ProfileName(name)
        stored = self._homes.setdefault(parsed, StoredHome(self._new_identity()))
        stored.files.update(files or {})
        return self._home(parsed)

    def drop(self, name: str) -> None:
        """Someone else removes a home."""
        del self._homes[ProfileName(name)]

    def replace(self, name: str) -> Home:
        """Someone else removes a home and puts another directory in its place."""
        self.drop(name)
        return self.add(name)

    def mount(self, other: "MemoryHomes") -> None:
        """What is in another tree comes to be here too."""
        self._homes.update(other._homes)

    def rename(self, name: str, to: str) -> None:
        """Someone else renames a home."""
        self._homes[ProfileName(to)] = self._homes.pop(ProfileName(name))

    def files_of(self, name: str) -> dict[str, str]:
        """What the files of a home say, by relative path."""
        return self._homes[ProfileName(name)].files

    def scan(self) -> list[Home]:
        self.faults.trip("scan")
        return [self._home(name) for name in sorted(self._homes, key=sort_key)]

    def find(self, name: ProfileName) -> Home | None:
        self.faults.trip("find")
        return self._home(name) if name in self._homes else None

    def create(
        self,
        name: ProfileName,
        files: Mapping[str, str],
        directories: Sequence[str],
        *,
        fill: Callable[[Path], None] = lambda _: None,
    ) -> Home:
        self.faults.trip("create")
        self._refuse_taken(name)
        fill(self.root / "profiles" / STAGING / "new" / name.text)
        self._refuse_taken(name)
        self._homes.setdefault(ProfileName(DEFAULT), StoredHome(self._new_identity()))
        self._homes[name] = StoredHome(self._new_identity(), dict(files), tuple(directories))
        return self._home(name)

    def place_for(self, name: ProfileName) -> Path:
        self.faults.trip("place_for")
        self._refuse_taken(name)
        return self.root / "profiles" / name.text

    def move_to_trash(self, home: Home, note: TrashNote) -> Path:
        self.faults.trip("move_to_trash")
        stored = self._take_away(home)
        trashed = self.root / "profiles" / STAGING / "trash" / f"{note.name}-{note.id}"
        self.trash[trashed] = (note, stored)
        return trashed

    def bring_back(self, path: Path, name: ProfileName) -> Home:
        """Puts a home of the trash back into the tree; for the fake of the trash alone."""
        if name in self._homes:
            raise ProfileExists(f"cannot bring back '{name}': a profile of this name exists", profile=str(name))
        self._homes[name] = self.trash.pop(path)[1]
        return self._home(name)

    def purge(self, home: Home) -> None:
        self.faults.trip("purge")
        self._take_away(home)

    def move(self, home: Home, name: ProfileName) -> Home:
        self.faults.trip("move")
        if home.name.is_default or name.is_default:
            raise ArgumentInvalid("the home of 'default' cannot move: it holds every other profile")
        if self.find(home.name) != home:
            raise ProfileNotFound(f"cannot rename '{home.name}': its home is gone", profile=str(home.name))
        if name in self._homes:
            raise ProfileExists(f"cannot rename '{home.name}': '{name}' exists", profile=str(name))
        self.rename(home.name.text, name.text)
        return self._home(name)

    def recover(self) -> None:
        self.faults.trip("recover")

    def sticky_default(self) -> ProfileName:
        self.faults.trip("sticky_default")
        name = self._named_default()
        return name if name in self._homes else ProfileName(DEFAULT)

    def write_sticky_default(self, name: ProfileName) -> ProfileName:
        self.faults.trip("write_sticky_default")
        before = self._named_default()
        if before != name:
            self._chosen_and_before = (name, before)
        self.sticky_text = None if name.is_default else f"{name}\n"
        return before

    def previous_default(self) -> ProfileName:
        self.faults.trip("previous_default")
        if self._chosen_and_before is None:
            raise NotFound("no sticky default before this one is known")
        chosen, before = self._chosen_and_before
        return before if self._named_default() == chosen else chosen

    def rename_sticky_default(self, before: ProfileName, after: ProfileName) -> None:
        self.faults.trip("rename_sticky_default")
        if self._chosen_and_before is not None:
            chosen, previous = (after if name == before else name for name in self._chosen_and_before)
            self._chosen_and_before = (chosen, previous)
        if self._named_default() == before:
            self.sticky_text = f"{after}\n"

    def _named_default(self) -> ProfileName:
        try:
            return ProfileName.parse(self.sticky_text or DEFAULT)
        except HermesError:
            return ProfileName(DEFAULT)

    def _refuse_taken(self, name: ProfileName) -> None:
        if name in self._homes or name.is_default:
            raise ProfileExists(f"cannot create '{name}': a profile of this name exists", profile=str(name))

    def _take_away(self, home: Home) -> StoredHome:
        if home.name.is_default:
            raise ArgumentInvalid("cannot remove the home of 'default': it holds every other profile")
        if self.find(home.name) != home:
            raise ProfileNotFound(f"cannot remove '{home.name}': its home is gone", profile=str(home.name))
        return self._homes.pop(home.name)

    def _home(self, name: ProfileName) -> Home:
        path = self.root if name.is_default else self.root / "profiles" / name.text
        return Home(name, path, self._homes[name].identity)

    def _new_identity(self) -> HomeIdentity:
        number = next(self._numbers)
        return HomeIdentity(device=1, inode=number, birth_ns=1_700_000_000_000_000_000 + number)
