"""What is remembered of the skills of each profile, outside of it: what was installed, and what was seen last.

Owns: the files, one for each home, by the home's identity, so that a record follows a rename and never serves a
copy. A record may be lost: the manifest in the profile then has to do. Nothing waits for the disk, and what cannot
be read is no record. Must not know what becomes of a skill.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from hermesd.adapters import jsontext
from hermesd.adapters.ids import new_id
from hermesd.adapters.oserrors import translating
from hermesd.adapters.syscalls import identify, sync_file_system_of
from hermesd.adapters.trees import ensure_private
from hermesd.domain.skills import Decision, SkillSync, Version

FORMAT = 1
SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class SkillRecord:
    """What is remembered of one skill in one home."""

    origin: Version | None
    """What was installed; `None` if nothing was."""
    bundled: Version
    """What was bundled when it was last decided about."""
    copy: Version | None
    """What was there then."""
    decision: Decision
    fingerprint: str = ""
    """Of that copy; empty if it cannot be relied on."""


@dataclass(frozen=True)
class HomeRecord:
    """What is remembered of one home."""

    control: str = ""
    """What the files beside the skills were like; empty if something is left to be done."""
    bundle: str = ""
    """Digest of what was bundled."""
    skills: Mapping[str, SkillRecord] = field(default_factory=dict)
    descriptions: frozenset[str] = frozenset()
    """Texts about categories that were put there once."""
    problems: tuple[str, ...] = ()

    @cached_property
    def sync(self) -> SkillSync:
        """How it is told if nothing has changed since."""
        return SkillSync({name: one.decision for name, one in self.skills.items()}, self.problems)


class SkillRecords:
    """Records below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[Path, HomeRecord] = {}
        """As they are on disk: nobody else writes them."""

    def read(self, home: Path) -> HomeRecord:
        """The record of a home; an empty one if there is none."""
        path = self._path(home)
        if path not in self._known:
            try:
                self._known[path] = _parse(jsontext.parse(path.read_bytes()))
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                return HomeRecord()
        return self._known[path]

    def write(self, records: Mapping[Path, HomeRecord]) -> None:
        """Replaces the records of these homes.

        All of them are flushed at once: a file system flushes by itself, and one by one, what is renamed onto
        another file before it is flushed.

        Raises:
            DiskFull, NotPermitted: they cannot be written.
        """
        if not records:
            return
        temporaries: dict[Path, tuple[Path, HomeRecord]] = {}
        with translating(self._directory):
            ensure_private(self._directory)
            try:
                for home, record in records.items():
                    path = self._path(home)
                    temporary = path.with_suffix(f".{new_id()}.tmp")
                    temporaries[temporary] = (path, record)
                    _write(temporary, json.dumps(_rendered(record), separators=(",", ":")))
                sync_file_system_of(self._directory)
                for temporary, (path, record) in temporaries.items():
                    temporary.replace(path)
                    self._known[path] = record
            finally:
                for temporary, (path, record) in temporaries.items():
                    if self._known.get(path) is not record:
                        temporary.unlink(missing_ok=True)

    def keep_only(self, homes: Iterable[Path]) -> None:
        """Drops the records of all other homes, and what writers left that were cut off."""
        kept = {self._path(home) for home in homes}
        self._known = {path: record for path, record in self._known.items() if path in kept}
        with translating(self._directory, "clean up"):
            for path in self._directory.glob("*"):
                if path not in kept:
                    path.unlink(missing_ok=True)

    def _path(self, home: Path) -> Path:
        found = identify(home)
        return self._directory / f"{found.device:x}-{found.inode:x}-{found.birth_ns:x}{SUFFIX}"


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def _rendered(record: HomeRecord) -> dict[str, object]:
    return {
        "format": FORMAT,
        "control": record.control,
        "bundle": record.bundle,
        "skills": {name: _rendered_skill(one) for name, one in record.skills.items()},
        "descriptions": sorted(record.descriptions),
        "problems": record.problems,
    }


def _rendered_skill(skill: SkillRecord) -> list[object]:
    """Short for the many that are as they are bundled."""
    bundled = _rendered_version(skill.bundled)
    if skill.decision is Decision.UNCHANGED and skill.origin == skill.copy == skill.bundled:
        return [bundled, skill.fingerprint]
    return [
        bundled,
        skill.fingerprint,
        skill.decision,
        skill.origin and _rendered_version(skill.origin),
        skill.copy and _rendered_version(skill.copy),
    ]


def _rendered_version(version: Version) -> str:
    return f"{version.md5} {version.digest}"


def _parse(data: dict[str, object]) -> HomeRecord:
    skills, descriptions, problems = data["skills"], data["descriptions"], data["problems"]
    if data["format"] != FORMAT or not isinstance(skills, dict) or not isinstance(descriptions, list):
        raise ValueError("an unknown format")
    return HomeRecord(
        str(data["control"]),
        str(data["bundle"]),
        {name: _parse_skill(one) for name, one in skills.items()},
        frozenset(descriptions),
        tuple(str(one) for one in problems) if isinstance(problems, list) else (),
    )


def _parse_skill(fields: list[str]) -> SkillRecord:
    bundled = _parse_version(fields[0])
    if len(fields) == len(("bundled", "fingerprint")):
        return SkillRecord(bundled, bundled, bundled, Decision.UNCHANGED, fields[1])
    decision, origin, copy = fields[2:]
    return SkillRecord(
        _parse_version(origin) if origin else None,
        bundled,
        _parse_version(copy) if copy else None,
        Decision(decision),
        fields[1],
    )


@lru_cache(4096)
def _parse_version(text: str) -> Version:
    md5, _, digest = text.partition(" ")
    return Version(md5, digest)
