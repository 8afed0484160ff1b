"""What tells a client where its daemon is, and what keeps a second daemon away.

Owns: `daemon.json` and the daemon's lock. Must not know who serves behind the socket. The file is a notice, not
the truth: it may outlive its daemon, so a reader checks the process it names.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hermesd.adapters import jsontext, locks, procfs
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.domain.errors import ProfileBusy


@dataclass(frozen=True)
class DaemonNotice:
    """What a daemon says of itself; the fields are the file's keys."""

    socket: str
    """Absolute path of the API's socket."""
    pid: int
    start_ticks: int
    """Start time in clock ticks since boot, as in `ProcessIdentity`."""
    boot_id: str
    started_at_s: float
    """Seconds since the epoch."""
    version: str
    root: str
    """The canonical root it keeps."""


def write_daemon_file(path: Path, *, socket: Path, root: Path, version: str) -> None:
    """Says that this process is the daemon, replacing what an earlier one said.

    Raises:
        DiskFull, NotPermitted: it cannot be written.
        Incompatible: there is no /proc to identify this process by.
    """
    notice = DaemonNotice(
        socket=str(socket),
        pid=os.getpid(),
        start_ticks=procfs.start_ticks(os.getpid()) or 0,
        boot_id=procfs.boot_id(),
        started_at_s=time.time(),
        version=version,
        root=str(root),
    )
    write_atomic(path, json.dumps(asdict(notice), indent=1).encode() + b"\n")


def read_daemon_file(path: Path) -> DaemonNotice | None:
    """What the last daemon said, or `None` if there is nothing that can be read."""
    try:
        return DaemonNotice(**jsontext.parse(path.read_bytes()))
    except (OSError, ValueError, TypeError):  # absent, cut off, or of another version
        return None


def remove_daemon_file(path: Path) -> None:
    """Removes the file when the daemon ends. Gone already is fine.

    Raises:
        NotPermitted: it cannot be removed.
    """
    with translating(path, "remove"):
        path.unlink(missing_ok=True)


class DaemonLock:
    """One daemon per root, as a context manager: the kernel frees the lock however its holder ends.

    Raises:
        ProfileBusy: another daemon holds it.
        DiskFull, NotPermitted: the lock file cannot be made.
    """

    def __init__(self, path: Path, daemon_file: Path) -> None:
        self._path = path
        self._daemon_file = daemon_file

    def __enter__(self) -> Self:
        try:
            self._lock = locks.acquire(self._path)
        except ProfileBusy as error:
            raise self._held() from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.close()

    def _held(self) -> ProfileBusy:
        notice = read_daemon_file(self._daemon_file)
        who = f" (pid {notice.pid})" if notice else ""
        metadata = {"pid": str(notice.pid)} if notice else {}
        return ProfileBusy(f"another hermesd{who} keeps this root", **metadata)
