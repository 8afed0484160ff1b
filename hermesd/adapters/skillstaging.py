"""Copies of bundled skills in the making, in private and on the file system of the profiles.

Owns: how they are written, and the note of what is to be exchanged for what, which is durable before anything is:

    profiles/.hermesd/skills/BATCH/intent.json   what is being done; without it the rest is litter
    profiles/.hermesd/skills/BATCH/HOME/STEP     a new version, and after the exchange what it displaced
    profiles/.hermesd/skills/BATCH/HOME/...      the manifest and texts about categories to be

Must not know when an exchange is right.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters.ids import new_id
from hermesd.adapters.skillbundles import BundledSkill
from hermesd.adapters.skilltrees import Hashes
from hermesd.adapters.syscalls import sync_file_system_of
from hermesd.adapters.trees import PRIVATE, ensure_private, make_private, remove_tree
from hermesd.domain.errors import ChangedMeanwhile
from hermesd.domain.skills import Version

INTENT = "intent.json"


@dataclass(frozen=True)
class Intention:
    """What one step does with one skill, as far as somebody must know who finishes it."""

    staged: str
    """Where the new version is, or what was displaced, relative to the batch."""
    name: str
    path: str
    """Where the skill is, relative to those of the home."""
    new: Version | None
    """`None` if it only goes."""
    old: Version | None
    """`None` if nothing is displaced."""
    inner: tuple[tuple[str, str], ...] = ()
    """Names and hashes of the skills within the new version."""


@dataclass(frozen=True)
class HomeIntent:
    """What is done in one home."""

    home: Path
    inode: int
    steps: tuple[Intention, ...]


class Batch:
    """A directory for what is done at one time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, staging: Path) -> "Batch":
        """A new one."""
        ensure_private(staging)
        path = staging / new_id()
        make_private(path)
        return cls(path)

    def place(self, relative: str) -> Path:
        """A place in it, whose directory is made."""
        place = self.path / relative
        if not place.parent.is_dir():
            make_private(place.parent)
        return place

    def write_skill(self, skill: BundledSkill, relative: str) -> None:
        """Copies a skill: directories 0700, files 0600, and those that can be executed 0700.

        Raises:
            ChangedMeanwhile: it is not what was bundled when it was read.
            OSError: there is no room for it.
        """
        place = self.place(relative)
        make_private(place)
        hashes = Hashes()
        for part in skill.parts:
            data = b""
            if part.is_directory:
                make_private(place / part.path)
            else:
                data = Path(skill.source, part.path).read_bytes()
                write_unflushed(place / part.path, data, PRIVATE if part.is_executable else 0o600)
            hashes.add(part, data)
        if hashes.version != skill.version:
            raise ChangedMeanwhile(f"cannot copy {skill.source}: it changes meanwhile")

    def commit(self, homes: Sequence[HomeIntent]) -> None:
        """Writes down what is to be done, and flushes that and all that was written for it."""
        data = [[os.fspath(home.home), home.inode, [_rendered(step) for step in home.steps]] for home in homes]
        write_unflushed(self.path / INTENT, json.dumps(data).encode())
        sync_file_system_of(self.path)

    def intents(self) -> list[HomeIntent]:
        """What was to be done; nothing if it had not begun, or is over."""
        try:
            data = json.loads((self.path / INTENT).read_bytes())
            return [HomeIntent(Path(home), inode, tuple(map(_parsed, steps))) for home, inode, steps in data]
        except (OSError, ValueError, LookupError, TypeError):
            return []

    def close(self) -> None:
        """Removes it, what it is about first."""
        (self.path / INTENT).unlink(missing_ok=True)
        remove_tree(self.path)


def batches(staging: Path) -> Iterator[Batch]:
    """What is there of those that did not come to their end."""
    if staging.is_dir():
        yield from (Batch(path) for path in sorted(staging.iterdir()))


def write_unflushed(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Makes a file that must not exist yet; it is flushed with all others of its batch."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        os.fchmod(descriptor, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _rendered(step: Intention) -> list[object]:
    return [step.staged, step.name, step.path, _version(step.new), _version(step.old), step.inner]


def _version(version: Version | None) -> list[str] | None:
    return None if version is None else [version.md5, version.digest]


def _parsed(fields: list[object]) -> Intention:
    staged, name, path, new, old, inner = fields
    pairs = inner if isinstance(inner, list) else []
    return Intention(
        str(staged), str(name), str(path), _parsed_version(new), _parsed_version(old), tuple(map(tuple, pairs))
    )


def _parsed_version(fields: object) -> Version | None:
    return Version(*fields) if isinstance(fields, list) else None
