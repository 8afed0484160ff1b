"""Where the daemon is, and whether it is there.

Owns: finding and checking `daemon.json`, exactly where the daemon puts it. Must not know gRPC, or start anything.
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

    @property
    def is_listening(self) -> bool:
        """Whether somebody accepts connections on its socket; one that was stopped (SIGSTOP) does."""
        import socket  # only where a daemon is needed at once

        try:
            directory = os.open(self.socket.parent, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(f"/proc/self/fd/{directory}/{self.socket.name}")  # whatever the length of its path
        except OSError:
            return False
        finally:
            os.close(directory)
        return True


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
    def settings(self) -> Path:
        """What a person may set, by hand."""
        return self.home / ".config" / "hermesd" / "settings.toml"

    @property
    def daemon_lock(self) -> Path:
        """Open in the daemon, which has it locked, for as long as it lives."""
        return self.state / "daemon.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the one client that starts the daemon."""
        return self.state / "start.lock"

    @property
    def daemon_log(self) -> Path:
        """The daemon's own log."""
        return self.state / "logs" / "daemon.log"

    @property
    def runtime_file(self) -> Path:
        """Tells clients without a daemon which agent is in use."""
        return self.state / "runtime.json"

    @property
    def runtimes(self) -> Path:
        """Installed agents."""
        return self.home / ".local" / "share" / "hermesd" / "runtimes"

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

    def read_living_record(self) -> DaemonRecord:
        """Reads where the daemon is that lives now.

        Raises:
            HermesError: DAEMON_ABSENT, there is none; NOT_PERMITTED, others could have written its record.
        """
        record = self.read_record()
        if record.is_alive:
            return record
        raise absent(f"the daemon that kept {self.root} (pid {record.pid}) has ended")

    def running(self) -> DaemonRecord | None:
        """The record of the daemon that lives now; `None` if there is none.

        Raises:
            HermesError: NOT_PERMITTED, others could have written it.
        """
        try:
            return self.read_living_record()
        except HermesError as error:
            if error.reason != "DAEMON_ABSENT":
                raise
            return None


def absent(why: str) -> HermesError:
    """The failure when there is no daemon."""
    return HermesError("DAEMON_ABSENT", "hermesd is not running", why=why, fixes=[START])


def silent(record: DaemonRecord) -> HermesError:
    """The failure when the daemon lives and nothing answers on its socket."""
    return HermesError(
        "DAEMON_ABSENT",
        f"hermesd (pid {record.pid}) does not answer",
        why="its process lives, but nothing answers on its socket; it may be starting or ending",
        fixes=[Fix(START.command, "wait for it, or start another once it has ended")],
        facts={"pid": str(record.pid)},
    )


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
    """The person's home; of a tool, that of its person: hermes-agent 0.19.0 may give it another in its profile."""
    home = Path(environment.get("HOME", ""))
    if environment.get("HOME") == f"{environment.get('HERMES_HOME', '')}/home":
        home = Path(environment.get("HERMES_REAL_HOME") or home)
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
