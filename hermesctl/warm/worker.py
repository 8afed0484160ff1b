"""A worker: runs one command line after another, each in its caller's place.

Owns: the life of one worker process between command lines. Must not know commands; what it runs is the whole
program, unchanged.
"""

import select
import signal
import socket
import threading

from hermesctl import cli
from hermesctl.errors import ExitCode
from hermesctl.launch import wire
from hermesctl.terminal import NeedsOwnProcess, Terminal, current_directory, program_called
from hermesctl.warm.link import Link, Replaced
from hermesctl.warm.request import Request, close

MOST_COMMANDS = 256
"""After so many a worker makes room for a fresh one, whatever they left in it."""

BUSY, IDLE = b"b", b"i"
"""What a worker tells its zygote."""


class Worker:
    """One worker process."""

    def __init__(self, listener: socket.socket, zygote: socket.socket) -> None:
        """`listener` is shared by all workers and does not block; `zygote` ends when the zygote does."""
        self._listener = listener
        self._zygote = zygote

    def serve(self) -> None:
        """Runs command lines until the zygote wants no more, or is gone, or they were enough."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        waiting.register(self._zygote, select.POLLIN)
        for _ in range(MOST_COMMANDS):
            connection = self._next(waiting)
            if connection is None:
                return
            self._zygote.send(BUSY)
            if not _serve(connection):
                return
            self._zygote.send(IDLE)

    def _next(self, waiting: "select.poll") -> socket.socket | None:
        while True:
            ready = {fd for fd, _ in waiting.poll()}
            if self._zygote.fileno() in ready:
                return None
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:  # another worker was faster
                continue
            connection.setblocking(True)
            return connection


def _serve(connection: socket.socket) -> bool:
    """Runs the command line of one connection; returns whether this process is fit for another."""
    try:
        request = Request.receive(connection)
    except wire.Lost:
        connection.close()
        return True
    if not request.is_from_here:
        close(request.descriptors)
        connection.sendall(wire.pack(wire.COLD))
        connection.close()
        return True
    link = Link(connection)
    with request.in_place() as (stdin, stdout, stderr):
        terminal = Terminal(
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            environment=request.environment,
            environment_names=request.environment_names,
            working_directory=current_directory(),
            pid=request.pid,
            program=program_called(request.called),
            replace=link.become,
            is_shared=True,
            follow=link.follow,
        )
        ending = _run(link, request.arguments, terminal)
    link.end(ending)
    return threading.active_count() == 1


def _run(link: Link, arguments: tuple[str, ...], terminal: Terminal) -> bytes:
    """Runs the command; returns the frame that tells how it ended, empty if there is nobody to tell."""
    link.open()
    try:
        return _ended(cli.run(arguments, terminal))
    except NeedsOwnProcess:
        return wire.pack(wire.COLD)
    except Replaced:
        return b""
    except KeyboardInterrupt:  # it came too late for the command to notice
        return _ended(ExitCode.INTERRUPTED)
    except cli.Terminated:
        return _ended(ExitCode.TERMINATED)


def _ended(code: int) -> bytes:
    return wire.pack(wire.ENDED, [b"%d" % code])
