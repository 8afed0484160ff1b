"""Power cuts at a chosen step of what a daemon does to its store and its processes.

Owns: counting those steps, and a house whose power fails at one of them. Must not know what they are for. Each
call of a port is two steps, one before and one after its effect. Once the power is off no call ever returns, so
nothing can clean up, as after SIGKILL.
"""

import asyncio
import inspect
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from hermesd.domain.ports import Ports
from tests.services.house import House

Port = TypeVar("Port")


class Power:
    """Electricity, for ever or for a number of steps."""

    def __init__(self) -> None:
        self._left: int | None = None
        self.is_off = False

    def fail_at(self, step: int) -> None:
        """Lets it fail at the `step`-th step from now, counted from 1."""
        self._left = step

    def restore(self) -> bool:
        """Lets it never fail again; says whether it was off."""
        was_off = self.is_off
        self.is_off, self._left = False, None
        return was_off

    async def consume(self) -> None:
        """One step; returns if there is power."""
        if self._left is not None and not self.is_off:
            self._left -= 1
            self.is_off = self._left == 0
        if self.is_off:
            await asyncio.get_running_loop().create_future()


class Powered:
    """A port that works as long as there is power."""

    def __init__(self, port: object, power: Power) -> None:
        self._port = port
        self._power = power

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def stepwise(*arguments: Any, **options: Any) -> Any:
            await self._power.consume()
            result = await found(*arguments, **options)
            await self._power.consume()
            return result

        return stepwise


def powered(port: Port, power: Power) -> Port:
    """The same port on this power."""
    return cast("Port", Powered(port, power))


@dataclass
class FragileHouse(House):
    """A house whose daemon dies where its power fails; what is recorded, and the processes, remain."""

    power: Power = field(default_factory=Power)

    @property
    def ports(self) -> Ports:
        """The fakes, of which store and backend need power."""
        whole = super().ports
        return replace(whole, store=powered(whole.store, self.power), backend=powered(whole.backend, self.power))
