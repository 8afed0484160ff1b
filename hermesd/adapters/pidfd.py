"""Processes held by a descriptor, which can never come to mean another process.

Owns: sending signals, and learning when and how a process ended, whether it is our child or was adopted. Must not
know what a process is for. Nothing here is done by pid: a pid is only turned into a pidfd, and then it is asked
whether that is the process meant.
"""

import asyncio
import fcntl
import os
import select
import signal
import struct
from collections.abc import Callable

from hermesd.adapters import procfs
from hermesd.adapters.oserrors import not_permitted
from hermesd.domain.process import ExitStatus, ProcessIdentity

GET_INFO = 0xC040FF0B
"""PIDFD_GET_INFO, `_IOWR(0xFF, 11, 64 bytes)`: Linux 6.13; it tells about ends since 6.15."""
INFO = struct.Struct("=QQ11Ii")
"""First version of `struct pidfd_info`: mask, control group, eleven ids, wait status."""
INFO_EXIT = 1 << 3
REAP_PATIENCE_S = 2.0
"""How long another process may take to reap its child before how that ended counts as unknown."""
REAP_RETRY_S = 0.05
"""How often our own child is asked for while a debugger keeps its end from us."""


def open_living(process: ProcessIdentity) -> int | None:
    """A pidfd of exactly this process, for the caller to close; `None` if it no longer runs."""
    return _open_if(process.pid, lambda: procfs.is_alive(process))


def send(process: ProcessIdentity, number: signal.Signals) -> None:
    """Sends a signal to exactly this process; one that has ended gets none. Raises `NotPermitted`."""
    send_if(process.pid, number, lambda: procfs.is_alive(process))


def send_if(pid: int, number: signal.Signals, is_meant: Callable[[], bool]) -> None:
    """Sends a signal to the process of this pid if `is_meant` says so while it cannot become another.

    `is_meant` looks at whoever has the pid then: the process that is held, or a later one, and then the one
    that is held has ended and the signal reaches nobody. Raises `NotPermitted`.
    """
    fd = _open_if(pid, is_meant)
    if fd is None:
        return
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return  # it ended meanwhile
    except PermissionError as error:
        raise not_permitted(procfs.PROC / str(pid), action=f"send {number.name} to") from error
    finally:
        os.close(fd)


async def exit_status(fd: int) -> ExitStatus:
    """Waits until the process of this pidfd has ended and says how. A child of ours is reaped by it.

    Of another's child the kernel tells this only if the descriptor was opened while it lived, and only after
    its parent reaped it; otherwise the status is unknown.
    """
    await _readable(fd)
    try:
        while (status := _reap(fd)) is None:  # noqa: ASYNC110 - nothing tells when a debugger lets go of it
            await asyncio.sleep(REAP_RETRY_S)
    except ChildProcessError:
        return await _status_of_another(fd)
    return status


def _open_if(pid: int, is_meant: Callable[[], bool]) -> int | None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if is_meant():
            return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _reap(fd: int) -> ExitStatus | None:
    """Reaps our own child; `None` if it cannot be had yet. Raises `ChildProcessError` if it is not ours."""
    ended = os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG)
    if ended is None:
        return None
    if ended.si_code == os.CLD_EXITED:
        return ExitStatus(code=ended.si_status)
    return ExitStatus(signal=ended.si_status)


async def _status_of_another(fd: int) -> ExitStatus:
    status = _recorded_status(fd)
    if status is None:
        await _reaped(fd)
        status = _recorded_status(fd)
    return status or ExitStatus()


def _recorded_status(fd: int) -> ExitStatus | None:
    """What the kernel recorded of an end; `None` if the process still waits to be reaped."""
    request = bytearray(INFO.size)
    struct.pack_into("=Q", request, 0, INFO_EXIT)
    try:
        fcntl.ioctl(fd, GET_INFO, request)
    except OSError:  # whatever this kernel or sandbox says instead, it does not tell
        return ExitStatus()
    mask, *_, wait_status = INFO.unpack(request)
    if not mask & INFO_EXIT:
        return None
    code = os.waitstatus_to_exitcode(wait_status)
    return ExitStatus(signal=-code) if code < 0 else ExitStatus(code=code)


async def _reaped(fd: int) -> None:
    """Returns when the process has been reaped, or after `REAP_PATIENCE_S`.

    An ended process keeps its pidfd readable; that it was reaped shows as a hang-up alone, which asyncio does not
    wait for. So it waits for an epoll descriptor that knows nothing else.
    """
    with select.epoll() as hang_up:
        hang_up.register(fd, 0)
        try:
            async with asyncio.timeout(REAP_PATIENCE_S):
                await _readable(hang_up.fileno())
        except TimeoutError:
            return


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    loop.add_reader(fd, is_readable.set)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(fd)
