"""Skills as directories: what they are called, and what they consist of.

Owns: reading a skill so that two can be compared, cheaply by what the file system says of its files, and exactly
by their bytes. Must not know where skills come from or what becomes of them.

A name is what hermes-agent 0.19.0 takes for it, and so is the first of the two hashes.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.skills import UNKNOWABLE, Version

SKILL_FILE = "SKILL.md"
NAME_CHARACTERS = 4000
"""As much of a skill's file as is searched for its name."""

CLOSED = 2
"""Fences after which the front matter is over."""

EXCLUDED = frozenset(
    ".git .github .hub .archive .venv venv node_modules site-packages __pycache__ .tox .nox .pytest_cache "
    ".mypy_cache .ruff_cache".split()
)
"""Directories in which nothing is a skill."""

SUPPORT = frozenset({"references", "templates", "assets", "scripts"})
"""Directories inside a skill in which nothing is another one."""


RACY_NS = 50_000_000
"""A file that changed this shortly before it was looked at may change again without a sign: clocks tick slowly."""


@dataclass(frozen=True)
class Part:
    """A file or directory of a skill."""

    path: str
    """Relative to the skill."""
    is_directory: bool
    is_executable: bool


@dataclass(frozen=True)
class Look:
    """A skill without its bytes."""

    parts: tuple[Part, ...]
    """In the order in which they are hashed."""
    is_plain: bool
    """Whether it consists of files and directories only."""


@dataclass(frozen=True)
class Trace:
    """What tells, without reading anything, that a skill is still as it was."""

    fingerprint: str
    """Changes with whatever happens to any of its files, but not if the whole of it is moved."""
    is_settled: bool
    """Whether the last change was long enough ago for the fingerprint to be trusted."""


def look(directory: str, *, is_source: bool = False) -> Look:
    """Looks at a skill, following no link but, in a source, those to files.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no directory of this name.
        OSError: it cannot be read.
    """
    found = sorted(_walk(directory, is_source=is_source), key=lambda one: one[0].split("/"))
    parts = tuple(
        Part(path, is_dir := stat.S_ISDIR(status.st_mode), is_dir or bool(status.st_mode & stat.S_IXUSR))
        for path, status in found
    )
    is_plain = all(stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode) for _, status in found)
    return Look(parts, is_plain)


def trace(directory: str, *, is_source: bool = False) -> Trace:
    """What tells that the skill is still as it is now; raises as `look` does.

    Whatever happens to a file changes the time of its last change, which nobody can set. This is done for each
    copy in each profile, so it is written for speed.
    """
    seen = []
    newest_ns = 0
    pending = [(directory, "")]
    while pending:
        at, prefix = pending.pop()
        with os.scandir(at) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=is_source and entry.is_file())
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, f"{path}/"))
                    seen.append(f"{path}/{status.st_ino}")
                    continue
                changed_ns = status.st_ctime_ns
                seen.append(f"{path}\0{status.st_ino} {status.st_size} {changed_ns}")
                if changed_ns > newest_ns:
                    newest_ns = changed_ns
    seen.sort()
    fingerprint = hashlib.blake2b(os.fsencode("\n".join(seen)), digest_size=16).hexdigest()
    return Trace(fingerprint, newest_ns < time.time_ns() - RACY_NS)


def version_of(directory: str) -> Version:
    """Reads a skill in a profile. What holds a link, or cannot be read, is like nothing that is bundled.

    Raises:
        FileNotFoundError: there is none.
    """
    hashes = Hashes()
    try:
        looked = look(directory)
        if not looked.is_plain:
            return UNKNOWABLE
        for part in looked.parts:
            hashes.add(part, b"" if part.is_directory else read_plain(f"{directory}/{part.path}"))
    except FileNotFoundError:
        if not os.path.lexists(directory):
            raise
        return UNKNOWABLE  # somebody is at work in it
    except OSError:
        return UNKNOWABLE
    return hashes.version


class Hashes:
    """Both hashes of a skill, part by part."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._digest = hashlib.sha256()

    def add(self, part: Part, data: bytes) -> None:
        """Adds the next part; directories count for the second hash only."""
        path = os.fsencode(part.path)
        if not part.is_directory:
            self._md5.update(path)
            self._md5.update(data)
        kind = "d" if part.is_directory else "x" if part.is_executable else "f"
        self._digest.update(f"{kind} {len(path)} {len(data)}\n".encode())
        self._digest.update(path)
        self._digest.update(data)

    @property
    def version(self) -> Version:
        """What was added until now."""
        return Version(self._md5.hexdigest(), self._digest.hexdigest())


def read_plain(path: str) -> bytes:
    """The bytes of a file, and of nothing else: no link is followed and no pipe waited for.

    Raises:
        OSError: it is none, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def name_of(directory: str) -> str:
    """What the skill in this directory is called: by its own file, else as the directory."""
    fallback = os.path.basename(directory)  # noqa: PTH119 - asked for hundreds of skills
    try:
        with open(f"{directory}/{SKILL_FILE}", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            text = file.read(NAME_CHARACTERS)
    except OSError:
        return fallback
    fences = 0
    for line in (line.strip() for line in text.split("\n")):
        fences += line == "---"
        if fences == CLOSED:
            break
        value = line.removeprefix("name:").strip().strip("\"'") if fences and line.startswith("name:") else ""
        if value:
            return value
    return fallback


def skills_below(root: Path) -> Iterator[str]:
    """Every skill below a directory, relative to it, in order; those within another one follow it.

    The directory itself is never one. No link to a directory is followed. What cannot be read holds none.
    """
    return (relative for relative, files in directories_below(root) if SKILL_FILE in files)


def directories_below(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Every directory that can be a skill, relative to this one, in order, with the names of its files."""
    start = len(os.fspath(root)) + 1
    for directory, names, files in os.walk(root):
        relative = directory[start:]
        if relative:
            yield relative, files
        names[:] = sorted(set(names) - EXCLUDED - (SUPPORT if SKILL_FILE in files else frozenset()))


def _walk(directory: str, *, is_source: bool, prefix: str = "") -> list[tuple[str, os.stat_result]]:
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            if is_source and stat.S_ISLNK(status.st_mode):
                if not entry.is_file():  # hermes-agent hashes none of what a link to a directory leads to
                    continue
                status = entry.stat()
            found.append((prefix + entry.name, status))
            if stat.S_ISDIR(status.st_mode):
                found += _walk(entry.path, is_source=is_source, prefix=f"{prefix}{entry.name}/")
    return found
