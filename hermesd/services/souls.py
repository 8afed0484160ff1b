"""Souls: the SOUL.md of each profile.

Owns: who may change it when, and that it is told. Must not know files.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.soul import Soul, check_soul
from hermesd.services.events import Events
from hermesd.services.gatewayviews import GatewayViews
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.operations import Operations
from hermesd.services.runtimes import Runtimes

FILE = "SOUL.md"


@dataclass(frozen=True)
class SoulView:
    """A SOUL.md as it is shown."""

    soul: Soul
    path: Path
    is_in_use: bool
    """Whether the gateway runs, so that conversations may go on under an earlier text."""


class Souls:
    """Reads and replaces SOUL.md."""

    def __init__(
        self,
        ports: Ports,
        events: Events,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        views: GatewayViews,
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._views = views

    async def get(self, name: ProfileName) -> SoulView:
        """The text that conversations begin with.

        Raises:
            ProfileNotFound: there is no such profile.
            ConfigInvalid: it is no text.
        """
        known = await self._homes.get(name)
        agent = self._runtimes.agent_of(name)
        return await self._view(known, await asyncio.to_thread(agent.read_soul, known.home))

    async def set(self, name: ProfileName, text: str, revision: str | None, requester: str = "") -> SoulView:
        """Replaces it, of whatever revision where that is `None`; the same text again changes nothing.

        Raises:
            ArgumentInvalid: it cannot be a SOUL.md.
            ProfileNotFound: there is no such profile.
            ProfileBusy: the profile is being changed.
            ChangedMeanwhile: it is not of this revision any more.
        """
        check_soul(text)
        known = await self._homes.get(name)
        self._operations.refuse_if_changing(name.text)
        agent = self._runtimes.agent_of(name)
        before = await asyncio.to_thread(agent.read_soul, known.home)
        written = await asyncio.to_thread(agent.write_soul, known.home, text, revision)
        if written != before:
            await self._record(name, requester)
        return await self._view(known, written)

    async def _record(self, name: ProfileName, requester: str) -> None:
        message = f"profile {name} has another {FILE}"
        await self._events.record("profile.soul", message, profile=name.text, requester=requester)

    async def _view(self, known: Identified, soul: Soul) -> SoulView:
        gateway = await self._views.view(known)
        is_in_use = gateway.record.process is not None or gateway.foreign_pid is not None
        return SoulView(soul, known.home.path / FILE, is_in_use)
