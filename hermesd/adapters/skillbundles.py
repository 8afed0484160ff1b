"""Bundles: the skills that come with an agent and with hermesd, as one set.

Owns: which skills that are, whose wins where two have one name or place, and reading each only when it changed.
Must not know profiles. A bundle is trusted as the program is that it comes with: its links to files are followed.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from hermesd.adapters.skilltrees import (
    SKILL_FILE,
    Hashes,
    Part,
    directories_below,
    look,
    name_of,
    trace,
)
from hermesd.domain.errors import HermesError
from hermesd.domain.skills import Version

DESCRIPTION = "DESCRIPTION.md"


@dataclass(frozen=True)
class BundledSkill:
    """One skill of a bundle."""

    name: str
    path: str
    """Where it is, relative to the bundle, and where it goes, relative to the skills of a profile."""
    source: str
    """Its directory."""
    version: Version
    parts: tuple[Part, ...]
    inner: tuple["BundledSkill", ...] = ()
    """Skills within it, which come and go with it."""


@dataclass(frozen=True)
class Bundle:
    """A set of skills, in order."""

    skills: tuple[BundledSkill, ...]
    descriptions: tuple[tuple[str, str], ...]
    """Texts about categories: where each goes, and its file."""
    digest: str
    """Stands for all of it."""

    @cached_property
    def names(self) -> frozenset[str]:
        """Of every skill, those within others too."""
        return frozenset(
            name for one in self.skills for name in (one.name, *(within.name for within in one.inner))
        )

    @cached_property
    def places(self) -> frozenset[str]:
        """Where each of them is."""
        return frozenset(
            path for one in self.skills for path in (one.path, *(within.path for within in one.inner))
        )


class SkillBundles:
    """Reads bundles, and remembers what it read."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, BundledSkill]] = {}
        """By source: fingerprint and skill."""

    def read(self, sources: Sequence[Path]) -> Bundle:
        """The skills of these directories; the first source of a name or a place wins.

        Raises:
            OSError: one of them cannot be read.
            HermesError: one of them changes meanwhile.
        """
        chosen = _Chosen()
        descriptions: dict[str, str] = {}
        for source in sources:
            root = Path(os.path.realpath(source))
            found = dict(directories_below(root))
            for skill in self._skills_of(root, [path for path, files in found.items() if SKILL_FILE in files]):
                chosen.offer(skill)
            for path, files in found.items():
                if DESCRIPTION in files and not chosen.has(path):
                    descriptions.setdefault(f"{path}/{DESCRIPTION}", f"{root}/{path}/{DESCRIPTION}")
        ordered = tuple(sorted(chosen.skills, key=lambda one: one.path))
        return Bundle(ordered, tuple(sorted(descriptions.items())), _digest(ordered, descriptions))

    def _skills_of(self, root: Path, paths: Sequence[str]) -> Iterator[BundledSkill]:
        outer = "/"
        for path in paths:
            if path.startswith(f"{outer}/"):
                continue
            outer = path
            within = [one for one in paths if one.startswith(f"{path}/")]
            yield self._skill(root, path, within)

    def _skill(self, root: Path, path: str, within: Sequence[str]) -> BundledSkill:
        source = str(root / path)
        found = trace(source, is_source=True)
        known = self._read.get(source)
        if known is not None and known[0] == found.fingerprint:
            return known[1]
        inner = tuple(_read_skill(root, one) for one in within)
        skill = _read_skill(root, path, inner)
        if trace(source, is_source=True).fingerprint != found.fingerprint:
            raise HermesError(f"cannot read {source}: it changes meanwhile")
        if found.is_settled:
            self._read[source] = (found.fingerprint, skill)
        return skill


def _read_skill(root: Path, path: str, inner: tuple[BundledSkill, ...] = ()) -> BundledSkill:
    source = str(root / path)
    looked = look(source, is_source=True)
    hashes = Hashes()
    for part in looked.parts:
        hashes.add(part, b"" if part.is_directory else Path(source, part.path).read_bytes())
    return BundledSkill(name_of(source), path, source, hashes.version, looked.parts, inner)


class _Chosen:
    """Skills of which each can be told in a manifest, and has a name and a place of its own."""

    def __init__(self) -> None:
        self.skills: list[BundledSkill] = []
        self._names: set[str] = set()
        self._places: set[PurePath] = set()
        self._above: set[PurePath] = set()
        """Directories that hold one of them."""

    def has(self, path: str) -> bool:
        """Whether a directory is a part of one of them."""
        place = PurePath(path)
        return not self._places.isdisjoint([place, *place.parents])

    def offer(self, skill: BundledSkill) -> None:
        """Takes a skill, unless it collides with one that was taken."""
        place = PurePath(skill.path)
        names = {skill.name, *(one.name for one in skill.inner)}
        if ":" in skill.name or not skill.name.isprintable() or names & self._names:
            return
        if place in self._above or self.has(skill.path):
            return
        self.skills.append(skill)
        self._names |= names
        self._places.add(place)
        self._above.update(place.parents)


def _digest(skills: Sequence[BundledSkill], descriptions: Iterable[str]) -> str:
    lines = [f"{one.name}\0{one.path}\0{one.version.md5}\0{one.version.digest}" for one in skills]
    return hashlib.sha256(
        "\n".join([*lines, "", *sorted(descriptions)]).encode("utf-8", "surrogateescape")
    ).hexdigest()
