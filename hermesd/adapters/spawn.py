"""Starting a process that lives on when the daemon does not.

Owns: which descriptors, environment, session and file modes a gateway begins with, and what a refused start means.
A process runs its program at once, or waits until it is let go, so that it can be put where it belongs first.
Must not know what it starts or when.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hermesd.adapters import claimfiles, locks, procfs
from hermesd.adapters.oserrors import FULL, REFUSED, disk_full, not_permitted
from hermesd.domain.errors import HermesError, Incompatible, NotFound, RuntimeMissing
from hermesd.domain.process import SPAWN_ID_VARIABLE, ProcessIdentity, SpawnSpec

UMASK = 0o077
SHELL = "/bin/sh"
WAITING = 'read -r _ || exit 1; exec "$@" </dev/null'
"""What a shell does for a process that waits: it reads a line from its standard input, then becomes the program.
If the input ends without a line, whoever was to let it go has died, and it ends without having begun anything."""
GO = b"\n"
ENV = "/usr/bin/env"
SHELL_VARIABLES = ("PWD", "OLDPWD", "SHLVL", "_")
"""What shells put into the environment of what they run."""
SCRIPT = b"#!"


@dataclass(frozen=True)
class Spawned:
    """A process just started, and the pidfd through which it must be reaped."""

    process: ProcessIdentity
    pidfd: int


class Gate:
    """What a waiting process waits for. Closing it unopened ends that process, and so does the end of hermesd."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def open(self) -> None:
        """Lets the process run its program. One that has ended meanwhile is told of by its pidfd."""
        with suppress(BrokenPipeError):
            os.write(self._fd, GO)

    def close(self) -> None:
        """Lets go of the gate, opened or not."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def spawn(spec: SpawnSpec) -> Spawned:
    """Starts a process in a session of its own, holding lock and claims, its output appended to the log.

    Blocks until the program has been executed. Neither locks nor log stay open here.

    Raises:
        ProfileBusy: the lock is held.
        TokenInUse, PortInUse: a claim is held.
        RuntimeMissing: the program, or the interpreter it names, is not there.
        Incompatible: it is no program of this machine.
        NotFound: the directory to start in, or of the lock or the log, is not there.
        DiskFull, NotPermitted: the lock, the log or the program cannot be used.
        HermesError: the system refuses for another reason.
    """
    return _spawn(spec, spec.argv, subprocess.DEVNULL)


def spawn_waiting(spec: SpawnSpec) -> tuple[Spawned, Gate]:
    """Starts the same process with the same failures, but its program only when the gate is opened.

    Until then it is a shell, which already has the session, the lock, the log and the environment. It may be put
    elsewhere meanwhile, since it starts nothing. That the program can be run is looked at before; if it cannot be
    after all, the process ends with 126 or 127 and its log says why.
    """
    try:
        _look_for(spec)
        reading, writing = os.pipe()
    except OSError as error:
        raise _failure(spec, error) from error
    gate = Gate(writing)
    try:
        return _spawn(spec, _waiting(spec), reading), gate
    except BaseException:
        gate.close()
        raise
    finally:
        os.close(reading)


def _spawn(spec: SpawnSpec, argv: Sequence[str], stdin: int) -> Spawned:
    try:
        with (
            locks.acquire(spec.lock_path) as lock,
            claimfiles.taken(spec.claims) as claims,
            _opened_log(spec.log_path) as log,
        ):
            spawned = _hold(_execute(spec, argv, stdin, (lock.fd, *claims.fds), log), spec.spawn_id)
            claims.name(spawned.process)
            return spawned
    except OSError as error:
        raise _failure(spec, error) from error


def _waiting(spec: SpawnSpec) -> tuple[str, ...]:
    """The command that waits and then becomes the program, with none of the shell's variables left to it."""
    command = (SHELL, "-c", WAITING, SHELL)
    if "=" in spec.argv[0]:  # env would take it for one more variable; then the shell's own stay
        return (*command, *spec.argv)
    cleared = [word for name in SHELL_VARIABLES if name not in spec.environment for word in ("-u", name)]
    kept = [f"{name}={spec.environment[name]}" for name in SHELL_VARIABLES if name in spec.environment]
    return (*command, ENV, *cleared, *kept, *spec.argv)


def _look_for(spec: SpawnSpec) -> None:
    """Raises the `OSError` that running the program would, as far as can be told without running it."""
    name = spec.argv[0]
    found = name if "/" in name else shutil.which(name, path=spec.environment.get("PATH", os.defpath))
    program = spec.working_directory / (found or name)
    if not program.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    if not program.is_file() or not os.access(program, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    if not os.access(program, os.R_OK):
        return
    with program.open("rb") as file:
        first = file.readline(256)
    interpreter = first.removeprefix(SCRIPT).split()[:1] if first.startswith(SCRIPT) else []
    if interpreter and not Path(os.fsdecode(interpreter[0])).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def _execute(
    spec: SpawnSpec, argv: Sequence[str], stdin: int, kept: Sequence[int], log: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        env={**spec.environment, SPAWN_ID_VARIABLE: spec.spawn_id},
        cwd=spec.working_directory,
        stdin=stdin,
        stdout=log,
        stderr=log,
        start_new_session=True,
        close_fds=True,
        pass_fds=kept,
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
