"""runit: runsvdir with one runsv a child."""

import os
import shlex
import signal
from collections.abc import Sequence
from contextlib import suppress

from tests.bench.peers.contract import Room


class Runit:
    """Service directories below one that is watched."""

    name = "runit"
    is_patient = False

    def __init__(self, room: Room) -> None:
        self.room = room
        self._scanner = room.tools.program("runsvdir")
        self._control = room.tools.program("sv")
        self._services = room.directory / "services"
        supervisor = os.path.dirname(room.tools.program("runsv"))  # noqa: PTH120 - PATH is text
        room.environment = {**room.environment, "PATH": f"{supervisor}:{room.environment['PATH']}"}
        self._pid = 0

    def prepare(self, count: int) -> None:
        """Writes a service directory for each child."""
        for number in range(count):
            service = self._services / f"c{number}"
            service.mkdir(parents=True)
            (service / "run").write_text(self.room.children.script(number))
            (service / "run").chmod(0o755)

    def start(self) -> int:
        """runsvdir."""
        self._pid = self.room.launch([self._scanner, str(self._services)])
        return self._pid

    def start_again(self) -> int:
        """The same."""
        return self.start()

    def status_all(self) -> Sequence[str]:
        """sv status of all directories."""
        return ["/bin/sh", "-c", f"exec {shlex.quote(self._control)} status {shlex.quote(str(self._services))}/*"]

    def status_one(self, number: int) -> Sequence[str]:
        """sv status."""
        return [self._control, "status", str(self._services / f"c{number}")]

    def restart_one(self, number: int) -> Sequence[str]:
        """sv restart, which waits."""
        return [self._control, "restart", str(self._services / f"c{number}")]

    def is_serving(self) -> bool:
        """Whether the first service has a supervisor, which it has without the daemon too."""
        return self.room.succeeds(self.status_one(0))

    def stop(self) -> None:
        """SIGHUP to runsvdir, which ends supervisors and services."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGHUP)
