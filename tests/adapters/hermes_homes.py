"""Homes of hermes-agent for tests, and what a gateway of this very test process would have written into them.

Owns: the files' shapes as hermes-agent 0.19.0 writes them. Must not know what a test wants of them.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from hermesd.adapters import procfs
from hermesd.adapters.agents.hermes_state import started_at_s
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import Home, HomeIdentity, ProfileName

EARLY_S = 1_000_000_000
"""Seconds since the epoch, before any process of today."""


def home_at(path: Path, name: str = "coder", **files: str) -> Home:
    """A home with these files; `__` in a keyword stands for a dot, as in `config__yaml`."""
    path.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (path / file.replace("__", ".")).write_text(text)
    return Home(ProfileName(name), path, HomeIdentity(1, 2, 3))


def myself() -> ProcessIdentity:
    """This test process, in the part of a gateway."""
    found = procfs.identity(os.getpid(), "spawn")
    assert found is not None
    return found


def write_env(home: Home, text: str, *, at_s: float = EARLY_S) -> None:
    """Settings that were written at a moment: if nothing else is said, before this process began."""
    path = home.path / ".env"
    path.write_text(text)
    os.utime(path, (at_s, at_s))


def report(home: Home, state: str, **changes: Any) -> None:
    """Writes a report of this process's; keywords replace fields."""
    said = {
        "pid": os.getpid(),
        "start_time": myself().start_ticks,
        "kind": "hermes-gateway",
        "gateway_state": state,
        "exit_reason": None,
        "restart_requested": False,
        "platforms": {},
    }
    (home.path / "gateway_state.json").write_text(json.dumps(said | changes))


def platform(state: str, message: str | None = None, at: str | float | None = None) -> dict[str, Any]:
    """A platform's part of a report, of now unless said otherwise."""
    updated_at = datetime.now(UTC).isoformat() if at is None else at
    return {"state": state, "error_code": None, "error_message": message, "updated_at": updated_at}


def beat(home: Home, at_s: float, **changes: Any) -> None:
    """Writes a heartbeat of this process's, of a moment by the monotonic clock; keywords replace fields."""
    said = {"pid": os.getpid(), "monotonic": at_s, "start_time": started_at_s(myself()) + 5.0}
    (home.path / "state").mkdir(exist_ok=True)
    (home.path / "state" / "gateway.heartbeat").write_text(json.dumps(said | changes))


@contextmanager
def answering(body: bytes, status: int = 200, location: str = "") -> Iterator[int]:
    """Runs an HTTP server that answers every request alike, and gives its port."""

    class Handler(BaseHTTPRequestHandler):
        """Says one thing."""

        def do_GET(self) -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Says nothing: tests read their own output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
