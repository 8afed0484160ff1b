"""Waiting for what happens outside the test, by condition and deadline, never for a fixed time."""

import asyncio
import time
from collections.abc import Callable

DEADLINE_S = 20.0
"""Long enough for a loaded machine; a test that fails waits that long, one that passes does not."""
POLL_S = 0.01


def wait_until(condition: Callable[[], object], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """Returns once `condition()` is true. Raises `AssertionError`, naming `what`, if that takes too long."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"waited {deadline_s:g} s in vain for {what}"
        time.sleep(POLL_S)


async def until(condition: Callable[[], object], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """The same in an event loop."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"waited {deadline_s:g} s in vain for {what}"
        await asyncio.sleep(POLL_S)
