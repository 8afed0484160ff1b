"""The lock files of claims: taken for a process that is about to begin, with a note of whom it is for.

Owns: that all are taken or none, in one order; what stands in such a file. The note only names: what counts is the
lock, and a note that cannot be written hinders no start. Must not know what a claim means.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from hermesd.adapters import jsontext, locks
from hermesd.adapters.locks import FileLock
from hermesd.domain.claims import ClaimLock, ClaimNote, in_use
from hermesd.domain.errors import ProfileBusy
from hermesd.domain.process import ProcessIdentity

log = logging.getLogger(__name__)

TRIES, PAUSE_S = 5, 0.01
"""A lock that is held only for a moment, by who removes a file or starts another program, is waited for."""

_MOST_BYTES = 4096


class TakenClaims:
    """Claims whose locks are held, with the descriptors that a process is to inherit."""

    def __init__(self) -> None:
        self._held: list[tuple[ClaimLock, FileLock]] = []

    @property
    def fds(self) -> tuple[int, ...]:
        """What the process must be given."""
        return tuple(lock.fd for _, lock in self._held)

    def add(self, claim: ClaimLock) -> None:
        """Takes one more.

        Raises:
            TokenInUse, PortInUse: somebody holds it.
            DiskFull, NotPermitted: its file cannot be made or opened.
        """
        lock = _acquire(claim)
        self._held.append((claim, lock))
        _write_note(lock, claim.note, None, is_first=True)

    def name(self, process: ProcessIdentity) -> None:
        """Notes the process that has inherited them."""
        for claim, lock in self._held:
            _write_note(lock, claim.note, process, is_first=False)

    def close(self) -> None:
        """Leaves them to who inherited them."""
        for _, lock in self._held:
            lock.close()

    def release(self) -> None:
        """Gives them back, also where another program that is just being started has copies of the descriptors."""
        for _, lock in self._held:
            lock.release()


@contextmanager
def taken(claims: Sequence[ClaimLock]) -> Iterator[TakenClaims]:
    """Holds claims until the block has passed them on; if it fails, or one is held, all are free again.

    Raises what `TakenClaims.add` raises.
    """
    held = TakenClaims()
    try:
        for claim in sorted(claims, key=lambda one: one.claim.key):
            held.add(claim)
        yield held
    except BaseException:
        held.release()
        raise
    held.close()


def read_note(path: Path) -> tuple[ClaimNote, ProcessIdentity | None] | None:
    """For whom a claim was taken last, and the process that it was given to; `None` if that cannot be read."""
    try:
        with path.open("rb") as file:
            said = jsontext.parse(file.read(_MOST_BYTES).partition(b"\n")[0])
        process = said.pop("process")
        return ClaimNote(**said), None if process is None else ProcessIdentity(**process)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):  # gone, or being written
        return None


def _acquire(claim: ClaimLock) -> FileLock:
    for _ in range(TRIES - 1):
        with suppress(ProfileBusy):
            return locks.acquire(claim.path)
        time.sleep(PAUSE_S)
    try:
        return locks.acquire(claim.path)
    except ProfileBusy as error:
        raise in_use(claim.claim) from error


def _write_note(lock: FileLock, note: ClaimNote, process: ProcessIdentity | None, *, is_first: bool) -> None:
    """Replaces the note of an earlier holder, or makes ours longer by the process.

    The old one goes first: a full disk must not leave a claim under an earlier name. Ours is never gone again.
    """
    said = {**asdict(note), "process": None if process is None else asdict(process)}
    try:
        if is_first:
            os.ftruncate(lock.fd, 0)
        os.pwrite(lock.fd, json.dumps(said).encode() + b"\n", 0)
    except OSError as error:
        log.warning("claim=%s not noted: %s", lock.path.name, error.strerror)
