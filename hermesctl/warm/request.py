"""One command line as a launcher handed it over.

Owns: reading it, telling whether its caller lives where this process does, and taking the caller's place: streams,
directory, file modes, environment, time zone. Must not know what the command does.
"""

import io
import locale
import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

from hermesctl import __version__
from hermesctl.launch import wire

STREAMS = (0, 1, 2)
DESCRIPTORS = 4
"""The three streams and the working directory."""

PATIENCE_S = 5.0
"""How long a caller may take to hand its command line over."""

CREDENTIALS = struct.Struct("=iII")
"""`struct ucred`: process id, user, group."""


@dataclass(frozen=True)
class Request:
    """What a launcher says; the fields are in the order of the frame."""

    version: str
    mount_namespace: bytes
    top: bytes
    """Device and inode of the caller's `/`."""
    umask: int
    called: str
    """How the program was called."""
    arguments: tuple[str, ...]
    environment: dict[str, str]
    environment_names: tuple[str, ...]
    descriptors: tuple[int, ...]
    pid: int
    user: int

    @classmethod
    def receive(cls, connection: socket.socket) -> Self:
        """Reads the request of a new connection; its descriptors belong to the caller of this.

        Raises:
            Lost: there is none, it is none of ours, or it does not come.
        """
        connection.settimeout(PATIENCE_S)
        descriptors: list[int] = []
        try:
            head, descriptors, _, _ = socket.recv_fds(connection, wire.HEAD, DESCRIPTORS)
            found = cls._parse(_body(connection, head), tuple(descriptors), connection)
        except (OSError, ValueError, IndexError, wire.Lost) as error:
            close(descriptors)
            raise wire.Lost from error
        connection.settimeout(None)
        return found

    @classmethod
    def _parse(cls, fields: Sequence[bytes], descriptors: tuple[int, ...], connection: socket.socket) -> Self:
        version, mounts, top, umask, count, *rest = fields
        called, *arguments = (os.fsdecode(word) for word in rest[: int(count)])
        variables = [os.fsdecode(variable) for variable in rest[int(count) :]]
        pid, user, _ = CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        )
        if len(descriptors) != DESCRIPTORS:
            raise wire.Lost
        pairs = [variable.partition("=") for variable in variables]
        return cls(
            version=version.decode(),
            mount_namespace=mounts,
            top=top,
            umask=int(umask, 8),
            called=called,
            arguments=tuple(arguments),
            environment={name: value for name, separator, value in pairs if separator},
            environment_names=tuple(name for name, _, _ in pairs),
            descriptors=descriptors,
            pid=pid,
            user=user,
        )

    @property
    def is_from_here(self) -> bool:
        """Whether the caller is this user, of this version, and sees the same files under the same names."""
        return (self.version, self.user, self.mount_namespace, self.top) == (
            __version__,
            os.geteuid(),
            os.fsencode(Path("/proc/self/ns/mnt").readlink()),
            _top(),
        )

    @contextmanager
    def in_place(self) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper, io.TextIOWrapper]]:
        """Puts this process in the caller's place, yields its streams, and lets go of everything again."""
        for descriptor, stream in zip(self.descriptors, STREAMS, strict=False):
            os.dup2(descriptor, stream)
        os.fchdir(self.descriptors[-1])
        close(self.descriptors)
        os.umask(self.umask)
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        try:
            yield self._streams()
        finally:
            os.chdir("/")
            release_streams()

    def _streams(self) -> tuple[io.TextIOWrapper, io.TextIOWrapper, io.TextIOWrapper]:
        encoding = _encoding(self.environment)

        def opened(stream: int, mode: str, errors: str) -> io.TextIOWrapper:
            return cast("io.TextIOWrapper", open(stream, mode, encoding=encoding, errors=errors, closefd=False))

        return opened(0, "r", "surrogateescape"), opened(1, "w", "replace"), opened(2, "w", "replace")


def release_streams() -> None:
    """Lets go of whatever the three streams are."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in STREAMS:
        os.dup2(nowhere, stream)
    os.close(nowhere)


def close(descriptors: Sequence[int]) -> None:
    """Closes them all."""
    for descriptor in descriptors:
        os.close(descriptor)


def _body(connection: socket.socket, head: bytes) -> list[bytes]:
    if len(head) != wire.HEAD or head[:1] != wire.REQUEST:
        raise wire.Lost
    return wire.receive_fields(connection, head)


def _top() -> bytes:
    found = Path("/").stat()
    return b"%d:%d" % (found.st_dev, found.st_ino)


def _encoding(environment: dict[str, str]) -> str:
    """How the caller's Python would speak to these streams: as the locale says, UTF-8 where it says nothing."""
    names = (environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    chosen = next((name for name in names if name), "C")
    try:
        locale.setlocale(locale.LC_CTYPE, chosen)
    except locale.Error:  # not installed here
        return "utf-8"
    codeset = locale.nl_langinfo(locale.CODESET)
    return "utf-8" if codeset == "ANSI_X3.4-1968" else codeset
