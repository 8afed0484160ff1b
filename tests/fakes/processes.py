"""Processes that a test makes up. Fake of `Processes`."""

from hermesd.domain.process import ProcessIdentity


class MemoryProcesses:
    """Knows the processes that a test adds."""

    def __init__(self) -> None:
        self.alive: dict[int, ProcessIdentity] = {}

    def add(self, pid: int) -> ProcessIdentity:
        """A process appears."""
        self.alive[pid] = ProcessIdentity("boot", pid, start_ticks=pid, spawn_id="")
        return self.alive[pid]

    def identify(self, pid: int) -> ProcessIdentity | None:
        """The process of this pid."""
        return self.alive.get(pid)

    def is_alive(self, process: ProcessIdentity) -> bool:
        """Whether it was added and not taken away."""
        return self.alive.get(process.pid) == process
