"""Starting the daemon in the background, and waiting for it to come or go.

Owns: the daemon's process as the client sees it: how it is detached and what environment it gets. Must not know
the services.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hermesctl.client.places import DaemonRecord, Places, start_ticks_of
from hermesctl.errors import Fix, HermesError
from hermesctl.session import Session

START_LIMIT_S = 20.0
POLL_S = 0.05
TAIL_LINES = 10
TAIL_BYTES = 8192

ALLOWED = frozenset(
    (
        "HOME USER LOGNAME SHELL PATH LANG TZ HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy "
        "all_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS "
        "HERMESD_ROOT HERMESD_ALLOW_TEMP"
    ).split()
)
ALLOWED_PREFIXES = ("LC_", "PIP_")
"""What the daemon gets of the caller's environment: nothing of the shell that happened to start it, and never the
mark of a gateway's tree, which would make it a part of that tree."""

COMMAND = (sys.executable, "-m", "hermesd")


def daemon_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The part of the caller's environment that the daemon gets."""
    return {
        name: value for name, value in inherited.items() if name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    }


def running(places: Places) -> DaemonRecord | None:
    """The record of the daemon if its process is alive, else `None`.

    Raises:
        HermesError: NOT_PERMITTED, the record cannot be trusted.
    """
    try:
        record = places.read_record()
    except HermesError as error:
        if error.reason != "DAEMON_ABSENT":
            raise
        return None
    return record if record.is_alive else None


def start(session: Session, command: Sequence[str] = COMMAND) -> tuple[DaemonRecord, bool]:
    """Makes sure that a daemon serves; returns its record and whether it was started now.

    Raises:
        HermesError: DAEMON_ABSENT, it ended or did not serve in time; NOT_PERMITTED.
    """
    places = session.places
    if running(places):
        return _wait_until_serving(session, None), False
    offset = _size(places.output_file)
    child = _spawn(places, session.terminal.environment, command)
    try:
        return _wait_until_serving(session, child), True
    except HermesError as error:
        error.why = "; ".join([*_tail(places.output_file, offset), error.why])
        raise
    finally:
        if child.poll() is None:
            child.returncode = 0  # it outlives us on purpose, of which its object would warn


def wait_until_gone(record: DaemonRecord, timeout_s: float) -> bool:
    """Whether the process of the record has ended within that time."""
    end_s = time.monotonic() + timeout_s
    while start_ticks_of(record.pid) == record.start_ticks:
        if time.monotonic() >= end_s:
            return False
        time.sleep(POLL_S)
    return True


def _spawn(places: Places, environment: Mapping[str, str], command: Sequence[str]) -> "subprocess.Popen[bytes]":
    output = places.output_file
    try:
        places.state.parent.parent.mkdir(parents=True, exist_ok=True)  # shared with other programs
        for directory in (places.state.parent, places.state, output.parent):
            directory.mkdir(mode=0o700, exist_ok=True)
        with open(output, "ab", opener=_private) as log:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=daemon_environment(environment),
                start_new_session=True,
            )
    except PermissionError as error:
        raise HermesError("NOT_PERMITTED", "cannot start the daemon", why=str(error)) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait_until_serving(session: Session, child: "subprocess.Popen[bytes] | None") -> DaemonRecord:
    end_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end_s:
        if (record := running(session.places)) and _is_serving(session):
            return record
        if child is not None and (code := child.poll()) is not None and not running(session.places):
            raise HermesError("DAEMON_ABSENT", "hermesd did not start", why=f"it ended with exit code {code}")
        time.sleep(POLL_S)
    raise HermesError(
        "DAEMON_ABSENT",
        "hermesd did not start",
        why=f"it does not serve after {START_LIMIT_S:.0f} s",
        fixes=[Fix("hermesctl daemon run", "see what it does")],
    )


def _is_serving(session: Session) -> bool:
    with session.connect(any_version=True) as client:
        return client.is_serving()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tail(path: Path, offset: int) -> list[str]:
    """The last lines written after `offset`, without the labels: what the daemon said before it ended."""
    with path.open("rb") as file:
        file.seek(max(offset, _size(path) - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    words = (line.strip().removeprefix("error: ").removeprefix("why: ") for line in lines)
    return [line for line in words if line][-TAIL_LINES:]
