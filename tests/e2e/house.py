"""A private machine for one test: a home of its own, the real programs, nothing else.

Owns: the environment that both programs run in, and the promise that nothing outlives the test.
"""

import json
import os
import secrets
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

BIN = Path(sys.executable).parent
CLIENT = BIN / "hermesctl"
COMMAND_LIMIT_S = 300.0
ENDING_S = 10.0
"""What was killed may take a moment to go, and warm clients notice by themselves that their daemon is gone."""
PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to whoever asks for any (32768 and up), or somebody could get one by chance
between the moment it is chosen here and the one a gateway listens on it."""
WORKERS = 12
"""Each worker of a run draws from a share of its own; how many workers need one."""
_drawn: set[int] = set()


def free_port() -> int:
    """A loopback port that is free, and that nobody else gets who asks for one."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    while True:
        port = secrets.choice(PORTS[worker::WORKERS])
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _drawn:
                _drawn.add(port)
                return port


def entries(directory: Path) -> Iterator[Path]:
    """A directory and whatever is below it; what goes while one looks is left out, or may be gone by now."""
    yield directory
    for place, directories, files in os.walk(directory):
        yield from (Path(place, name) for name in (*directories, *files))


def contents(directory: Path) -> dict[Path, bytes]:
    """What is in each plain file below a directory that somebody may be working in; links are not followed."""
    found = {}
    for path in entries(directory):
        with suppress(FileNotFoundError):
            if stat.S_ISREG(path.lstat().st_mode):
                found[path] = path.read_bytes()
    return found


def modes(directory: Path) -> dict[Path, int]:
    """The mode of a directory that somebody may be working in, and of all that is below it."""
    found = {}
    for path in entries(directory):
        with suppress(FileNotFoundError):
            found[path] = stat.S_IMODE(path.lstat().st_mode)
    return found


@dataclass
class Machine:
    """A private home and the programs in it."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict)
    """Further environment of every command."""

    @property
    def root(self) -> Path:
        """The Hermes root."""
        return self.home / ".hermes"

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.home / ".config" / "hermesd" / "settings.toml"

    @property
    def state(self) -> Path:
        """The daemon's state directory; there is one root, so there is one beside what all daemons share."""
        (found,) = (one for one in (self.home / ".local/state/hermesd").iterdir() if one.name != "claims")
        return found

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command: written out, so that the developer's own does not matter."""
        passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return {
            "HOME": str(self.home),
            "PATH": f"{self.home}/.local/bin:{BIN}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "HERMESD_ALLOW_TEMP": "1",
            "HERMESCTL_NO_AUTOSTART": "1",
            **passed,
            **self.extra,
        }

    def run(
        self, *command: str | Path, extra: Mapping[str, str] | None = None, stdin: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a program to its end, whatever its exit code."""
        return subprocess.run(
            [str(word) for word in command],
            env={**self.environment, **(extra or {})},
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )

    def ctl(self, *arguments: str, extra: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Runs hermesctl, whatever its exit code."""
        return self.run(CLIENT, *arguments, extra=extra)

    def ok(self, *arguments: str) -> str:
        """Runs hermesctl, which must succeed, and returns what it printed."""
        done = self.ctl(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What hermesctl prints as JSON; it must succeed."""
        return json.loads(self.ok(*arguments, "-o", "json"))

    def gateway(self, profile: str) -> Any:
        """The gateway of a profile as the list shows it; the list's exit code never depends on it."""
        items = self.json("gateway", "list")["items"]
        return next(item for item in items if item["profile"] == profile)

    def clean_up(self) -> list[str]:
        """Ends the daemon and its gateways, then names every process that is still here."""
        if (self.home / ".local" / "state" / "hermesd").exists():
            self.ctl("daemon", "stop", "--gateways")
        _, left = psutil.wait_procs(self.processes(), timeout=ENDING_S)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)
        return [f"{process.pid} {process}" for process in left]

    def processes(self) -> list[psutil.Process]:
        """Every process that has this home in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.home):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def command_lines(self) -> dict[int, list[str]]:
        """The words of each of them, by pid; who ends while one looks is left out."""
        found = {}
        for process in self.processes():
            with suppress(psutil.Error):
                found[process.pid] = process.cmdline()
        return found


@dataclass(frozen=True)
class Api:
    """The agent's own HTTP API as a program would use it."""

    port: int
    key: str

    @classmethod
    def of(cls, machine: Machine, profile: str) -> "Api":
        """Reads port and key where quickstart says they are."""
        lines = (machine.root / "profiles" / profile / ".env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        return cls(int(values["API_SERVER_PORT"]), values["API_SERVER_KEY"].strip("\"'"))

    def chat(self, words: str, *, stream: bool) -> str:
        """Asks the agent and returns the raw answer."""
        body = {"model": "hermes-agent", "stream": stream, "messages": [{"role": "user", "content": words}]}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            text: str = answer.read().decode()
            return text


def streamed_text(answer: str) -> str:
    """The text that a streamed chat completion adds up to."""
    lines = [line.removeprefix("data: ") for line in answer.splitlines() if line.startswith("data: {")]
    chunks: Sequence[Any] = [json.loads(line) for line in lines]
    deltas = [choice.get("delta", {}) for chunk in chunks for choice in chunk.get("choices", [])]
    return "".join(delta.get("content") or "" for delta in deltas)
