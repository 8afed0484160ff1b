"""Where the daemon is.

Owns: finding and checking `daemon.json`, exactly where the daemon puts it. Must not know gRPC.
"""

import hashlib
import json
import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesctl.errors import Fix, HermesError

START = Fix("hermesctl daemon start")


@dataclass(frozen=True)
class DaemonRecord:
    """What the running daemon says of itself in `daemon.json`."""

    socket: Path
    pid: int
    start_ticks: int
    version: str
    root: Path

    @property
    def is_alive(self) -> bool:
        """Whether the very process that wrote the record exists."""
        return start_ticks_of(self.pid) == self.start_ticks


@dataclass(frozen=True)
class Places:
    """The places of the daemon for one root that a client needs."""

    home: Path
    root: Path

    @classmethod
    def locate(cls, environment: Mapping[str, str]) -> "Places":
        """Finds them from the environment, as the daemon does.

        Raises:
            HermesError: INCOMPATIBLE, there is no home directory.
        """
        home = _home(environment)
        return cls(home, Path(os.path.realpath(environment.get("HERMESD_ROOT") or home / ".hermes")))

    @property
    def state(self) -> Path:
        """The daemon's state directory for this root."""
        root_id = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return self.home / ".local" / "state" / "hermesd" / root_id

    @property
    def daemon_file(self) -> Path:
        """Tells clients where the daemon is."""
        return self.state / "daemon.json"

    @property
    def output_file(self) -> Path:
        """What a daemon that was started in the background prints."""
        return self.state / "logs" / "daemon.out"

    def read_record(self) -> DaemonRecord:
        """Reads where the daemon is.

        Raises:
            HermesError: DAEMON_ABSENT, no daemon left a record; NOT_PERMITTED, others could have written it.
        """
        try:
            _check_private(self.state)
            text = self.daemon_file.read_text()
        except FileNotFoundError as error:
            raise absent(f"no daemon keeps {self.root}: there is no {self.daemon_file}") from error
        except PermissionError as error:
            raise HermesError(
                "NOT_PERMITTED", "cannot find the daemon", why=f"permission denied: {self.daemon_file}"
            ) from error
        return _parse(text, self.daemon_file)


def absent(why: str) -> HermesError:
    """The failure when no daemon answers."""
    return HermesError("DAEMON_ABSENT", "hermesd is not running", why=why, fixes=[START])


def start_ticks_of(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; `None` if there is no such process, or it is dead."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _parse(text: str, path: Path) -> DaemonRecord:
    try:
        data = json.loads(text)
        return DaemonRecord(
            socket=Path(data["socket"]),
            pid=int(data["pid"]),
            start_ticks=int(data["start_ticks"]),
            version=str(data["version"]),
            root=Path(data["root"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise absent(f"{path} is not a record of a daemon: {error}") from error


def _check_private(directory: Path) -> None:
    """Refuses a directory in which somebody else could have put a socket of theirs."""
    found = directory.stat()
    writable = stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    if found.st_uid == os.geteuid() and not writable:
        return
    whose = "other people can write to it" if writable else f"it belongs to user {found.st_uid}"
    raise HermesError("NOT_PERMITTED", f"cannot trust {directory}", why=whose, facts={"path": str(directory)})


def _home(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME", ""))
    if home.is_absolute():
        return home
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError as error:
        raise HermesError(
            "INCOMPATIBLE",
            "cannot tell the home directory",
            why=f"user {os.getuid()} has no passwd entry, and HOME is not set",
        ) from error
