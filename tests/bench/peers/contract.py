"""What a bench asks of a supervisor, and the private place it gives to each.

Owns: the contract, and the promise that nothing of a supervisor outlives its place. Must not know any supervisor.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

from tests.bench.children import Children
from tests.bench.peers.tools import Tools

COMMAND_LIMIT_S = 120.0
"""How long a single command of a supervisor may take."""
CLEAR_LIMIT_S = 20.0
"""How long a place may take to become empty after SIGKILL to all that is in it."""


class Peer(Protocol):
    """A supervisor with a number of children, numbered from 0 and called `c0`, `c1`, …"""

    name: str
    room: "Room"
    is_patient: bool
    """Whether it waits longer after each crash of a child, so that only the first one measures it."""

    def prepare(self, count: int) -> None:
        """Makes everything ready for a cold start with so many children; nothing runs afterwards."""

    def start(self) -> int:
        """Starts the daemon, which starts the children by itself; returns its pid, at once or later."""

    def start_again(self) -> int:
        """Starts the daemon after it was killed, as its people do; returns its pid."""

    def status_all(self) -> Sequence[str]:
        """The command that shows every child."""

    def status_one(self, number: int) -> Sequence[str]:
        """The command that shows one."""

    def restart_one(self, number: int) -> Sequence[str]:
        """The command that restarts one and returns when that is done."""

    def is_serving(self) -> bool:
        """Whether the daemon answers."""

    def stop(self) -> None:
        """Asks daemon and children to end."""


class Room:
    """A private place: a directory, a home in it, and all processes with that home."""

    def __init__(self, directory: Path, tools: Tools) -> None:
        self.directory = directory
        self.tools = tools
        self.home = directory / "home"
        self.home.mkdir(parents=True, mode=0o700)
        self.children = Children(directory)
        self.environment: Mapping[str, str] = {
            "HOME": str(self.home),
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
        }
        self._daemons: list[subprocess.Popen[bytes]] = []

    def run(self, argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """Runs a command to its end, whatever its exit code."""
        return subprocess.run(
            list(argv), env=self.environment, cwd=self.directory, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False,
        )  # fmt: skip

    def succeeds(self, argv: Sequence[str]) -> bool:
        """Whether a command ends with 0."""
        return self.run(argv).returncode == 0

    def launch(self, argv: Sequence[str]) -> int:
        """Starts a daemon in a session of its own and returns its pid."""
        with (self.directory / "output.log").open("ab") as output:
            daemon = subprocess.Popen(
                list(argv), env=self.environment, cwd=self.directory, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self._daemons.append(daemon)
        return daemon.pid

    def processes(self) -> list[psutil.Process]:
        """Every process that lives here."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.home):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_empty(self, limit_s: float) -> bool:
        """Whether nobody lives here any more within that time."""
        deadline_s = time.monotonic() + limit_s
        while self.processes():
            for daemon in self._daemons:
                daemon.poll()
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(0.1)
        return True

    def clear(self) -> None:
        """Kills whatever is left here and forgets the daemons that were.

        Raises:
            AssertionError: something stays.
        """
        deadline_s = time.monotonic() + CLEAR_LIMIT_S
        while left := self.processes():
            assert time.monotonic() < deadline_s, f"still there: {left}"
            for process in left:
                with suppress(psutil.NoSuchProcess):  # ended meanwhile
                    process.kill()
            for daemon in self._daemons:
                daemon.poll()
            psutil.wait_procs(left, timeout=1)
        for daemon in self._daemons:
            daemon.wait()
        self._daemons.clear()

    def close(self) -> None:
        """Kills whatever is left here, for good. Raises `AssertionError` as `clear` does."""
        self.clear()
        self.children.close()
