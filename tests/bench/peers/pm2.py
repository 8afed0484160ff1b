"""pm2, from npm, in a home of its own."""

import json
from collections.abc import Sequence

from tests.bench.peers.contract import Room


class Pm2:
    """Applications of one ecosystem file; the daemon is started by the client."""

    name = "pm2"
    is_patient = False

    def __init__(self, room: Room) -> None:
        room.tools.program("node")
        self.room = room
        self._client = room.tools.from_npm("pm2", "pm2")
        self._home = room.directory / "pm2"
        self._ecosystem = room.directory / "ecosystem.json"
        room.environment = {**room.environment, "PM2_HOME": str(self._home), "PM2_DISABLE_VERSION_CHECK": "true"}

    def prepare(self, count: int) -> None:
        """Writes the ecosystem file."""
        commands = [self.room.children.command(number) for number in range(count)]
        apps = [
            {"name": f"c{number}", "script": program, "args": arguments, "interpreter": "none"}
            for number, (program, *arguments) in enumerate(commands)
        ]
        self._ecosystem.write_text(json.dumps({"apps": apps}))

    def start(self) -> int:
        """pm2 start, and pm2 save, without which nothing would come back."""
        self._must(["start", str(self._ecosystem)])
        self._must(["save"])
        return self._pid()

    def start_again(self) -> int:
        """pm2 resurrect."""
        self._must(["resurrect"])
        return self._pid()

    def status_all(self) -> Sequence[str]:
        """pm2 list."""
        return [self._client, "list"]

    def status_one(self, number: int) -> Sequence[str]:
        """pm2 describe NAME."""
        return [self._client, "describe", f"c{number}"]

    def restart_one(self, number: int) -> Sequence[str]:
        """pm2 restart NAME."""
        return [self._client, "restart", f"c{number}"]

    def is_serving(self) -> bool:
        """Whether it answers; asked only after `start_again`, for the client would start another daemon."""
        return self.room.succeeds(self.status_one(0))

    def stop(self) -> None:
        """pm2 kill."""
        self.room.run([self._client, "kill"])

    def _must(self, words: list[str]) -> None:
        done = self.room.run([self._client, *words])
        assert done.returncode == 0, f"pm2 {words[0]}: {done.stdout}{done.stderr}"

    def _pid(self) -> int:
        return int((self._home / "pm2.pid").read_text())
