"""Archives in memory: a document of names and texts. Passes the suite of `tests/contracts/test_archives.py`."""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

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
from hermesd.domain.errors import ArchiveCorrupt, Cancelled, HermesError
from hermesd.domain.inventory import Inventory, Judged, Kind, Member, Staying
from hermesd.domain.profile import Home

LEAST = 12


@dataclass
class MemoryArchives:
    """Profiles as archives, of homes that are only known here."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)
    """What each home holds, by its name."""
    staged: dict[Path, dict[str, str]] = field(default_factory=dict)
    """Copies that were not dropped."""
    unpacked: dict[Path, dict[str, str]] = field(default_factory=dict)
    """What was made where."""
    scratches: list[Path] = field(default_factory=list)
    """Directories that are there now."""
    spools: list["MemorySpool"] = field(default_factory=list)
    """Every archive that arrived."""
    refusal: HermesError | None = None
    """What `stage` and `unpack` raise."""
    warnings: list[str] = field(default_factory=list)
    """What `stage` and `unpack` warn of."""
    meanwhile: Callable[[], object] = lambda: None
    """Happens while something is copied or unpacked."""

    def stage(
        self,
        home: Home,
        order: ExportOrder,
        secrets: Sequence[Secret],
        hide: Callable[[Path], list[str]],
        report: Callable[[str, int, int], None],
        is_cancelled: Callable[[], bool],
    ) -> Staged:
        """A copy of what the home holds."""
        self.meanwhile()
        if self.refusal is not None:
            raise self.refusal
        report("copy", 0, 0)
        place = Path(f"/nowhere/new/export-{home.name}-{len(self.staged)}")
        leaks = [Leak("config.yaml", f"config.yaml: {key}", "as it is") for key in hide(place)]
        kept, staying = dict[str, str](), list[Staying]()
        for path, text in sorted(self.files.get(home.name.text, {}).items()):
            if is_cancelled():
                raise Cancelled("the export was cancelled")
            names = path.split("/")
            why = stays_because(names, is_root=home.name.is_default, has_sessions=order.has_sessions)
            if why:
                staying.append(Staying(path, why))
                continue
            for secret in secrets:
                if len(secret.value) >= LEAST and secret.value in text:
                    other = "" if secret.profile == home.name.text else f" of {secret.profile}"
                    leaks.append(Leak(path, f"{secret.file}: {secret.key}{other}", "as it is"))
                    text = text.replace(secret.value, "x" * len(secret.value)) if order.is_redacting else text
            kept[path] = text
        self.staged[place] = kept
        entries = [Entry(path, len(text)) for path, text in kept.items()]
        return Staged(home.name.text, place, Contents(entries, staying, leaks, list(self.warnings)))

    def pack(self, staged: Staged) -> Generator[bytes]:
        """In two pieces."""
        data = json.dumps({"root": staged.root, "files": self.staged[staged.path]}).encode()
        yield data[:10]
        yield data[10:]

    def drop(self, staged: Staged) -> None:
        """Forgets the copy."""
        del self.staged[staged.path]

    def spool(self) -> "MemorySpool":
        """An empty one."""
        spool = MemorySpool(self)
        self.spools.append(spool)
        return spool

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A path that names nothing."""
        place = Path(f"/nowhere/new/import-{name}")
        self.scratches.append(place)
        try:
            yield place
        finally:
            self.scratches.remove(place)
            self.unpacked.pop(place, None)


@dataclass
class MemorySpool:
    """An archive in memory."""

    archives: MemoryArchives
    data: bytes = b""
    is_closed: bool = False

    @property
    def size_bytes(self) -> int:
        """How much has arrived."""
        return len(self.data)

    @property
    def digest(self) -> str:
        """Of what has arrived."""
        return sha256(self.data).hexdigest()

    def write(self, data: bytes) -> None:
        """Adds what arrived."""
        self.data += data

    def judge(self, most_bytes: int) -> Judged:
        """By the rules of the domain."""
        found = Inventory(most_bytes)
        root, files = self._read()
        for path, text in files.items():
            found.add(Member(f"{root}/{path}", Kind.FILE, len(text)))
        return found.judged(not_taken_because)

    def unpack(self, what: Judged, most_bytes: int, target: Path, is_cancelled: Callable[[], bool]) -> list[str]:
        """Remembers what is where."""
        self.archives.meanwhile()
        if self.archives.refusal is not None:
            raise self.archives.refusal
        if is_cancelled():
            raise Cancelled("the import was cancelled")
        taken = {"/".join(one.names) for one in what.contents}
        files = self._read()[1]
        self.archives.unpacked[target] = {path: text for path, text in files.items() if path in taken}
        return list(self.archives.warnings)

    def close(self) -> None:
        """Nothing reads it any more."""
        self.is_closed = True

    def _read(self) -> tuple[str, dict[str, str]]:
        try:
            document = json.loads(self.data)
            return document["root"], document["files"]
        except (ValueError, KeyError, TypeError) as error:
            raise ArchiveCorrupt("it is no archive") from error
