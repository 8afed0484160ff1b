"""Locks of claims that the trees of a scripted backend hold. Fake of `ClaimLocks`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hermesd.domain.claims import Claim, ClaimHolder, ClaimLock, ClaimNote, distinct
from tests.fakes.backend import ScriptedBackend
from tests.fakes.faults import Faults

LEFTOVER_PID = 999
"""Whoever holds a lock when the main process has ended."""


class ScriptedClaimLocks:
    """Asks the backend's table who lives; `outsiders` are holders of its own making, by key."""

    def __init__(self, backend: ScriptedBackend) -> None:
        self.faults = Faults()
        self.outsiders: dict[str, ClaimHolder] = {}
        self.tidied: list[frozenset[str]] = []
        """Keys that each `tidy` kept, in order."""
        self._backend = backend

    def of(self, claims: Iterable[Claim], note: ClaimNote) -> tuple[ClaimLock, ...]:
        return tuple(ClaimLock(claim, _path(claim), note) for claim in distinct(claims))

    def holders(self, claims: Iterable[Claim]) -> Mapping[str, ClaimHolder]:
        found = {claim.key: self._holder(claim) for claim in claims}
        return {key: holder for key, holder in found.items() if holder is not None}

    def tidy(self, claims: Iterable[Claim]) -> None:
        self.faults.trip("tidy")
        self.tidied.append(frozenset(claim.key for claim in claims))

    def _holder(self, claim: Claim) -> ClaimHolder | None:
        process = self._backend.holder_of(_path(claim))
        if process is None:
            return self.outsiders.get(claim.key)
        (note,) = (one.note for one in process.spec.claims if one.path == _path(claim))
        if process.ended.is_set():
            return ClaimHolder((LEFTOVER_PID,), note)
        return ClaimHolder((process.identity.pid,), note, process.identity.pid)


def _path(claim: Claim) -> Path:
    return Path("/claims") / f"{claim.key}.lock"
