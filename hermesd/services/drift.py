"""What others do to profiles behind the daemon's back: hermes-agent's own commands, or somebody with a shell.

Owns: noticing that a profile was renamed or removed by somebody else, saying so once, and letting our aliases
follow. Must not know gateways: whoever keeps them follows a home by itself.
"""

import asyncio
import logging

from hermesd.domain.errors import HermesError
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.services.events import Events
from hermesd.services.homes import KnownHomes
from hermesd.services.operations import Operations
from hermesd.services.tasks import lasting

log = logging.getLogger(__name__)

CHECK_S = 30.0
"""How often it is looked."""

OURS = "profile.rename"
"""The kind of operation that gives profiles other names."""


class Drift:
    """Notices what was done by others."""

    def __init__(self, ports: Ports, events: Events, operations: Operations, homes: KnownHomes) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._last: dict[str, ProfileName] = {}
        """What each id was called at the last look."""
        self._looking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to look."""
        self._looking = lasting(self._look_again_and_again, "drift", self._ports.clock)

    def close(self) -> None:
        """Ends that."""
        if self._looking is not None:
            self._looking.cancel()

    async def check(self) -> None:
        """Compares with the last look. That no profile at all is found tells of the file system only."""
        now = {known.id: known.home.name for known in await self._homes.scan()}
        if not now:
            return
        before, self._last = self._last, now
        bound = {binding.id for binding in await self._ports.store.bindings()}
        for profile_id, name in before.items():
            after = now.get(profile_id)
            if after is None and profile_id in bound:
                await self._tell_removed(name)
            elif after is not None and after != name and not await self._is_our_doing(name):
                await self._follow(name, after, is_free=name not in now.values())

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                await self.check()
            except HermesError as error:
                log.warning("profiles are looked at later: %s", error.message)
            await self._ports.clock.sleep_s(CHECK_S)

    async def _is_our_doing(self, name: ProfileName) -> bool:
        """Whether hermesd itself renamed it, or is just doing that, since the last look or not long before."""
        since_s = self._ports.clock.now_s() - 2 * CHECK_S
        found = await self._operations.all(profile=name.text, limit=10)
        return any(one.kind == OURS and (one.finished_at_s or since_s) >= since_s for one in found)

    async def _tell_removed(self, name: ProfileName) -> None:
        message = f"profile {name} is gone: its home was removed, and not by hermesd; it is not in the trash"
        await self._events.record("profile.removed_elsewhere", message, profile=name.text)

    async def _follow(self, before: ProfileName, after: ProfileName, *, is_free: bool) -> None:
        """Nobody else's alias is touched, nor one that a new profile of the old name may count on."""
        message = f"profile {before} is called {after} now: it was renamed, and not by hermesd"
        await self._events.record("profile.renamed_elsewhere", message, profile=after.text, before=before.text)
        if not is_free:
            return
        for alias in await asyncio.to_thread(self._ports.aliases.scan):
            if alias.profile == before and alias.is_ours:
                await asyncio.to_thread(self._ports.aliases.repoint, alias, after)
