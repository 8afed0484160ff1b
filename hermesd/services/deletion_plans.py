"""What deleting a profile would take away, said before it is done.

Owns: what people are told, and that a plan is refused for what the deletion would be refused for. Changes nothing.
Must not know files.
"""

import asyncio
from dataclasses import dataclass

from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import Settings
from hermesd.domain.usage import DiskUsage, Holdings, Leftover
from hermesd.services.foreign import foreign_error
from hermesd.services.leftovers import Leftovers
from hermesd.services.operations import Operations
from hermesd.services.profiles import Profiles, ProfileView, refuse_default
from hermesd.services.runtimes import Runtimes
from hermesd.services.usage import Usage

MEASURE_LIMIT_S = 3.0
"""How long a person who is about to confirm waits for the size."""


@dataclass(frozen=True)
class DeletionPlan:
    """What goes, and what stays."""

    view: ProfileView
    usage: DiskUsage
    holdings: Holdings
    kept_s: float | None
    """How long the trash keeps it; `None` if it is removed for good."""
    aliases: tuple[str, ...]
    """Those that go."""
    link_target: str
    """What the home is only a link to, which stays; empty if it is no link."""
    leftovers: tuple[Leftover, ...]


class DeletionPlans:
    """Says what deletions would take away."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        operations: Operations,
        runtimes: Runtimes,
        profiles: Profiles,
        usage: Usage,
        leftovers: Leftovers,
    ) -> None:
        self._ports = ports
        self._kept_s = settings.trash_kept_s
        self._operations = operations
        self._runtimes = runtimes
        self._profiles = profiles
        self._usage = usage
        self._leftovers = leftovers

    async def of(self, name: ProfileName, *, purge: bool) -> DeletionPlan:
        """What deleting a profile would take away.

        Raises:
            ProfileNameInvalid: the default profile cannot be deleted.
            ProfileNotFound: there is no such profile.
            ProfileBusy: another operation works on it.
            GatewayForeign: its gateway is not hermesd's to end.
        """
        refuse_default(name)
        view = await self._profiles.get(name)
        self._operations.refuse_if_changing(name.text)
        home = view.known.home
        if view.gateway.foreign is not None:
            raise foreign_error(home, view.gateway.foreign, f"hermesctl profile delete {name}")
        usage, holdings = await asyncio.gather(
            self._usage.of_home(home, limit_s=MEASURE_LIMIT_S),
            asyncio.to_thread(self._runtimes.agent_of(name).holdings, home),
        )
        found = await asyncio.to_thread(self._ports.aliases.scan)
        return DeletionPlan(
            view,
            usage,
            holdings,
            None if purge else self._kept_s,
            tuple(alias.name for alias in found if alias.profile == name and alias.is_ours),
            await asyncio.to_thread(self._ports.homes.link_target, home),
            tuple(await self._leftovers.of(view.known)),
        )
