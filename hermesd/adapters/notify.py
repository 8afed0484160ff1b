"""The socket on which gateways say that they are ready and that their event loop goes round.

Owns: the socket file, and who is heard: processes of our own user that live, by what the kernel says of them and
not by what they say. Must not know which of them is a gateway. A start and a beat are told in datagrams that may
get lost; nobody may rely on them alone.
"""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from hermesd.adapters import procfs
from hermesd.domain.notice import LONGEST_NOTICE, Notice, parse_notice

log = logging.getLogger(__name__)

LONGEST_PATH = 107
"""Bytes that a unix socket's address may have. Agents connect by the path, so there is no way around it."""

HEARD_AT_ONCE = 64
"""Datagrams that are read until others have their turn."""

KEPT = 1024
"""Notices that wait to be fetched; the oldest beyond them are dropped."""

CREDENTIALS = struct.Struct("=3i")
"""`struct ucred`: pid, uid, gid of the sender, written by the kernel."""


class NotifySocket:
    """One datagram socket at one path (port `Notices`), for as long as a daemon lives."""

    def __init__(self, path: Path) -> None:
        """Nothing is bound before `open`."""
        self._path = path
        self._socket: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._heard: deque[Notice] = deque(maxlen=KEPT)
        self._something = asyncio.Event()

    @property
    def address(self) -> str:
        """The path while something is bound there; empty otherwise."""
        return "" if self._socket is None else str(self._path)

    def open(self) -> None:
        """Binds a fresh socket in place of the last daemon's. Where that cannot be done, nothing will be heard."""
        if not self._is_possible:
            log.warning("notify=%s is too long for a socket: readiness is taken from agents' files", self._path)
            return
        try:
            self._socket = self._bound()
        except OSError as error:
            log.warning("notify=%s not bound: %s", self._path, error)
            return
        self._identity = self._found()
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    @property
    def _is_possible(self) -> bool:
        return len(os.fsencode(self._path)) <= LONGEST_PATH

    def renew(self) -> None:
        """Binds anew where the file was taken away or could not be made: whoever speaks knows only its path."""
        if self._socket is None and self._is_possible:
            self.open()
        elif self._socket is not None and self._found() != self._identity:
            log.warning("notify=%s was taken away and is bound again", self._path)
            self.close()
            self.open()

    def close(self) -> None:
        """Hears no more, and removes the file if it is still ours."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        if self._found() == self._identity:
            self._path.unlink(missing_ok=True)
        self._socket.close()
        self._socket = None

    async def heard(self) -> Sequence[Notice]:
        """What was said since this was last asked, oldest first, at least one; waits for it."""
        await self._something.wait()
        self._something.clear()
        notices = list(self._heard)
        self._heard.clear()
        return notices

    def _bound(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # before anybody can send without
            self._path.unlink(missing_ok=True)
            made.bind(str(self._path))
            self._path.chmod(0o600)
        except BaseException:
            made.close()
            raise
        return made

    def _read(self) -> None:
        """Takes what waits, a bounded number at a time: one that never stops must not keep others waiting."""
        assert self._socket is not None
        living: dict[int, int | None] = {}
        for data, pid in _datagrams(self._socket):
            if pid not in living:
                living[pid] = _start_of(pid)
            ticks = living[pid]
            notice = None if ticks is None else parse_notice(data, pid, ticks)
            if notice is not None:
                self._heard.append(notice)
                self._something.set()

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self._path.lstat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _datagrams(listening: socket.socket) -> Iterator[tuple[bytes, int]]:
    """What was sent by processes of our own user, with their pids.

    The buffer for what comes along has room for the sender's credentials, which the kernel puts first, and for no
    descriptor: those that somebody passes are dropped by the kernel, and are never ours.
    """
    room = socket.CMSG_SPACE(CREDENTIALS.size)
    for _ in range(HEARD_AT_ONCE):
        try:
            data, along, _, _ = listening.recvmsg(LONGEST_NOTICE + 1, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        _close_passed(along)
        pid, uid = _sender(along)
        if pid > 0 and uid == os.getuid():
            yield data, pid


def _sender(along: Sequence[tuple[int, int, bytes]]) -> tuple[int, int]:
    """Pid and uid as the kernel tells them; a pid of 0 for a process of another pid namespace, or none told."""
    for level, kind, data in along:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) == CREDENTIALS.size:
            pid, uid, _ = CREDENTIALS.unpack(data)
            return pid, uid
    return 0, 0


def _close_passed(along: Sequence[tuple[int, int, bytes]]) -> None:
    """Closes descriptors that came in after all, where credentials take less room than they should."""
    for level, kind, data in along:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            size = struct.calcsize("=i")
            for (number,) in struct.iter_unpack("=i", data[: len(data) // size * size]):
                with contextlib.suppress(OSError):  # it is closed either way
                    os.close(number)


def _start_of(pid: int) -> int | None:
    """When a living process started; one that has ended since it spoke says nothing any more."""
    found = procfs.stat(pid)
    return found.start_ticks if found is not None and found.is_alive else None
