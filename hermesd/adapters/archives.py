"""Archives of profiles (port `Archives`): made of a private copy, and unpacked into a private directory.

Owns: the order of copying, searching and packing, and where all of that lies meanwhile: in the staging directory
of homes, where whatever a crash leaves is removed. Must not know whose secrets are searched for, nor what an agent
makes of a home.
"""

import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hermesd.adapters import packing, secretsearch, unpacking
from hermesd.adapters.agents.clones import copy_home, printable
from hermesd.adapters.ids import new_id
from hermesd.adapters.needles import Needles
from hermesd.adapters.oserrors import translating
from hermesd.adapters.snapshots import Snapshots
from hermesd.adapters.treecopy import Order
from hermesd.adapters.trees import ensure_private, make_private, remove_tree
from hermesd.domain.archive import (
    Contents,
    Entry,
    ExportOrder,
    Leak,
    Secret,
    Staged,
    not_taken_because,
    stays_because,
)
from hermesd.domain.errors import Cancelled
from hermesd.domain.inventory import Judged, Kind, Names, Staying
from hermesd.domain.layout import STAGING
from hermesd.domain.profile import Home

CONFIG = "config.yaml"
_SIDECARS = ("-wal", "-journal", "-shm")
_EVERY = 64
"""Files after which it is said how far the search is."""

Report = Callable[[str, int, int], None]
"""Told a phase, how much of it is done, and how much there is; 0 if nobody knows."""


class SpoolFile:
    """An archive that is arriving: a file without a name, which is gone with whoever holds it."""

    def __init__(self, directory: Path) -> None:
        self.size_bytes = 0
        self._directory = directory
        self._sum = hashlib.sha256()
        with translating(directory):
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by who asked for it

    @property
    def digest(self) -> str:
        """Of all that has arrived."""
        return self._sum.hexdigest()

    def write(self, data: bytes) -> None:
        """Adds what arrived."""
        with translating(self._directory):
            self._file.write(data)
        self._sum.update(data)
        self.size_bytes += len(data)

    def judge(self, most_bytes: int) -> Judged:
        """Reads it to its end."""
        with translating(self._directory, "read"):
            return unpacking.inventory(self._file, self.size_bytes, most_bytes).judged(not_taken_because)

    def unpack(self, what: Judged, most_bytes: int, target: Path, is_cancelled: Callable[[], bool]) -> list[str]:
        """Databases that came with what an interrupted writer left are brought to its end."""
        with translating(target, "write into"):
            unpacking.unpack(self._file, self.size_bytes, most_bytes, target, what.contents, is_cancelled)
            return _settled(target, what, is_cancelled)

    def close(self) -> None:
        """Gives its space back."""
        self._file.close()


class ArchivesOnDisk:
    """Archives of the profiles below one root."""

    def __init__(self, root: Path) -> None:
        self._new = root / "profiles" / STAGING / "new"

    def stage(
        self,
        home: Home,
        order: ExportOrder,
        secrets: Sequence[Secret],
        hide: Callable[[Path], list[str]],
        report: Report,
        is_cancelled: Callable[[], bool],
    ) -> Staged:
        """Copies, then searches the copy, which nobody writes."""
        place = self._place(f"export-{home.name}")
        try:
            staying = _Staying(home, has_sessions=order.has_sessions)
            report("copy", 0, 0)
            copy = Order(home.path, place, place, is_wanted=staying.is_wanted, is_cancelled=is_cancelled)
            warnings = copy_home(copy, is_durable=False)
            search = _Search(home, place, Needles(secrets), order, report, is_cancelled)
            search.settings(hide)
            entries = search.files()
            contents = Contents(
                entries,
                sorted([*staying.found, *search.staying], key=lambda one: one.path),
                search.leaks,
                [*warnings, *search.warnings],
            )
        except BaseException:
            self._remove(place)
            raise
        return Staged(home.name.text, place, contents)

    def pack(self, staged: Staged) -> Generator[bytes]:
        """By gzip, as fast as isa-l can."""
        with translating(staged.path, "read"):
            yield from packing.packed(staged.root, packing.Walk(staged.path).items())

    def drop(self, staged: Staged) -> None:
        """Removes the copy."""
        self._remove(staged.path)

    def spool(self) -> SpoolFile:
        """In the staging directory, whose file system will have to hold what it unpacks to."""
        with translating(self._new, "make"):
            ensure_private(self._new)
        return SpoolFile(self._new)

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """In the staging directory."""
        place = self._place(f"import-{name}")
        try:
            yield place
        finally:
            self._remove(place)

    def _place(self, name: str) -> Path:
        place = self._new / f"{name}-{new_id()}"
        with translating(place, "make"):
            ensure_private(self._new)
            make_private(place)
        return place

    def _remove(self, place: Path) -> None:
        with translating(place, "delete"):
            remove_tree(place)


