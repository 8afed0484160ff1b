"""The client's warm processes as a child of the daemon.

Owns: their start, their end with the daemon, and their environment. Must not know what they do: that is the
client's business, of which the daemon knows the name of a module alone.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hermesd.adapters import pidfd
from hermesd.adapters.oserrors import translating
from hermesd.domain.process import ExitStatus

COMMAND = (sys.executable, "-m", "hermesctl.warm")
ENVIRONMENT = {"GRPC_ENABLE_FORK_SUPPORT": "0", "GRPC_VERBOSITY": "NONE"}
"""They fork before they open a channel, and what grpc would say has no reader."""


class WarmClientProcesses:
    """Warm clients (port `WarmClients`) behind a socket in one directory."""

    def __init__(self, directory: Path, environment: Mapping[str, str], command: Sequence[str] = COMMAND) -> None:
        """`directory` is private; `environment` is theirs until a caller's takes its place."""
        self._argv = [*command, str(directory)]
        self._environment = {**environment, **ENVIRONMENT}
        self._directory = directory

    async def run(self) -> ExitStatus:
        """Runs them until they end; asks them to when cancelled. They end by themselves when the daemon dies."""
        lifeline, fd = await asyncio.to_thread(self._start)
        try:
            return await pidfd.exit_status(fd)
        finally:
            os.close(lifeline)
            os.close(fd)

    def _start(self) -> tuple[int, int]:
        """Starts them; returns the pipe whose end they wait for, and the pidfd to reap them through."""
        reading, writing = os.pipe()
        try:
            with translating(self._directory, "keep clients warm in"):
                child = subprocess.Popen(
                    self._argv,
                    env=self._environment,
                    cwd="/",
                    stdin=reading,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        child.returncode = 0  # it is reaped through its pidfd: Popen must neither wait for the pid nor warn
        return writing, os.pidfd_open(child.pid)
