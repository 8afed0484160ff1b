"""s6: s6-svscan with one s6-supervise a child."""

import shlex
from collections.abc import Sequence

from tests.bench.peers.contract import Room


class S6:
    """Service directories below a scan directory."""

    name = "s6"
    is_patient = False

    def __init__(self, room: Room) -> None:
        self.room = room
        self._scanner = room.tools.program("s6-svscan")
        self._control = room.tools.program("s6-svc")
        self._stat = room.tools.program("s6-svstat")
        self._services = room.directory / "services"

    def prepare(self, count: int) -> None:
        """Writes a service directory for each child."""
        for number in range(count):
            service = self._services / f"c{number}"
            service.mkdir(parents=True)
            (service / "run").write_text(self.room.children.script(number))
            (service / "run").chmod(0o755)

    def start(self) -> int:
        """s6-svscan, allowed as many services as there are."""
        return self.room.launch([self._scanner, "-c", "1000", str(self._services)])

    def start_again(self) -> int:
        """The same."""
        return self.start()

    def status_all(self) -> Sequence[str]:
        """A loop of s6-svstat, which takes one service."""
        services, stat = shlex.quote(str(self._services)), shlex.quote(self._stat)
        return ["/bin/sh", "-c", f'for one in {services}/*; do {stat} "$one"; done']

    def status_one(self, number: int) -> Sequence[str]:
        """s6-svstat."""
        return [self._stat, str(self._services / f"c{number}")]

    def restart_one(self, number: int) -> Sequence[str]:
        """s6-svc -r, waiting until it is up again."""
        return [self._control, "-wr", "-T", "20000", "-r", str(self._services / f"c{number}")]

    def is_serving(self) -> bool:
        """Whether the first service has a supervisor, which it has without the daemon too."""
        return self.room.succeeds(self.status_one(0))

    def stop(self) -> None:
        """s6-svscanctl -t, which ends supervisors and services."""
        self.room.run([self.room.tools.program("s6-svscanctl"), "-t", str(self._services)])