class _Staying:
    """What of a home stays behind, taken down while it is copied."""

    def __init__(self, home: Home, *, has_sessions: bool) -> None:
        self._found: dict[str, Staying] = {}
        self._is_root = home.name.is_default
        self._has_sessions = has_sessions

    @property
    def found(self) -> list[Staying]:
        """Each entry once, and nothing of what is in one."""
        return list(self._found.values())

    def is_wanted(self, names: Names) -> bool:
        """Whether an entry travels; may be asked by several threads at once, and more than once."""
        why = stays_because(names, is_root=self._is_root, has_sessions=self._has_sessions)
        if why:
            path = printable("/".join(names))
            self._found[path] = Staying(path, why)
        return not why


class _Search:
    """The search of a private copy."""

    def __init__(
        self,
        home: Home,
        place: Path,
        needles: Needles,
        order: ExportOrder,
        report: Report,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.leaks: list[Leak] = []
        self.staying: list[Staying] = []
        self.warnings: list[str] = []
        self._home = home
        self._place = place
        self._needles = needles
        self._order = order
        self._report = report
        self._is_cancelled = is_cancelled

    def settings(self, hide: Callable[[Path], list[str]]) -> None:
        """What the settings themselves say is a secret, however short."""
        self.leaks += [Leak(CONFIG, f"{CONFIG}: {key}", "as it is") for key in hide(self._place)]

    def files(self) -> list[Entry]:
        """Every file and directory that is left, once all were looked at."""
        walk = packing.Walk(self._place)
        with translating(self._place, "read"):
            items = list(walk.items())
            kept = []
            for number, item in enumerate(items):
                if self._is_cancelled():
                    raise Cancelled("the export was cancelled")
                if number % _EVERY == 0:
                    self._report("search", number, len(items))
                if item.is_directory or self._look_at(item):
                    size = 0 if item.is_directory else item.path.stat().st_size
                    kept.append(Entry(printable("/".join(item.names)), size, item.is_directory))
        self.staying += [Staying(printable("/".join(names)), why) for names, why in walk.left_out]
        return kept

    def _look_at(self, item: packing.Item) -> bool:
        """Whether a file may travel; if so, no secret that can be written over stands in it."""
        if not self._needles:
            return True
        path = printable("/".join(item.names))
        found = secretsearch.search(item.path, self._needles, self._place.parent)
        if found.unsearched:
            self.warnings.append(f"{path}: {found.unsearched}")
        told = dict.fromkeys([*map(self._needles.told, found.spans), *found.inside])
        new = [Leak(path, self._label(secret), how) for secret, how in told]
        known = {(leak.path, leak.secret) for leak in self.leaks}
        self.leaks += [leak for leak in new if (leak.path, leak.secret) not in known]
        if not told or not self._order.is_redacting or secretsearch.redact(item.path, found, self._needles):
            return True
        item.path.unlink()
        self.staying.append(Staying(path, f"it holds {new[0].secret}, which could not be written over"))
        return False

    def _label(self, secret: Secret) -> str:
        label = f"{secret.file}: {secret.key}"
        return label if secret.profile == self._home.name.text else f"{label} of {secret.profile}"


def _settled(target: Path, what: Judged, is_cancelled: Callable[[], bool]) -> list[str]:
    """Leaves of each database one file alone; returns what a person has to know."""
    files = {"/".join(one.names) for one in what.contents if one.kind in {Kind.FILE, Kind.HARD_LINK}}
    bases = sorted({name.removesuffix(end) for name in files for end in _SIDECARS if name.endswith(f".db{end}")})
    pairs = [(target / name, target / f"{name}.settled") for name in bases if name in files]
    with Snapshots(pairs) as taken:
        troubles = taken.finish(is_cancelled)
    for database, made in pairs:
        if made.exists():
            made.replace(database)
    for name in bases:
        for end in _SIDECARS:
            (target / f"{name}{end}").unlink(missing_ok=True)
    return [f"{printable(str(path.relative_to(target)))}: {why}" for path, why in troubles]
