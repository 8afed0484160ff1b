"""Service managers of systemd, as its command-line tools show them.

Owns: which managers a person has, whether one answers and for how long it will, and asking it. Must not know what
a daemon is. Where a manager is, comes from the uid alone, as the daemon itself has it: the variables of a shell
may be another user's, or gone with a session.
"""

import os
import pwd
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesctl.background.control_groups import own_control_group

BOOTED = Path("/run/systemd/system")
"""There while systemd runs the machine."""
SYSTEM_BUS = Path("/run/dbus/system_bus_socket")
USER_DIRECTORIES = Path("/run/user")
LINGERING = Path("/var/lib/systemd/linger")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ANSWER_LIMIT_S = 5.0
"""How long a manager may take to tell something."""
CREDENTIALS = struct.Struct("3i")
"""What the kernel says of a peer: pid, uid, gid."""


@dataclass(frozen=True)
class Answer:
    """What one of systemd's tools did."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Manager:
    """The system's manager, or a user's own."""

    uid: int
    """Whose; 0 for the system's."""

    @property
    def flag(self) -> str:
        """How systemd's tools are told which one is meant."""
        return "--user" if self.uid else "--system"

    @property
    def bus(self) -> Path:
        """Where it can be reached."""
        return USER_DIRECTORIES / str(self.uid) / "bus" if self.uid else SYSTEM_BUS

    @property
    def address(self) -> Mapping[str, str]:
        """Variables by which systemd's tools find it."""
        return {"XDG_RUNTIME_DIR": str(USER_DIRECTORIES / str(self.uid))} if self.uid else {}

    @property
    def is_here(self) -> bool:
        """Whether it seems to run, and in our container: in another, our pids mean other processes to it."""
        return BOOTED.exists() and _listener_of(self.bus) > 0

    @property
    def is_lasting(self) -> bool:
        """Whether it outlives the caller's session, or has the caller itself in its keeping."""
        if self.uid == 0 or f"/user@{self.uid}.service/" in own_control_group():
            return True
        try:
            return (LINGERING / pwd.getpwuid(self.uid).pw_name).exists()
        except KeyError:  # a user without a passwd entry cannot linger
            return False

    def ask(self, *words: str, limit_s: float = ANSWER_LIMIT_S) -> Answer | None:
        """What `systemctl` answers to these words; `None` if it cannot be run, or not in time."""
        return self.run(["systemctl", self.flag, "--no-pager", "--no-ask-password", *words], limit_s)

    def run(self, command: Sequence[str], limit_s: float) -> Answer | None:
        """What one of systemd's tools did; `None` if it cannot be run, or not in time."""
        try:
            done = subprocess.run(
                command,
                env={"PATH": PATH, "LC_ALL": "C.UTF-8", **self.address},
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return Answer(done.returncode, done.stdout, done.stderr)

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """What it says of a unit, by name of the property; nothing if it does not answer.

        Of a property with several lines the last is told.
        """
        answer = self.ask("show", unit, f"--property={','.join(names)}")
        if answer is None or answer.code != 0:
            return {}
        return dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)

    def variables(self) -> dict[str, str]:
        """The environment that its services inherit; values that need quotes are as it writes them."""
        answer = self.ask("show-environment")
        lines = answer.out.splitlines() if answer is not None and answer.code == 0 else []
        return dict(line.split("=", 1) for line in lines if "=" in line)


def managers_of(uid: int) -> list[Manager]:
    """The managers that may have a unit for this user, and seem to run; the one of their own first."""
    candidates = [Manager(uid), Manager(0)] if uid else [Manager(0)]
    return [one for one in candidates if one.is_here]


def _listener_of(path: Path) -> int:
    """Pid of the process that listens on a socket; 0 if nobody does, or it is not in our container."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
            peer = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        except OSError:
            return 0
    pid: int = CREDENTIALS.unpack(peer)[0]
    return pid
