"""circus, from PyPI, checking each second: its default of five would only show up in the crash figures."""

from collections.abc import Sequence

from tests.bench.peers.contract import Room


class Circus:
    """Watchers of one configuration file, endpoints on unix sockets beside it."""

    name = "circus"
    is_patient = False

    def __init__(self, room: Room) -> None:
        self.room = room
        self._daemon = room.tools.from_pypi("circus", "circusd")
        self._client = room.tools.from_pypi("circus", "circusctl")
        self._configuration = room.directory / "circus.ini"
        self._endpoint = f"ipc://{room.directory}/endpoint"

    def prepare(self, count: int) -> None:
        """Writes the configuration."""
        watchers = "".join(
            f"[watcher:c{number}]\ncmd={' '.join(self.room.children.command(number))}\ncopy_env=True\n"
            for number in range(count)
        )
        self._configuration.write_text(
            f"[circus]\ncheck_delay=1\nstatsd=False\nendpoint={self._endpoint}\n"
            f"pubsub_endpoint=ipc://{self.room.directory}/pubsub\n{watchers}"
        )

    def start(self) -> int:
        """In the foreground."""
        return self.room.launch([self._daemon, str(self._configuration)])

    def start_again(self) -> int:
        """The same."""
        return self.start()

    def status_all(self) -> Sequence[str]:
        """circusctl status."""
        return self._ctl("status")

    def status_one(self, number: int) -> Sequence[str]:
        """circusctl status NAME."""
        return self._ctl("status", f"c{number}")

    def restart_one(self, number: int) -> Sequence[str]:
        """circusctl restart NAME, waiting for it."""
        return self._ctl("restart", f"c{number}", "--waiting")

    def is_serving(self) -> bool:
        """Whether it answers a status."""
        return self.room.succeeds(self.status_one(0))

    def stop(self) -> None:
        """circusctl quit."""
        self.room.run(self._ctl("quit", "--waiting"))

    def _ctl(self, *words: str) -> list[str]:
        return [self._client, "--endpoint", self._endpoint, "--timeout", "60", *words]
