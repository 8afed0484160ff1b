"""A machine with a daemon, an agent and a profile that talks to a loopback model, without a gateway.

Owns: the shortest way there, and the one way in which these tests call the client. Must not know what a
test proves.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.house import CLIENT, COMMAND_LIMIT_S, Machine
from tests.e2e.screens import Screen, screen
from tests.fakes.model import MODEL, ModelServer

PROFILE = "coder"
WAYS: Mapping[str, Mapping[str, str]] = {"warm": {}, "cold": {"HERMESCTL_NO_WARM": "1"}}
WAY = os.environ.get("HERMESD_TEST_CLIENT", "warm")
"""How the client runs: `warm`, in a worker of the daemon where it can, or `cold`, in the caller's process."""


@dataclass
class Desk:
    """A person's machine, the model behind the agent, and a directory to work in."""

    machine: Machine
    model: ModelServer
    work: Path

    @property
    def home(self) -> Path:
        """The home of the profile."""
        return self.machine.root / "profiles" / PROFILE

    @property
    def environment(self) -> dict[str, str]:
        """The person's environment."""
        return {**self.machine.environment, **WAYS[WAY]}

    def configure(self, *lines: str) -> None:
        """Writes the profile's configuration: the model, and these lines."""
        model = (
            f"default: {MODEL}",
            "provider: custom",
            f"base_url: {self.model.base_url}",
            "context_length: 131072",
        )
        text = "\n".join(["model:", *(f"  {line}" for line in model), *lines])
        (self.home / "config.yaml").write_text(f"{text}\n")

    def run(self, *argv: str | Path, **extra: str) -> "subprocess.CompletedProcess[str]":
        """A program without a terminal, in the directory to work in, whatever its exit code."""
        return subprocess.run(
            argv,
            env={**self.environment, **extra},
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )

    @contextmanager
    def at_screen(self, *argv: str | Path, **extra: str) -> Iterator[Screen]:
        """A program on a terminal, in the directory to work in."""
        with screen(argv, self.environment | extra, self.work) as made:
            yield made


def client(*arguments: str) -> list[str]:
    """The command line that calls the client, in the one way in which these tests do."""
    return [str(CLIENT), *arguments]


@contextmanager
def furnished(directory: Path, runtimes: Path, model: ModelServer, version: str = "0.19.0") -> Iterator[Desk]:
    """A desk with this version of the agent; nothing is left running."""
    home = directory / "home"
    home.mkdir(mode=0o700)
    machine = Machine(home)
    machine.settings.parent.mkdir(parents=True)
    machine.settings.write_text('[daemon]\nbackend = "session"\n')
    share = home / ".local" / "share" / "hermesd"
    share.mkdir(parents=True)
    (share / "runtimes").symlink_to(runtimes)
    work = directory / "work"
    work.mkdir()
    desk = Desk(machine, model, work)
    try:
        machine.ok("daemon", "start")
        runtime = next(
            one["name"] for one in machine.json("runtime", "list")["items"] if one["version"] == version
        )
        machine.ok("runtime", "use", runtime)
        machine.ok("profile", "create", PROFILE)
        desk.configure()
        yield desk
    finally:
        left = machine.clean_up()
        shutil.rmtree(home / ".hermes", ignore_errors=True)
    assert left == []
