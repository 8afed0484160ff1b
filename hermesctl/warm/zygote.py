"""The zygote: imports the program once and forks workers that have it.

Owns: the workers' socket, and how many workers there are. Has one thread and never opens a channel, for neither
would survive a fork. Must not know what workers do.
"""

import gc
import os
import select
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from hermesctl.cli import COMMANDS
from hermesctl.launch import wire
from hermesctl.warm import worker
from hermesctl.warm.worker import Worker

SOCKET = "cmd.sock"
BACKLOG = 64
MOST = 8
"""Workers at most; a caller that comes while all are busy runs its command cold."""

FEWEST_IDLE, MOST_IDLE = 1, 2
LOOK_S = 30.0
"""How often the zygote looks whether a cleaner took its socket."""

FULL_S = 0.05
"""How long a caller may wait for a worker while there can be no more of them."""

MODULES = (
    "hermesctl.client.synchronous",
    "hermesctl.commands.agent",
    "hermesctl.report",
    "hermesctl.progress",
    "yaml",
)
"""What commands import when they need it, besides the commands themselves."""


def import_program() -> None:
    """Imports whatever any command may need, and moves it out of the garbage collector's sight.

    What the collector never touches is never copied for a worker.
    """
    for name in (*MODULES, *(where.partition(":")[0] for where, _ in COMMANDS.values())):
        import_module(name)
    gc.collect()
    gc.freeze()


def bind(directory: Path) -> socket.socket:
    """The workers' socket in a directory, in place of any earlier one.

    Raises:
        OSError: it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = f"{SOCKET}.{os.getpid()}"
    os.chdir(directory)  # a path in it is short enough for any address
    try:
        listener.bind(fresh)
        Path(fresh).chmod(0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        Path(fresh).replace(SOCKET)
    finally:
        os.chdir("/")
    return listener


class Zygote:
    """Keeps a few workers idle while its parent lives."""

    def __init__(self, directory: Path, lifeline: int) -> None:
        """`directory` is that of the socket; `lifeline` is a pipe that ends with the parent."""
        self._path = directory / SOCKET
        self._listener = bind(directory)
        self._identity = _identity(self._path)
        self._lifeline = lifeline
        self._workers: dict[int, tuple[int, socket.socket]] = {}
        """Pid and line of each worker, by the line's descriptor."""
        self._busy: set[int] = set()
        """Descriptors of those that run a command."""

    def serve(self) -> Worker | None:
        """Returns when the parent is gone or the socket was taken away; in a worker, returns that worker."""
        while True:
            while len(self._workers) - len(self._busy) < FEWEST_IDLE and len(self._workers) < MOST:
                if made := self._fork():
                    return made
            is_full = len(self._busy) == MOST
            ready = self._wait(FULL_S if is_full else LOOK_S)
            if self._lifeline in ready or _identity(self._path) != self._identity:
                return None
            for line in ready:
                self._hear(line)
            if is_full and not ready:
                self._refuse()
            self._dismiss()

    def _wait(self, limit_s: float) -> list[int]:
        waiting = select.poll()
        for fd in (self._lifeline, *self._workers):
            waiting.register(fd, select.POLLIN)
        return [fd for fd, _ in waiting.poll(limit_s * 1000)]

    def _fork(self) -> Worker | None:
        """Makes a worker; returns it in its own process and `None` here."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            self._workers[ours.fileno()] = (pid, ours)
            return None
        for _, line in (*self._workers.values(), (0, ours)):
            line.close()
        os.close(self._lifeline)
        return Worker(self._listener, theirs)

    def _hear(self, line: int) -> None:
        pid, connection = self._workers[line]
        said = connection.recv(1)
        if said == worker.BUSY:
            self._busy.add(line)
        elif said == worker.IDLE:
            self._busy.discard(line)
        else:
            self._busy.discard(line)
            del self._workers[line]
            connection.close()
            _, status = os.waitpid(pid, 0)
            if status:
                sys.stderr.write(f"hermesctl: worker {pid} ended with {os.waitstatus_to_exitcode(status)}\n")

    def _refuse(self) -> None:
        """Tells one caller that waits to run its command itself."""
        with suppress(OSError):  # none waits any more, or it did not stay for the answer
            connection, _ = self._listener.accept()
            with connection:
                connection.sendall(wire.pack(wire.COLD))

    def _dismiss(self) -> None:
        """Lets go of workers that are idle and too many."""
        idle = [line for line in self._workers if line not in self._busy]
        for line in idle[MOST_IDLE:]:
            with suppress(OSError):  # it has just ended by itself
                self._workers[line][1].shutdown(socket.SHUT_WR)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
