"""What profiles take on disk.

Owns: that a walk ends when nobody waits for it any more, and that walks leave threads to others. Must not know
files.
"""

import asyncio
import threading

from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.usage import DiskUsage
from hermesd.services.homes import KnownHomes

AT_ONCE = 2
"""Walks at a time: each keeps a thread, of which everything else needs some too."""


class Usage:
    """Measures profiles."""

    def __init__(self, ports: Ports, homes: KnownHomes) -> None:
        self._ports = ports
        self._homes = homes
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, name: ProfileName, *, limit_s: float | None = None) -> DiskUsage:
        """What a profile takes, or what was found of it within `limit_s`.

        Raises:
            ProfileNotFound: there is none.
        """
        return await self.of_home((await self._homes.get(name)).home, limit_s=limit_s)

    async def of_home(self, home: Home, *, limit_s: float | None = None) -> DiskUsage:
        """Likewise. The walk ends with the call, also when that is cancelled."""
        clock = self._ports.clock
        ends_at_s = None if limit_s is None else clock.monotonic_s() + limit_s
        is_gone = threading.Event()

        def is_enough() -> bool:
            return is_gone.is_set() or (ends_at_s is not None and clock.monotonic_s() >= ends_at_s)

        async with self._turns:
            try:
                return await asyncio.to_thread(self._ports.homes.measure, home, is_enough)
            finally:
                is_gone.set()
