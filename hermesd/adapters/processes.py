"""Processes of other people's making (port `Processes`). Owns nothing; looks and never touches."""

import os
import time

from hermesd.adapters import procfs
from hermesd.domain.process import ProcessIdentity


class KernelProcesses:
    """What the kernel tells of a process."""

    def boot_id(self) -> str:
        """The kernel's random name of this boot."""
        return procfs.boot_id()

    def identify(self, pid: int) -> ProcessIdentity | None:
        """The process that has this pid now, without a spawn id; `None` if there is none."""
        return procfs.identity(pid, "")

    def is_alive(self, process: ProcessIdentity) -> bool:
        """Whether this very process exists and is no zombie."""
        return procfs.is_alive(process)

    def tty(self, pid: int) -> str:
        """Path of the terminal that controls a process; empty if none does."""
        found = procfs.stat(pid)
        return "" if found is None else procfs.tty_path(found.tty)

    def age_s(self, process: ProcessIdentity) -> float | None:
        """By the clock that the kernel stamps starts with."""
        if process.boot_id != procfs.boot_id():
            return None
        started_s = process.start_ticks / os.sysconf("SC_CLK_TCK")
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - started_s, 0.0)
