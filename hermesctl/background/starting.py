"""Making sure that a daemon serves.

Owns: taking turns with other clients, setting a daemon off in the way that was chosen, and waiting for it. The
daemon's own lock decides who is the daemon; a client's turn only spares the machine nine starts out of ten. Must
not know how to ask a daemon whether it serves.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from hermesctl.background.attempts import Attempt, begin, make_directories
from hermesctl.client.places import START, DaemonRecord, Places
from hermesctl.errors import Fix, HermesError

START_LIMIT_S = 30.0
POLL_S = 0.05

IsServing = Callable[[DaemonRecord], bool]


@dataclass(frozen=True)
class Started:
    """A daemon that serves."""

    record: DaemonRecord
    is_new: bool
    """Whether it was started by us just now."""


def start(places: Places, environment: Mapping[str, str], is_serving: IsServing) -> Started:
    """Makes sure that a daemon serves: the one that lives, once it does, else a new one.

    Raises:
        HermesError: DAEMON_ABSENT, it cannot be started here, ended, or did not serve in time; NOT_PERMITTED.
    """
    record = places.running()
    if record is not None and is_serving(record):
        return Started(record, is_new=False)
    end_s = time.monotonic() + START_LIMIT_S
    make_directories(places)
    with _turn(places, end_s):
        return _bring_up(places, environment, is_serving, end_s)


def wait_until_gone(record: DaemonRecord, timeout_s: float) -> bool:
    """Whether the process of the record has ended within that time."""
    end_s = time.monotonic() + timeout_s
    while record.is_alive:
        if time.monotonic() >= end_s:
            return False
        time.sleep(POLL_S)
    return True


def _bring_up(places: Places, environment: Mapping[str, str], is_serving: IsServing, end_s: float) -> Started:
    attempt: Attempt | None = None
    while True:
        record = places.running()
        if record is not None and is_serving(record):
            is_new = attempt is not None and attempt.pid in {None, record.pid}
            return Started(record, is_new)
        if record is None and (attempt is None or attempt.has_ended) and keeper_of(places) is None:
            if attempt is not None:
                raise attempt.failure()
            attempt = begin(places, environment)
            continue  # a manager may have taken all the time there was, and the daemon serves
        if time.monotonic() >= end_s:
            raise _late(places)
        time.sleep(POLL_S)


@contextmanager
def _turn(places: Places, end_s: float) -> Iterator[None]:
    """Lets one client at a time start a daemon; the others come when it serves."""
    descriptor = os.open(places.start_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while not _is_locked_now(descriptor):
            if time.monotonic() >= end_s:
                raise _late(places)
            time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


def _is_locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def keeper_of(places: Places) -> int | None:
    """Pid of the daemon that keeps the root, if it serves or not; `None` if none is seen.

    Its lock is not tried: even for a moment, that would refuse it to a daemon that is just starting.
    """
    lock = os.path.realpath(places.daemon_lock)
    if not places.daemon_lock.exists():
        return None
    return next((pid for pid in psutil.pids() if _has_open(pid, lock)), None)


def _has_open(pid: int, path: str) -> bool:
    directory = Path(f"/proc/{pid}/fd")
    try:
        return any(str(entry.readlink()) == path for entry in directory.iterdir())
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # it ended, closed one, or is another user's
        return False


def _late(places: Places) -> HermesError:
    """The failure when the time is over. What lives and does not serve gets no second one beside it."""
    record = places.running()
    pid = record.pid if record is not None else keeper_of(places)
    if pid is not None:
        return unresponsive(places, pid, f"has not answered for {START_LIMIT_S:.0f} s")
    why = f"it does not serve after {START_LIMIT_S:.0f} s"
    fixes = [Fix("hermesctl daemon run", "see what it does")]
    return HermesError("DAEMON_ABSENT", "hermesd did not start", why=why, fixes=fixes)


def unresponsive(places: Places, pid: int, what: str) -> HermesError:
    """The failure when a daemon lives that is of no use; `what` is what it does instead of answering."""
    return HermesError(
        "DAEMON_ABSENT",
        f"hermesd (pid {pid}) does not answer",
        why=f"its process lives, but {what}; its log is {places.daemon_log}",
        fixes=[Fix(f"kill -9 {pid}", "end it; gateways keep running"), Fix(START.command, "start another")],
        facts={"pid": str(pid)},
    )
