"""A private machine for one test: a home of its own, the real programs, nothing else.

Owns: the environment that both programs run in, and the promise that nothing outlives the test.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

BIN = Path(sys.executable).parent
CLIENT = BIN / "hermesctl"
COMMAND_LIMIT_S = 300.0
ENDING_S = 3.0


def free_port() -> int:
    """A loopback port that the kernel just had to spare."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
        _, left = psutil.wait_procs(self.processes(), timeout=ENDING_S)  # what was killed may take a moment to go
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
