"""Starting a process that lives on when the daemon does not.

Owns: which descriptors, environment, session and file modes a gateway begins with, and what a refused start means.
Must not know what it starts or when.
"""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters import locks, procfs
from hermesd.adapters.oserrors import FULL, REFUSED, disk_full, not_permitted
from hermesd.domain.errors import HermesError, Incompatible, NotFound, RuntimeMissing
from hermesd.domain.process import SPAWN_ID_VARIABLE, ProcessIdentity, SpawnSpec

UMASK = 0o077


@dataclass(frozen=True)
class Spawned:
    """A process just started, and the pidfd through which it must be reaped."""

    process: ProcessIdentity
    pidfd: int


def spawn(spec: SpawnSpec) -> Spawned:
    """Starts a process in a session of its own, holding the lock, its output appended to the log.

    Blocks until the program has been executed. Neither the lock nor the log stays open here.

    Raises:
        ProfileBusy: the lock is held.
        RuntimeMissing: the program, or the interpreter it names, is not there.
        Incompatible: it is no program of this machine.
        NotFound: the directory to start in, or of the lock or the log, is not there.
        DiskFull, NotPermitted: the lock, the log or the program cannot be used.
        HermesError: the system refuses for another reason.
    """
    try:
        with locks.acquire(spec.lock_path) as lock, _opened_log(spec.log_path) as log:
            return _hold(_execute(spec, lock.fd, log), spec.spawn_id)
    except OSError as error:
        raise _failure(spec, error) from error


def _execute(spec: SpawnSpec, lock: int, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        spec.argv,
        env={**spec.environment, SPAWN_ID_VARIABLE: spec.spawn_id},
        cwd=spec.working_directory,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        close_fds=True,
        pass_fds=(lock,),
        umask=UMASK,
    )


def _hold(child: subprocess.Popen[bytes], spawn_id: str) -> Spawned:
    """Takes over a child. Dead or alive, its pid stays its own until it is reaped, so nobody else is meant."""
    try:
        spawned = Spawned(_identify(child.pid, spawn_id), os.pidfd_open(child.pid))
    except BaseException:
        child.kill()
        child.wait()
        raise
    child.returncode = 0  # it is reaped through its pidfd: Popen must neither wait for the pid nor warn
    return spawned


def _identify(pid: int, spawn_id: str) -> ProcessIdentity:
    process = procfs.identity(pid, spawn_id)
    if process is None:
        raise Incompatible(f"cannot identify process {pid}: /proc does not show it")
    return process


@contextmanager
def _opened_log(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _failure(spec: SpawnSpec, error: OSError) -> HermesError:
    program = Path(spec.argv[0])
    place = Path(error.filename) if error.filename else program
    if error.errno in FULL:
        return disk_full(place, FULL[error.errno])
    if error.errno in REFUSED:
        return not_permitted(place, REFUSED[error.errno], "use")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if place == program:
            why = "it, or the interpreter it names, is not there"
            return RuntimeMissing(f"cannot start {program}: {why}", path=str(program))
        return NotFound(f"cannot start {program}: {place} is not there", path=str(place))
    if error.errno == errno.ENOEXEC:
        return Incompatible(f"cannot start {program}: it is no program of this machine", path=str(program))
    return HermesError(f"cannot start {program}: {place}: {error.strerror}")
