"""What a caller of blocking work is told when the system has nothing left."""

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.threads import EXHAUSTED, Threads
from hermesd.domain.errors import DiskFull, HermesError

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Within the block this process can open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_whatever_needs_a_descriptor_says_that_there_is_none() -> None:
    """As a failure with a reason, which callers know how to try again; nobody's mistake."""
    asyncio.get_running_loop().set_default_executor(Threads())
    await asyncio.to_thread(os.getpid)  # its thread is there
    with no_descriptors(), pytest.raises(HermesError) as raised:
        await asyncio.to_thread(procfs.command_line, os.getpid())
    assert raised.value.message == "hermesd has too many files open"
    assert "RLIMIT_NOFILE" in raised.value.metadata["hint"]
    assert await asyncio.to_thread(procfs.command_line, os.getpid())


@pytest.mark.parametrize("code", EXHAUSTED)
async def test_what_the_system_has_no_more_of_is_told(code: int) -> None:
    """Each of them in words of its own."""

    def refused() -> None:
        raise OSError(code, os.strerror(code), "/some/file")

    with Threads() as threads, pytest.raises(HermesError) as raised:
        await asyncio.get_running_loop().run_in_executor(threads, refused)
    assert (raised.value.message, raised.value.metadata["hint"]) == EXHAUSTED[code]


@pytest.mark.parametrize(
    "failure", [FileNotFoundError(errno.ENOENT, "x"), OSError(errno.EIO, "x"), DiskFull("full"), ValueError("x")]
)
async def test_other_failures_stay_as_they_are(failure: Exception) -> None:
    """Whoever calls knows what to make of them, or it is a mistake."""

    def refused() -> None:
        raise failure

    with Threads() as threads, pytest.raises(type(failure)) as raised:
        await asyncio.get_running_loop().run_in_executor(threads, refused)
    assert raised.value is failure
