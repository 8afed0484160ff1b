"""A meter that reads what a test sets. Fake of `Meter`."""

from collections.abc import Sequence
from dataclasses import replace

from hermesd.domain.process import ProcessIdentity
from hermesd.domain.samples import Reading

MODEST = Reading(cpu_s=1.0, rss_bytes=80 * 1024 * 1024, descriptors=30, threads=5, processes=1, age_s=1_000_000.0)
"""What a process uses of which nothing was set."""


class MemoryMeter:
    """Readings by pid, which stay until they are changed."""

    def __init__(self) -> None:
        self.looks: list[list[int]] = []
        """The pids that were asked for, a list for each time."""
        self.gone: set[int] = set()
        """Pids of processes that end unseen."""
        self._readings: dict[int, Reading] = {}

    def set(self, pid: int, **changes: float) -> None:
        """Changes what is read of a process."""
        self._readings[pid] = replace(self._readings.get(pid, MODEST), **changes)  # type: ignore[arg-type]

    def measure(self, roots: Sequence[ProcessIdentity]) -> dict[ProcessIdentity, Reading]:
        self.looks.append([root.pid for root in roots])
        return {root: self._readings.get(root.pid, MODEST) for root in roots if root.pid not in self.gone}
