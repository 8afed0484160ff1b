"""What aliases execute: an interpreter and a script that hand a command line to the client.

Owns: the link `current`, which names the same two files whatever release of hermesd they belong to, so that
aliases outlive an upgrade. Must not know aliases or what the client does.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters.atomic import sync_directory, write_atomic
from hermesd.adapters.ids import new_id
from hermesd.adapters.oserrors import translating
from hermesd.adapters.trees import ensure_private, remove_tree
from hermesd.domain.alias import INTERPRETER, SCRIPT

CLIENTS = "clients"
CURRENT = "current"

TEXT = """\
# Written by hermesd: runs hermesctl without what Python imports at a start of its own.
import sys

sys.path.insert(0, {packages!r})
sys.argv[0] = {client!r}
from hermesctl.launch.launcher import main

main(({client!r},))
"""


@dataclass(frozen=True)
class Launcher:
    """One release's launcher."""

    interpreter: Path
    """A Python below any virtual environment, which the script needs nothing of."""
    packages: Path
    """The directory that the package hermesctl lies in."""
    client: Path
    """The program hermesctl."""

    def publish(self, share: Path) -> None:
        """Makes `current` in this directory the launcher. One that it is already is left as it is.

        What `current` was before stays until the next release, for those who are just executing it.

        Raises:
            DiskFull, NotPermitted, OSError: it cannot be written; `current` is then what it was.
        """
        with translating(share, "publish the launcher in"):
            ensure_private(share)
            ensure_private(share / CLIENTS)
            place = share / CLIENTS / self._id()
            before = _target(share / CURRENT)
            if before == place and _is_complete(place):
                return
            self._fill(place)
            _point(share / CURRENT, place)
            _forget(share / CLIENTS, [place, before])

    def _id(self) -> str:
        said = "\0".join([str(self.interpreter), self._script()])
        return hashlib.sha256(os.fsencode(said)).hexdigest()[:12]

    def _script(self) -> str:
        return TEXT.format(packages=str(self.packages), client=str(self.client))

    def _fill(self, place: Path) -> None:
        ensure_private(place)
        _point(place / INTERPRETER, self.interpreter)
        write_atomic(place / SCRIPT, self._script().encode("utf-8", "surrogateescape"))


def _is_complete(place: Path) -> bool:
    return (place / INTERPRETER).exists() and (place / SCRIPT).exists()


def _target(link: Path) -> Path | None:
    return link.parent / link.readlink() if link.is_symlink() else None


def _point(link: Path, target: Path) -> None:
    """Makes a link lead to a target in one step."""
    fresh = link.with_name(f".{link.name}.{new_id()}")
    fresh.symlink_to(target)
    try:
        fresh.replace(link)
    except BaseException:
        fresh.unlink()
        raise
    sync_directory(link.parent)


def _forget(clients: Path, kept: Sequence[Path | None]) -> None:
    for place in list(clients.iterdir()):
        if place not in kept:
            remove_tree(place)
