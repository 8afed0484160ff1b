"""What the daemon uses, life by life, and whether it grows.

Owns: samples of one process a second, and the judgement. Growth is the difference between the medians of the
second and the last quarter of a life: the first quarter fills caches, and a median does not see moments. Must not
know what the process does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import psutil

MEBI = 2**20
WORKERS = "hermesctl.warm"


@dataclass(frozen=True)
class Sample:
    """One moment."""

    at_s: float
    rss_bytes: int
    descriptors: int
    threads: int
    gateways: int
    """Gateways that run: each costs the daemon a descriptor or two and some memory."""


@dataclass(frozen=True)
class Tolerance:
    """What may be more at the end of a life than at its beginning."""

    rss_bytes: float = 12 * MEBI
    descriptors: float = 8.0
    threads: float = 4.0


@dataclass
class Life:
    """One process from its first to its last moment."""

    title: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def length_s(self) -> float:
        """How long it was watched."""
        return self.samples[-1].at_s - self.samples[0].at_s if self.samples else 0.0

    def growth(self, figure: Callable[[Sample], float]) -> float:
        """Between the second and the last quarter; none of what was seen in one moment only."""
        if not self.length_s:
            return 0.0
        begin_s, quarter_s = self.samples[0].at_s, self.length_s / 4
        early = [figure(one) for one in self.samples if 1 <= (one.at_s - begin_s) / quarter_s < 2]
        late = [figure(one) for one in self.samples if (one.at_s - begin_s) / quarter_s >= 3]
        return median(late) - median(early) if early and late else 0.0

    def complaints(self, tolerance: Tolerance) -> list[str]:
        """What has grown too much."""
        grown = {
            "memory (bytes)": (self.growth(lambda one: one.rss_bytes), tolerance.rss_bytes),
            "descriptors": (self.growth(lambda one: one.descriptors - one.gateways), tolerance.descriptors),
            "threads": (self.growth(lambda one: one.threads), tolerance.threads),
        }
        return [
            f"{self.title}: {what} grew by {by:.0f} in {self.length_s:.0f} s"
            for what, (by, limit) in grown.items()
            if by > limit
        ]

    def __str__(self) -> str:
        first, last = self.samples[len(self.samples) // 4], self.samples[-1]
        hours = max(self.length_s / 2 / 3600, 1e-6)
        return (
            f"{self.title}: {self.length_s:.0f} s, "
            f"{first.rss_bytes / MEBI:.1f} -> {last.rss_bytes / MEBI:.1f} MiB "
            f"({self.growth(lambda one: one.rss_bytes) / MEBI / hours:+.1f} MiB/h), "
            f"fds {first.descriptors} -> {last.descriptors} ({self.growth(lambda one: one.descriptors):+.0f}), "
            f"threads {first.threads} -> {last.threads} ({self.growth(lambda one: one.threads):+.0f}), "
            f"gateways {first.gateways} -> {last.gateways}"
        )


@dataclass
class Figures:
    """All lives of the daemon and of the process that keeps its clients."""

    lives: dict[tuple[str, int], Life] = field(default_factory=dict)

    def look(self, pid: int, at_s: float, gateways: int) -> None:
        """Takes a sample of a daemon and its clients, if they are still there."""
        try:
            daemon = psutil.Process(pid)
            self._sample("daemon", daemon, at_s, gateways)
            for child in daemon.children():
                if any(WORKERS in word for word in child.cmdline()):
                    self._sample("zygote", child, at_s, 0)
        except psutil.Error:
            return

    def long(self, at_least_s: float) -> Sequence[Life]:
        """Lives that tell something."""
        return [life for life in self.lives.values() if life.length_s >= at_least_s]

    def _sample(self, kind: str, process: psutil.Process, at_s: float, gateways: int) -> None:
        with process.oneshot():
            sample = Sample(at_s, process.memory_info().rss, process.num_fds(), process.num_threads(), gateways)
        key = (kind, process.pid)
        self.lives.setdefault(key, Life(f"{kind} {process.pid}")).samples.append(sample)
