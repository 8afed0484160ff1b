"""How much trouble there is: what may be expected of a daemon depends on it.

Owns: which troubles last now, and since when there is none. Must not know what a trouble does.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

RECOVERY_S = 12.0
"""How long after a trouble a daemon may still be busy with it, on a machine that has other work too."""


class Weather:
    """Shared by those who make trouble and those who judge."""

    def __init__(self) -> None:
        self.troubles: Counter[str] = Counter()
        """How often each kind came."""
        self._lasting: list[str] = []
        self._over_s = time.monotonic()
        self._lock = threading.Lock()

    @contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        """A trouble of the whole daemon, for as long as the block lasts."""
        with self._lock:
            self.troubles[kind] += 1
            self._lasting.append(kind)
        try:
            yield
        finally:
            with self._lock:
                self._lasting.remove(kind)
                self._over_s = time.monotonic()

    @property
    def lasting(self) -> tuple[str, ...]:
        """The troubles of this moment."""
        with self._lock:
            return tuple(self._lasting)

    def was_calm(self, since_s: float) -> bool:
        """Whether nothing troubled the daemon from then, by the monotonic clock, until now, or shortly before."""
        with self._lock:
            return not self._lasting and since_s >= self._over_s + RECOVERY_S

    @property
    def is_calm(self) -> bool:
        """Whether nothing has troubled it for a while."""
        return self.was_calm(time.monotonic())
