"""supervisord, from PyPI, with its own defaults."""

import os
from collections.abc import Sequence

from tests.bench.peers.contract import Room


class Supervisord:
    """Programs of one configuration file, a socket beside it."""

    name = "supervisord"
    is_patient = False

    def __init__(self, room: Room) -> None:
        self.room = room
        self._daemon = room.tools.from_pypi("supervisor", "supervisord")
        self._client = room.tools.from_pypi("supervisor", "supervisorctl")
        self._configuration = room.directory / "supervisord.conf"

    def prepare(self, count: int) -> None:
        """Writes the configuration."""
        directory = self.room.directory
        programs = "".join(
            f"[program:c{number}]\ncommand={' '.join(self.room.children.command(number))}\n"
            for number in range(count)
        )
        user = "user=root\n" if os.geteuid() == 0 else ""
        self._configuration.write_text(
            f"[supervisord]\nlogfile={directory}/daemon.log\npidfile={directory}/daemon.pid\n"
            f"childlogdir={directory}\nminfds=4096\n{user}"
            f"[unix_http_server]\nfile={directory}/socket\nchmod=0700\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{directory}/socket\n{programs}"
        )

    def start(self) -> int:
        """In the foreground."""
        return self.room.launch([self._daemon, "-n", "-c", str(self._configuration)])

    def start_again(self) -> int:
        """The same."""
        return self.start()

    def status_all(self) -> Sequence[str]:
        """supervisorctl status."""
        return self._ctl("status")

    def status_one(self, number: int) -> Sequence[str]:
        """supervisorctl status NAME."""
        return self._ctl("status", f"c{number}")

    def restart_one(self, number: int) -> Sequence[str]:
        """supervisorctl restart NAME, which waits until the program counts as running."""
        return self._ctl("restart", f"c{number}")

    def is_serving(self) -> bool:
        """Whether it tells its pid."""
        return self.room.succeeds(self._ctl("pid"))

    def stop(self) -> None:
        """supervisorctl shutdown."""
        self.room.run(self._ctl("shutdown"))

    def _ctl(self, *words: str) -> list[str]:
        return [self._client, "-c", str(self._configuration), *words]
