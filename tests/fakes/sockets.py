"""TCP ports that a test says are listened on. Passes `tests/contracts/test_sockets.py`."""

from hermesd.domain.listening import Sockets


class MemorySockets:
    """Answers from its attributes."""

    def __init__(self) -> None:
        self.listening: set[int] = set()
        self.fleeting = range(32_768, 61_000)

    def look(self) -> Sockets:
        """What is set."""
        return Sockets(frozenset(self.listening), self.fleeting)
