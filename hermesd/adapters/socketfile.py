"""The socket file: its address for gRPC, and whether it is still the one that was bound.

Owns: the file. Must not know what is served on it.
"""

import os
from pathlib import Path

LONGEST_ADDRESS = 107
"""Bytes that a unix socket's address may have; a longer one is reached through an open directory."""


class SocketFile:
    """A unix socket's place in the file system. Only its daemon, which holds the daemon lock, may clear it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory: int | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def address(self) -> str:
        """What gRPC is told to bind, as short as the kernel demands."""
        if len(os.fsencode(self._path)) <= LONGEST_ADDRESS:
            return f"unix:{self._path}"
        if self._directory is None:
            self._directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"unix:/proc/self/fd/{self._directory}/{self._path.name}"

    def clear(self) -> None:
        """Removes what lies there. Gone already is fine."""
        self._path.unlink(missing_ok=True)

    def remember(self) -> None:
        """Notes which file was just bound and makes it private."""
        self._path.chmod(0o600)
        self._identity = self._found()

    def is_ours(self) -> bool:
        """Whether the file that was bound is still there."""
        return self._found() == self._identity

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino
