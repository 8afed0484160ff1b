"""What a deletion leaves behind because it is not hermesd's.

Owns: where to look for it. Must not know files, or take anything away.
"""

import asyncio

from hermesd.domain.ports import Ports
from hermesd.domain.usage import Leftover
from hermesd.services.homes import Identified
from hermesd.services.runtimes import Runtimes
from hermesd.services.terminals import Terminals


class Leftovers:
    """Names what will work for a profile that is gone."""

    def __init__(self, ports: Ports, runtimes: Runtimes, terminals: Terminals) -> None:
        self._ports = ports
        self._runtimes = runtimes
        self._terminals = terminals

    async def of(self, known: Identified) -> list[Leftover]:
        """Services and aliases of others, and commands on people's terminals."""
        name = known.home.name
        found = await asyncio.to_thread(self._runtimes.agent_of(name).leftovers, known.home)
        for alias in await asyncio.to_thread(self._ports.aliases.scan):
            if alias.profile == name and not alias.is_ours:
                found.append(Leftover(f"{alias.path} is not hermesd's and still calls '{name}'"))
        for terminal in await self._terminals.all(name.text):
            found.append(Leftover(f"'{terminal.verb}' (pid {terminal.process.pid}) still works in it: end it"))
        return found
