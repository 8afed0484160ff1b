"""Which keepers there are: one for each profile whose gateway was ever wanted.

Owns: taking up what an earlier daemon kept, letting go, and the housekeeping that no single gateway does. Must
not know who asks for a gateway, or when what they asked for is done.
"""

import asyncio
import logging
from collections.abc import Sequence

from hermesd.domain.errors import HermesError, ProfileBusy, ProfileNotFound
from hermesd.domain.gateway import LIVE, ParkedFor
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home
from hermesd.domain.record import GatewayRecord
from hermesd.services.checkups import Checkups, Vitals
from hermesd.services.claims import Claims
from hermesd.services.effects import Effects
from hermesd.services.events import Events
from hermesd.services.facts import has_lost_home, is_to_boot
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.keeper import Keeper
from hermesd.services.tasks import background, lasting
from hermesd.services.turns import Turns

log = logging.getLogger(__name__)

CHECK_S = 30.0
"""How often homes are checked for being there."""

LOOKED_INTO = 8
"""How many homes are looked into together for what could reach their gateways, while others start."""

LOOKED_FOR = 50
"""Gateways that nothing could reach, and for which that is looked at again at a time."""


class Keepers:
    """Every keeper, by profile id."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        effects: Effects,
        events: Events,
        homes: KnownHomes,
        checkups: Checkups,
        claims: Claims,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._effects = effects
        self._events = events
        self._homes = homes
        self._checkups = checkups
        self._claims = claims
        self._keepers: dict[str, Keeper] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._homeless: dict[str, GatewayRecord] = {}
        """What is remembered of gateways whose home is out of sight, should it come back."""
        self._turns = Turns(ports.clock, policy)
        self._housekeeping: asyncio.Task[None] | None = None
        self._booting: set[asyncio.Task[None]] = set()
        self._next_look = 0
        """Which of those that nothing could reach is looked at next."""

    async def recover(self) -> None:
        """Takes up every gateway an earlier daemon kept."""
        self._checkups.open()
        await self._claims.recover()
        found = {known.id: known.home for known in await self._homes.scan()}
        resumed = []
        for record in await self._ports.store.gateways():
            if record.profile_id in found:
                resumed.append(await self._resume(record, found[record.profile_id], stored=record))
                continue
            if found:  # no home at all says more about the file system than about profiles
                await self._effects.clear_homeless(record)
            self._homeless[record.profile_id] = record
        self._boot_in_background(resumed)
        self._claims.open()
        self._housekeeping = lasting(self._keep_house, "housekeeping", self._ports.clock)

    async def close(self, *, drain: bool) -> None:
        """Lets go of every gateway; with `drain` each is ended first, within its grace. Wishes stay."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        self._checkups.close()
        self._claims.close()
        for task in self._booting:
            task.cancel()
        self._turns.close()
        if drain:
            await asyncio.gather(*(keeper.halt() for keeper in self._keepers.values()))
        for keeper in self._keepers.values():
            keeper.close()
        for task in self._tasks.values():
            task.cancel()

    async def of(self, known: Identified) -> Keeper:
        """The keeper of a home's gateway, made at first need."""
        keeper = self._keepers.get(known.id)
        if keeper is not None:
            keeper.follow_home(known.home)
            return keeper
        record = self._homeless.pop(known.id, None)
        if record is not None:
            return await self._take_up(record, known.home)
        return self._keep(GatewayRecord(known.id), known.home)

    def live(self) -> list[str]:
        """Profile ids of gateways that have a process, or may have one."""
        return [id_ for id_, keeper in self._keepers.items() if keeper.record.gateway.state in LIVE]

    def record_of(self, profile_id: str) -> GatewayRecord:
        """What is remembered of a gateway; that of one never wanted is blank."""
        keeper = self._keepers.get(profile_id)
        return keeper.record if keeper else self._homeless.get(profile_id, GatewayRecord(profile_id))

    def running(self) -> list[Keeper]:
        """The keepers whose gateway is up."""
        return [keeper for keeper in self._keepers.values() if keeper.is_up]

    def vitals_of(self, profile_id: str) -> Vitals | None:
        """How a gateway that is up is doing; `None` for others, and before the first look."""
        keeper = self._keepers.get(profile_id)
        if keeper is None or not keeper.is_up or keeper.vitals is None or not keeper.vitals.is_known:
            return None
        return keeper.vitals

    def living(self) -> list[tuple[Home, GatewayRecord]]:
        """The gateways that have a process, ready or not."""
        kept = [(keeper.home, keeper.record) for keeper in self._keepers.values()]
        return [one for one in kept if one[1].process is not None and one[1].gateway.state in LIVE]

    def warnings_of(self, profile_id: str) -> tuple[str, ...]:
        """What is asked for a gateway and is not given to the process that runs."""
        keeper = self._keepers.get(profile_id)
        return keeper.warnings if keeper is not None and keeper.record.process is not None else ()

    async def forget(self, profile_id: str) -> None:
        """Lets go of a keeper whose gateway will never be started again, and of what was kept for it.

        Raises:
            ProfileBusy: something of the gateway still lives.
        """
        await self._effects.forget(profile_id)
        self._drop(profile_id)

    def _drop(self, profile_id: str) -> None:
        """Lets go of a keeper whose gateway is at rest."""
        self._claims.leave(profile_id)
        self._keepers.pop(profile_id).let_go()
        self._tasks.pop(profile_id).cancel()

    async def refuse_predecessor(self, keeper: Keeper) -> None:
        """Refuses a start beside the gateway of a removed home that had the same name.

        Raises:
            ProfileBusy: there is one; it is being ended now.
        """
        for profile_id, other in list(self._keepers.items()):
            if other is keeper or other.home.name != keeper.home.name or other.record.gateway.state not in LIVE:
                continue
            try:
                other.follow_home(await self._homes.home_of(profile_id))
            except ProfileNotFound as error:
                other.lose_home()
                raise ProfileBusy(
                    f"the gateway of the profile that was '{keeper.home.name}' before is being ended",
                    fixes=[f"hermesctl gateway start {keeper.home.name}"],
                    profile=keeper.home.name.text,
                ) from error

    async def _take_up(self, record: GatewayRecord, home: Home) -> Keeper:
        """Goes on with what is remembered of a gateway whose home is back."""
        keeper = await self._resume(record, home)
        self._boot_in_background([keeper])
        return keeper

    async def _resume(self, record: GatewayRecord, home: Home, *, stored: GatewayRecord | None = None) -> Keeper:
        """Adopts what runs; what has to be started is left to `_boot`."""
        keeper = self._keep(record, home, stored=stored)
        await keeper.resume()
        if has_lost_home(keeper.record, home):
            keeper.lose_home()
        return keeper

    def _boot_in_background(self, keepers: Sequence[Keeper]) -> None:
        """Looking into homes takes time, in which the daemon serves and what runs is kept."""
        waiting = [keeper for keeper in keepers if is_to_boot(keeper.record.gateway)]
        if waiting:
            task = background(self._boot(waiting), "boot")
            self._booting.add(task)
            task.add_done_callback(self._booting.discard)

    async def _boot(self, keepers: Sequence[Keeper]) -> None:
        """Starts what is wanted and could be reached, in order; the rest waits until something could reach it."""
        inline = sorted(keepers, key=lambda keeper: (keeper.record.start_order, keeper.home.name.text))
        for at in range(0, len(inline), LOOKED_INTO):
            some = inline[at : at + LOOKED_INTO]
            found = await asyncio.to_thread(self._have_channels, some, if_unknown=True)
            for keeper, has_channel in zip(some, found, strict=True):
                keeper.boot(has_channel=has_channel)

    def _have_channels(self, keepers: Sequence[Keeper], *, if_unknown: bool) -> list[bool]:
        return [self._has_channel(keeper.home, if_unknown=if_unknown) for keeper in keepers]

    def _has_channel(self, home: Home, *, if_unknown: bool) -> bool:
        """What cannot be read hinders no other gateway; a start that is tried says why it fails."""
        try:
            return self._effects.has_channel(home)
        except (HermesError, OSError) as error:
            log.warning("profile=%s its channels cannot be read: %s", home.name, error)
            return if_unknown

    def _keep(self, record: GatewayRecord, home: Home, *, stored: GatewayRecord | None = None) -> Keeper:
        keeper = Keeper(
            record,
            home,
            ports=self._ports,
            policy=self._policy,
            effects=self._effects,
            events=self._events,
            checkups=self._checkups,
            turns=self._turns,
            claims=self._claims,
            find_home=self._homes.home_of,
            stored=stored,
        )
        self._keepers[record.profile_id] = keeper
        self._claims.join(keeper)
        self._tasks[record.profile_id] = background(keeper.run(), f"keeper of {home.name}")
        return keeper

    async def _keep_house(self) -> None:
        while True:
            await self._ports.clock.sleep_s(CHECK_S)
            try:
                await self._follow_homes()
                await self._look_for_channels()
                await self._refresh_agents()
            except HermesError as error:
                log.warning("housekeeping is put off: %s", error.message)

    async def _follow_homes(self) -> None:
        """Ends gateways whose home was removed or replaced under them, and takes up those whose home is back.

        That no home at all is found says more about the file system than about profiles. For the same reason
        nothing is forgotten: a gateway without a home is let go of once it is at rest, and its record kept.
        """
        kept = list(self._keepers.items())
        found = {known.id: known.home for known in await self._homes.scan()}
        if not found:
            return
        for profile_id, keeper in kept:
            if profile_id not in self._keepers:
                continue
            if has_lost_home(keeper.record, found.get(profile_id)):
                keeper.lose_home()
            elif profile_id not in found:
                self._drop(profile_id)
                self._homeless[profile_id] = keeper.record
        for profile_id in self._homeless.keys() & found.keys():
            record = self._homeless.pop(profile_id, None)
            if record is not None:  # else somebody asked for it meanwhile
                await self._take_up(record, found[profile_id])

    async def _look_for_channels(self) -> None:
        """Starts what waits until something could reach it; of very many, some are looked at each time."""
        waiting = [
            keeper
            for keeper in self._keepers.values()
            if keeper.record.gateway.parked_for is ParkedFor.CHANNEL and keeper.record.is_enabled
        ]
        start = self._next_look if self._next_look < len(waiting) else 0
        self._next_look = start + LOOKED_FOR
        some = waiting[start : self._next_look]
        found = await asyncio.to_thread(self._have_channels, some, if_unknown=False)
        for keeper, has_channel in zip(some, found, strict=True):
            if has_channel:
                keeper.find_channel()

    async def _refresh_agents(self) -> None:
        """Lets agents follow what their gateways share with others."""

        def refresh() -> None:
            for agent in self._ports.agents.values():
                agent.refresh()

        await asyncio.to_thread(refresh)
