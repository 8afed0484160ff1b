"""Processes that a test makes up. Fake of `Processes`."""

from hermesd.domain.process import ProcessIdentity
from tests.fakes.backend import BOOT_ID


class MemoryProcesses:
    """Knows the processes that a test adds."""

    def __init__(self) -> None:
        self.alive: dict[int, ProcessIdentity] = {}
        self.boot = BOOT_ID
        self.ttys: dict[int, str] = {}
        """The controlling terminal by pid."""
        self.ages: dict[int, float] = {}
        """How long ago processes were started, by pid."""

    def add(self, pid: int) -> ProcessIdentity:
        """A process appears."""
        self.alive[pid] = ProcessIdentity(self.boot, pid, start_ticks=pid, spawn_id="")
        return self.alive[pid]

    def boot_id(self) -> str:
        """The name of this boot, which a test changes to reboot."""
        return self.boot

    def identify(self, pid: int) -> ProcessIdentity | None:
        """The process of this pid."""
        return self.alive.get(pid)

    def is_alive(self, process: ProcessIdentity) -> bool:
        """Whether it was added and not taken away."""
        return self.alive.get(process.pid) == process

    def tty(self, pid: int) -> str:
        """The terminal that a test set for the pid."""
        return self.ttys.get(pid, "")

    def age_s(self, process: ProcessIdentity) -> float | None:
        """What a test set for the pid."""
        return self.ages.get(process.pid)
