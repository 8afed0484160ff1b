"""A worker's line to the launcher of the command it runs.

Owns: turning what befalls the caller into what a process of its own would have felt (an interrupt, an end, a
pause), and letting the caller become a program. Must not know commands.
"""

import os
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from hermesctl.cli import Terminated
from hermesctl.launch import wire
from hermesctl.terminal import Program

RAISED = {wire.INTERRUPT: signal.SIGINT, wire.TERMINATE: signal.SIGTERM, wire.PAUSE: signal.SIGUSR1}


class Replaced(BaseException):
    """The caller's process became another program, so nobody waits for the command any more."""


class Link:
    """The line, for one command. A thread of its own listens; signals carry what it hears to the main thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._main = threading.main_thread().ident or 0
        self._resumed = threading.Event()
        self._answered = threading.Event()
        self._refusal: OSError | None = None
        self._is_becoming = False
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self.is_open = False

    def open(self) -> None:
        """Begins to listen: from here on the caller's interrupts reach the command."""
        self.is_open = True
        signal.signal(signal.SIGINT, self._interrupted)
        signal.signal(signal.SIGTERM, self._terminated)
        signal.signal(signal.SIGUSR1, self._paused)
        self._listening.start()
        self._send(wire.BEGUN)

    def follow(self, operation: str) -> None:
        """Tells the caller which operation the command waits for."""
        self._send(wire.FOLLOWING, operation.encode())

    def end(self, last: bytes) -> None:
        """Ends the line with a last frame, if there is one to send. A caller that is gone does not hear it."""
        self.is_open = False
        with suppress(OSError):
            self._connection.sendall(last)
        with suppress(OSError):  # the caller may have been first
            self._connection.shutdown(socket.SHUT_RDWR)
        self._listening.join()
        self._connection.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def become(self, program: Program) -> NoReturn:
        """Lets the caller become a program.

        Raises:
            OSError: the program cannot be executed.
            Replaced: it is.
        """
        fields = [program.executable, program.working_directory, str(len(program.argv)), *program.argv]
        fields += [str(len(program.environment_set))]
        fields += [f"{name}={value}" for name, value in program.environment_set.items()]
        foreign = [program.foreign.salt.hex(), " ".join(one.hex() for one in program.foreign.digests)]
        self._is_becoming = True
        self._send(wire.BECOME, *map(os.fsencode, [*fields, *foreign, *program.environment_unset]))
        self._answered.wait()
        self._is_becoming = False
        if self._refusal is None:
            raise Replaced
        raise self._refusal

    def _send(self, kind: bytes, *fields: bytes) -> None:
        with suppress(OSError):  # the listener hears of it
            self._connection.sendall(wire.pack(kind, fields))

    def _listen(self) -> None:
        while True:
            try:
                kind, fields = wire.receive(self._connection)
            except wire.Lost:
                break
            if kind == wire.RESUME:
                self._resumed.set()
            elif kind == wire.FAILED:
                number, path = int(fields[0]), os.fsdecode(fields[1])
                self._refusal = OSError(number, os.strerror(number), path)
                self._answered.set()
            elif kind in RAISED:
                self._raise(RAISED[kind])
        self._resumed.set()
        if self._is_becoming:
            self._answered.set()
        else:
            self._raise(signal.SIGTERM)

    def _raise(self, number: signal.Signals) -> None:
        if self.is_open:
            signal.pthread_kill(self._main, number)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.is_open:
            raise KeyboardInterrupt

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        if self.is_open:
            raise Terminated

    def _paused(self, number: int, frame: FrameType | None) -> None:
        """Holds the command until the caller goes on."""
        self._resumed.wait()
        self._resumed.clear()
