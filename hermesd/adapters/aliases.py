"""Alias programs in the person's bin directory.

Owns: reading, writing and removing alias files without ever replacing anybody else's. Must not know what an
alias file says: that is `domain/alias.py`.
"""

import os
import re
import shutil
import stat
from dataclasses import replace
from pathlib import Path

from hermesd.adapters.atomic import TEMPORARY_SUFFIX, sync_directory, write_atomic
from hermesd.adapters.ids import LENGTH
from hermesd.adapters.oserrors import translating
from hermesd.adapters.trees import ensure_shared
from hermesd.domain.alias import BEGINNING, RECOGNISED_BYTES, Alias, check_name, recognise, render
from hermesd.domain.errors import AliasTaken
from hermesd.domain.profile import NAME_PATTERN, ProfileName

ALIAS_MODE = 0o755

UNFINISHED = re.compile(rf"\.{NAME_PATTERN.pattern}\.[a-z0-9]{{{LENGTH}}}{re.escape(TEMPORARY_SUFFIX)}")
"""Names of aliases that are being written."""


class AliasesInBin:
    """Aliases (port `Aliases`) in one directory, usually `~/.local/bin`."""

    def __init__(self, directory: Path, launcher: Path, search_path: str) -> None:
        """`launcher` is the absolute path of the launcher's directory, `search_path` the person's PATH."""
        self._directory = directory
        self._launcher = launcher
        self._search_path = search_path

    def scan(self) -> list[Alias]:
        """Every alias, hermes-agent's too, by name."""
        with translating(self._directory, "read"):
            names = sorted(entry.name for entry in _entries(self._directory))
            found = [self._read(name) for name in names if NAME_PATTERN.fullmatch(name)]
        return [alias for alias in found if alias is not None]

    def create(self, name: str, profile: ProfileName) -> Alias:
        """Writes an alias. One of the same profile is brought up to date if it is ours, else left as it is.

        Raises:
            AliasTaken: the name is impossible, a file there is not an alias of this profile, or another
                program of that name is on PATH.
            DiskFull, NotPermitted: the file cannot be written.
        """
        check_name(name)
        self._refuse_program(name)
        path = self._directory / name
        wanted = render(self._launcher, profile).encode()
        if not os.path.lexists(path):
            return self._publish(Alias(name, profile, path, is_ours=True), wanted)
        found = self._read(name)
        if found is None or found.profile != profile:
            raise _taken(name, path, found)
        if found.is_ours and _head(path, len(wanted) + 1) != wanted:
            write_atomic(path, wanted, ALIAS_MODE)
        return found

    def remove(self, alias: Alias) -> None:
        """Removes an alias that is still ours and still this profile's."""
        with translating(alias.path, "remove"):
            found = self._read(alias.name)
            if found is not None and found.is_ours and found.profile == alias.profile:
                found.path.unlink(missing_ok=True)
                sync_directory(self._directory)

    def repoint(self, alias: Alias, profile: ProfileName) -> Alias:
        """Replaces the file of an alias that is still ours and still this profile's, in one step."""
        with translating(alias.path, "change"):
            found = self._read(alias.name)
        if found is None or not found.is_ours or found.profile != alias.profile:
            return alias if found is None else found
        write_atomic(found.path, render(self._launcher, profile).encode(), ALIAS_MODE)
        return replace(found, profile=profile)

    def recover(self) -> None:
        """Removes aliases that were cut off while they were written; what is not the beginning of one stays."""
        with translating(self._directory, "clean up"):
            for entry in _entries(self._directory):
                if UNFINISHED.fullmatch(entry.name) and not entry.is_symlink():
                    head = _head(entry, len(BEGINNING))
                    if BEGINNING.startswith(head):
                        entry.unlink(missing_ok=True)

    def _publish(self, alias: Alias, wanted: bytes) -> Alias:
        with translating(self._directory, "make"):
            ensure_shared(self._directory)
        try:
            write_atomic(alias.path, wanted, ALIAS_MODE, exclusive=True)
        except FileExistsError as error:  # somebody was faster
            raise _taken(alias.name, alias.path, self._read(alias.name)) from error
        return alias

    def _read(self, name: str) -> Alias | None:
        """The alias a file is, or `None`; only a plain file with our mark is ours, never a link to one."""
        path = self._directory / name
        try:
            recognised = recognise(_head(path, RECOGNISED_BYTES).decode(errors="replace"))
        except OSError:  # nothing, or nothing we may read: in any case no alias we know of
            return None
        if recognised is None:
            return None
        profile, has_mark = recognised
        return Alias(name, profile, path, is_ours=has_mark and not path.is_symlink())

    def _refuse_program(self, name: str) -> None:
        mine = os.path.realpath(self._directory)
        elsewhere = [one for one in self._search_path.split(os.pathsep) if os.path.realpath(one) != mine]
        if program := shutil.which(name, path=os.pathsep.join(elsewhere)):
            raise AliasTaken(f"cannot make the alias '{name}': it would hide {program}", path=program)


def _taken(name: str, path: Path, found: Alias | None) -> AliasTaken:
    what = f"the alias of '{found.profile}'" if found else "not an alias"
    return AliasTaken(f"cannot make the alias '{name}': {path} is {what}", path=str(path))


def _head(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; nothing of anything else, for opening a pipe would wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        return b""
    with path.open("rb") as file:
        return file.read(size)


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []
