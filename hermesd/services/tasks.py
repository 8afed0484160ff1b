"""Background tasks that cannot fail in silence, and those that no failure ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from hermesd.domain.errors import HermesError
from hermesd.domain.ports import Clock

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0

T = TypeVar("T")


def background(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Starts a task whose failure is logged with its traceback, whether or not anyone awaits it."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    return task


def lasting(work: Callable[[], Awaitable[None]], name: str, clock: Clock) -> asyncio.Task[None]:
    """Starts a task that goes on whatever fails, by `until_done`: what the daemon does as long as it lives."""
    return background(until_done(work, name, clock), name)


async def until_done(work: Callable[[], Awaitable[T]], name: str, clock: Clock) -> T:
    """Does what must not stay undone, again from its beginning after each failure, ever more slowly.

    A failure that passes, such as a full disk, is one line in the log; a defect has its traceback there, and what
    depends on this work goes on all the same.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        began_s = clock.monotonic_s()
        try:
            return await work()
        except HermesError as error:
            log.warning("task=%s is tried again: %s", name, error.message)
        except Exception:
            log.exception("task=%s is tried again", name)
        if clock.monotonic_s() - began_s > LONGEST_PAUSE_S:
            pause_s = FIRST_PAUSE_S  # it went well for a while
        await clock.sleep_s(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("task=%s failed", task.get_name(), exc_info=error)
