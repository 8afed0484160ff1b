"""A real zygote with its workers, and callers that reach them through the launcher.

Owns: their processes. Must not know what is run.
"""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hermesctl.client.places import Places
from hermesctl.warm.worker import MOST_COMMANDS
from tests import measuring
from tests.waiting import wait_until

LAUNCH = (sys.executable, "-c", "from hermesctl.launch.launcher import main; main()")
COLD = (sys.executable, "-m", "hermesctl")
ZYGOTE = """
from hermesctl.warm import __main__, worker, zygote
worker.MOST_COMMANDS = {}
zygote.LOOK_S = 1.0
__main__.main()
"""
LIMIT_S = 20.0
HANDED_DOWN = {
    number
    for number in range(1, 32)
    if signal.getsignal(number) is signal.SIG_IGN and number not in {signal.SIGPIPE, signal.SIGXFSZ}
}
"""Signals that whoever started the tests ignores, as a shell does for its background; two are Python's own."""
ORDINARY_SIGNALS = ((1 << 31) - 1) & ~sum(1 << (number - 1) for number in HANDED_DOWN)
"""All others from 1 to 31; the two after them are the C library's, and what some Pythons start ignores them."""


class Workers:
    """Workers for the root of one environment, from `with` to its end."""

    def __init__(self, places: Places, *, most_commands: int = MOST_COMMANDS) -> None:
        self._most_commands = most_commands
        self.directory = places.state / "run"
        self.socket = self.directory / "cmd.sock"
        self._zygote: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._zygote = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE.format(self._most_commands), str(self.directory)],
            env={
                "HOME": "/nonexistent",
                "GRPC_ENABLE_FORK_SUPPORT": "0",
                "GRPC_VERBOSITY": "NONE",
                **measuring.VARIABLES,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        wait_until(lambda: self.socket.exists() and bool(self.pids()), "workers")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self.pids()
        _, self.said = self.zygote.communicate(timeout=LIMIT_S)
        wait_until(lambda: not any(is_alive(pid) for pid in left), "the end of the workers")

    @property
    def zygote(self) -> "subprocess.Popen[bytes]":
        """The zygote's process."""
        assert self._zygote is not None
        return self._zygote

    def pids(self) -> list[int]:
        """The workers there are now."""
        try:
            text = Path(f"/proc/{self.zygote.pid}/task/{self.zygote.pid}/children").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [int(pid) for pid in text.split()]


def call(
    words: str | Sequence[str], environment: Mapping[str, str], *, command: Sequence[str] = LAUNCH, **settings: Any
) -> "subprocess.Popen[bytes]":
    """A caller; its streams are pipes unless the settings say otherwise."""
    argv = words.split() if isinstance(words, str) else words
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    made: subprocess.Popen[bytes] = subprocess.Popen(
        [*command, *argv], env={"LANG": "C.UTF-8", **measuring.VARIABLES, **environment}, **(streams | settings)
    )
    return made


def ended(caller: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    """How a caller ended, and what it wrote."""
    with caller:
        out, err = caller.communicate(timeout=LIMIT_S)
    return caller.returncode, out.decode(), err.decode()


def is_alive(pid: int) -> bool:
    """Whether there is such a process, other than a dead one that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
