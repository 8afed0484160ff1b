"""What a supervisor costs, as the kernel counts it.

Owns: which processes are a supervisor's own, their memory and processor time. Must not know what they supervise.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import psutil

MEBI = 1024 * 1024


@dataclass(frozen=True)
class Memory:
    """In MiB."""

    rss: float
    pss: float
    """Shared pages counted in part, so that sums are honest."""


def supervisors(daemon: int, children: Collection[int]) -> list[psutil.Process]:
    """The daemon first, then what it started except the children."""
    main = psutil.Process(daemon)
    return [main, *(process for process in main.children(recursive=True) if process.pid not in children)]


def memory(processes: Iterable[psutil.Process]) -> Memory:
    """Memory of these processes together."""
    found = [process.memory_full_info() for process in processes]
    return Memory(sum(one.rss for one in found) / MEBI, sum(one.pss for one in found) / MEBI)


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """Processor time these processes have used, by the kernel's ticks of 10 ms."""
    found = [process.cpu_times() for process in processes]
    return sum(one.user + one.system for one in found)
