"""Failures on demand: how a test makes a fake's method fail.

Owns: the table of armed failures. Must not know which fake it serves.
"""

from hermesd.domain.errors import HermesError


class Faults:
    """Failures by method name, such as `fake.faults.arm("create", DiskFull("..."))`."""

    def __init__(self) -> None:
        self._armed: dict[str, HermesError] = {}

    def arm(self, method: str, error: HermesError) -> None:
        """Every later call of `method` raises `error` before it does anything."""
        self._armed[method] = error

    def disarm(self, method: str) -> None:
        """The method works again."""
        self._armed.pop(method, None)

    def trip(self, method: str) -> None:
        """Called first by each method of a fake; raises what is armed for it."""
        if error := self._armed.get(method):
            raise error
