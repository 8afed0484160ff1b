"""Processes that fight for claims, hand them to children and are killed; `-m … DIRECTORY WINS SEED LOCK`.

Owns: the fight. Each attempt is journalled by who makes it. Beside each claim lies a witness, which its holder
locks as well, with a lock of another class that the kernel keeps apart from the one on trial: who finds a witness
locked has met a second holder. LOCK names the lock on trial: ours, or one that is known to be broken. Must not
judge.
"""

import contextlib
import fcntl
import json
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from hermesd.adapters import claimfiles, locks, procfs
from hermesd.adapters.claimlocks import ClaimLocksOnDisk
from hermesd.domain.claims import Claim, ClaimKind, ClaimLock, ClaimNote
from hermesd.domain.errors import HermesError
from tests.faults.claim_history import CLASH, FREED, HOLDS, REFUSED, TRIES, Journal

CONTENDERS = 8
CLAIMS = tuple(Claim(ClaimKind.PORT, "p", "P", port=number) for number in range(1, 5))
NOTE = ClaimNote("p", "id", "s", "/r")
WRITE_LOCK = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)

Taking = Callable[[Sequence[ClaimLock]], AbstractContextManager[object]]
Refusal = (HermesError, BlockingIOError)


class Contender:
    """One process and its attempts."""

    def __init__(self, directory: Path, taking: Taking, seed: str) -> None:
        self._locks = ClaimLocksOnDisk(directory / "claims", kept_s=-1.0)
        self._witnesses = directory / "witnesses"
        self._journal = Journal(directory / "journal")
        self._taking = taking
        self._rng = random.Random(seed)
        self._attempt = 0

    def fight(self) -> None:
        """Attempt after attempt, until somebody ends it."""
        while True:
            if self._rng.random() < 0.1:
                self._tidy()
            self._try(self._rng.sample(CLAIMS, self._rng.randint(1, 3)))
            time.sleep(self._rng.random() * 0.001)

    def _tidy(self) -> None:
        """Removes what nobody holds, for which each file is taken for a moment."""
        self._attempt += 1
        actor, names = f"{os.getpid()}.{self._attempt}", [claim.key for claim in CLAIMS]
        self._journal.say(TRIES, actor, names)
        self._locks.tidy(())
        self._journal.say(FREED, actor, names)

    def _try(self, wanted: Sequence[Claim]) -> None:
        self._attempt += 1
        actor = f"{os.getpid()}.{self._attempt}"
        names = [claim.key for claim in wanted]
        self._journal.say(TRIES, actor, names)
        try:
            with self._taking(self._locks.of(wanted, NOTE)):
                if not self._keep(actor, names):
                    return  # a child has them now
            self._journal.say(FREED, actor, names)
        except Refusal:
            self._journal.say(REFUSED, actor, names)

    def _keep(self, actor: str, names: Sequence[str]) -> bool:
        """Holds claims in one of many ways; whether they are free once the caller lets go of them."""
        # Opened last: when a process ends, Linux lets go of its last file first, and so of the witness.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        witnesses = [os.open(self._witnesses / name, flags, 0o600) for name in names]
        for fd in witnesses:
            try:
                fcntl.fcntl(fd, fcntl.F_OFD_SETLK, WRITE_LOCK)
            except BlockingIOError:
                self._journal.say(CLASH, actor, names)
        self._linger(actor, names)
        way = self._rng.random()
        if way < 0.05:
            os.kill(os.getpid(), signal.SIGKILL)
        is_kept = way < 0.3
        if is_kept and os.fork() == 0:
            self._linger(actor, names)
            os.kill(os.getpid(), signal.SIGKILL)
        if is_kept and way < 0.1:
            os.kill(os.getpid(), signal.SIGKILL)
        _close(witnesses)
        return not is_kept

    def _linger(self, actor: str, names: Sequence[str]) -> None:
        for _ in range(self._rng.randint(1, 4)):
            self._journal.say(HOLDS, actor, names)
            time.sleep(self._rng.random() * 0.001)


class Wins:
    """Counts attempts that ended with all that was asked for."""

    def __init__(self, journal: Path) -> None:
        journal.touch(0o600)
        self._file = journal.open()
        self._actors: set[str] = set()

    def count(self) -> int:
        """As of now."""
        lines = (json.loads(line) for line in self._file if line.endswith("\n"))
        self._actors |= {actor for _, kind, actor, _ in lines if kind == HOLDS}
        return len(self._actors)


def _close(descriptors: Sequence[int]) -> None:
    for fd in descriptors:
        os.close(fd)


def run(directory: Path, wanted: int, seed: int, taking: Taking) -> None:
    """Lets contenders fight until so many attempts were won, killing one now and then; then ends them all."""
    for name in ("claims", "witnesses"):
        (directory / name).mkdir()
    rng = random.Random(seed)
    living: dict[int, int] = {}
    started = 0
    won = Wins(directory / "journal")
    while won.count() < wanted:
        while len(living) < CONTENDERS:
            started += 1
            living[_contender(directory, taking, f"{seed}.{started}")] = started
        time.sleep(0.05)
        if rng.random() < 0.3:
            os.kill(rng.choice(list(living)), signal.SIGKILL)
        while living and (ended := os.waitpid(-1, os.WNOHANG)[0]):
            living.pop(ended, None)
    for pid in living:
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _contender(directory: Path, taking: Taking, seed: str) -> int:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        Contender(directory, taking, seed).fight()
    return pid


@contextlib.contextmanager
def unchecked(claims: Sequence[ClaimLock]) -> Iterator[object]:
    """A kernel lock by whose taker nobody looks whether the file still has its name."""
    locks._is_still_at = lambda *_: True
    with claimfiles.taken(claims) as taken:
        yield taken


@contextlib.contextmanager
def by_record(claims: Sequence[ClaimLock]) -> Iterator[object]:
    """A file with its owner's pid, as hermes-agent 0.19.0 keeps one: looked at, removed if stale, made anew."""
    taken: list[Path] = []
    try:
        for claim in claims:
            if _is_owned(claim.path):
                raise BlockingIOError
            claim.path.unlink(missing_ok=True)
            with claim.path.open("x") as file:
                file.write(json.dumps({"pid": os.getpid(), "start_time": procfs.start_ticks(os.getpid())}))
            taken.append(claim.path)
        yield taken
    except FileExistsError as error:
        raise BlockingIOError from error
    finally:
        for path in taken:
            path.unlink(missing_ok=True)


def _is_owned(path: Path) -> bool:
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return bool(procfs.start_ticks(record["pid"]) == record["start_time"])


TAKINGS: dict[str, Taking] = {"ours": claimfiles.taken, "unchecked": unchecked, "record": by_record}


if __name__ == "__main__":
    claimfiles.PAUSE_S = 0.0005
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), TAKINGS[sys.argv[4]])
