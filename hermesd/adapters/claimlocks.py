"""Claims as locks in one directory for all daemons of a user (port `ClaimLocks`).

Owns: which file stands for a claim, who holds it, and when a file may go. Nobody is disturbed by being looked at:
a lock is never tried. Must not know what a claim means.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from hermesd.adapters import claimfiles, locks, procfs
from hermesd.adapters.oserrors import translating
from hermesd.domain.claims import Claim, ClaimHolder, ClaimLock, ClaimNote, distinct
from hermesd.domain.errors import ProfileBusy

SUFFIX = ".lock"
KEPT_S = 3600.0
"""A file that was used this recently stays: it costs nothing, and to remove one is to take it for a moment."""


class ClaimLocksOnDisk:
    """Lock files in a private directory, named after the claims."""

    def __init__(self, directory: Path, *, kept_s: float = KEPT_S) -> None:
        self._directory = directory
        self._kept_s = kept_s

    def of(self, claims: Iterable[Claim], note: ClaimNote) -> tuple[ClaimLock, ...]:
        """See the port."""
        return tuple(ClaimLock(claim, self._path(claim), note) for claim in distinct(claims))

    def holders(self, claims: Iterable[Claim]) -> Mapping[str, ClaimHolder]:
        """See the port. A note may be read in the moment before it is replaced; it then names who was before."""
        paths = {self._path(claim): claim.key for claim in claims}
        held = procfs.holders_of(paths)
        return {paths[path]: _holder(path, pids) for path, pids in held.items()}

    def tidy(self, claims: Iterable[Claim]) -> None:
        """See the port."""
        kept = {self._path(claim) for claim in claims}
        with translating(self._directory, "read"):
            old = [path for path in self._directory.glob(f"*{SUFFIX}") if path not in kept and self._is_old(path)]
        held = procfs.holders_of(old)
        for path in old:
            if path not in held:
                with suppress(ProfileBusy):  # taken since: it is a lock again
                    locks.remove(path)

    def _is_old(self, path: Path) -> bool:
        try:
            return time.time() - path.stat(follow_symlinks=False).st_mtime > self._kept_s
        except FileNotFoundError:  # another daemon removed it
            return False

    def _path(self, claim: Claim) -> Path:
        return self._directory / f"{claim.key}{SUFFIX}"


def _holder(path: Path, pids: list[int]) -> ClaimHolder:
    noted = claimfiles.read_note(path)
    if noted is None:
        return ClaimHolder(tuple(pids))
    note, main = noted
    is_alive = main is not None and main.pid in pids and procfs.is_alive(main)
    return ClaimHolder(tuple(pids), note, main.pid if main is not None and is_alive else None)
