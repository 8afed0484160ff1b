"""Records of commands on terminals, in memory. Fake of `TerminalRecords`."""

from hermesd.domain.terminal import Terminal
from tests.fakes.faults import Faults


class MemoryTerminals:
    """Keeps what it is given for as long as a test runs."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._kept: dict[str, Terminal] = {}

    def all(self) -> list[Terminal]:
        self.faults.trip("all")
        return sorted(self._kept.values(), key=lambda one: (one.started_at_s, one.id))

    def save(self, terminal: Terminal) -> None:
        self.faults.trip("save")
        self._kept[terminal.id] = terminal

    def forget(self, terminal_id: str) -> None:
        self.faults.trip("forget")
        self._kept.pop(terminal_id, None)
