"""Gateways as people are shown them: what each is, how it does, and why it is as it is.

Owns: what a view and an explanation hold. Changes nothing. Must not know who asks, or what may be done next.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from hermesd.domain.budget import DAY_S, HOUR_S, Budget, used
from hermesd.domain.dump import Dump
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.gateway import LIVE
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.process import Foreign, LastExit
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord
from hermesd.domain.samples import Sample
from hermesd.services.claims import Claims
from hermesd.services.healthviews import HealthView, view_health
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.keepers import Keepers
from hermesd.services.runtimes import Runtimes
from hermesd.services.samples import Samples
from hermesd.services.stories import EXITED, end_of

EXPLAINED = 10
"""Ends and lines that an explanation holds at most."""

MOST_LINES = 100_000
"""Lines of captured output that one call can ask for."""


@dataclass(frozen=True)
class GatewayView:
    """A gateway as it is shown."""

    name: ProfileName
    record: GatewayRecord
    foreign: Foreign | None
    """The gateway that somebody else started."""
    log_path: str
    budget: Budget
    used_in_hour: int
    """Starts charged to the rolling hour, of the gateway or of its bot, whichever was started more often."""
    used_in_day: int
    """Starts charged to the rolling day."""
    warnings: tuple[str, ...]
    """What is asked for and is not given to the process that runs."""
    health: HealthView | None = None
    """How it is doing; `None` unless it is up and was looked at."""
    usage: Sample | None = None
    """What it used when it was last looked at."""

    @property
    def foreign_pid(self) -> int | None:
        """Pid of the gateway that somebody else started."""
        return None if self.foreign is None else self.foreign.pid


@dataclass(frozen=True)
class Explanation:
    """Why a gateway is as it is."""

    view: GatewayView
    exits: Sequence[LastExit]
    """Its last ends, newest first."""
    last_lines: Sequence[str]
    """The last lines it wrote, oldest first."""
    dumps: Sequence[Dump] = ()
    """What was kept of processes before they were ended, newest first."""


class GatewayViews:
    """Shows gateways."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        homes: KnownHomes,
        runtimes: Runtimes,
        keepers: Keepers,
        samples: Samples,
        claims: Claims,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._homes = homes
        self._runtimes = runtimes
        self._keepers = keepers
        self._samples = samples
        self._claims = claims

    async def all(self) -> list[GatewayView]:
        """The gateway of every profile."""
        return await self._views(await self._homes.scan())

    async def get(self, name: ProfileName) -> GatewayView:
        """The gateway of one profile.

        Raises:
            ProfileNotFound: there is no such profile.
        """
        return await self.view(await self._homes.get(name))

    async def view(self, known: Identified) -> GatewayView:
        """The gateway of a home as it is now."""
        (view,) = await self._views([known])
        return view

    async def explain(self, name: ProfileName) -> Explanation:
        """Why the gateway is as it is: its last ends and its last words.

        Raises:
            ProfileNotFound: there is no such profile.
        """
        known = await self._homes.get(name)
        told = await self._ports.store.events(after=0, profile=name.text, limit=EXPLAINED, kinds=[EXITED])
        lines = await self._last_lines(known, EXPLAINED)
        dumps = await asyncio.to_thread(self._ports.dumps.of, known.id)
        return Explanation(await self.view(known), [end_of(event) for event in reversed(told)], lines, dumps)

    async def read_log(self, name: ProfileName, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """The last lines of a gateway's captured output, then, with `follow`, new ones as they come.

        Raises:
            ProfileNotFound: there is no such profile.
            ArgumentInvalid: `lines` is above `MOST_LINES`.
        """
        if lines > MOST_LINES:
            raise ArgumentInvalid(f"{lines} lines are more than can be sent", hint=f"ask for at most {MOST_LINES}")
        known = await self._homes.get(name)
        if follow:
            masking = self._runtimes.agent_of(name).masking(known.home)
            async for line in self._ports.logs.follow(known.id, lines):
                yield masking(line)
            return
        for line in await self._last_lines(known, lines):
            yield line

    async def _last_lines(self, known: Identified, lines: int) -> list[str]:
        """The last captured ones, without the secrets that an agent may have told."""
        masking = self._runtimes.agent_of(known.home.name).masking(known.home)

        def read() -> list[str]:
            return [masking(line) for line in self._ports.logs.tail(known.id, lines)]

        return await asyncio.to_thread(read)

    async def _views(self, homes: Sequence[Identified]) -> list[GatewayView]:
        """Gateways as they are now; homes are looked into in one thread, whose turn costs more than the look."""
        kept = [(known, self._keepers.record_of(known.id)) for known in homes]
        resting = [(known, record) for known, record in kept if record.gateway.state not in LIVE]
        foreign = await asyncio.to_thread(self._foreign, resting) if resting else {}
        await self._samples.look_at_new()
        return [self._view(known, record, foreign.get(known.id)) for known, record in kept]

    def _foreign(self, resting: Sequence[tuple[Identified, GatewayRecord]]) -> dict[str, Foreign | None]:
        """By profile id."""
        agents = [self._runtimes.agent_of(known.home.name) for known, _ in resting]
        return {
            known.id: agent.foreign_gateway(known.home, record.process)
            for agent, (known, record) in zip(agents, resting, strict=True)
        }

    def _view(self, known: Identified, record: GatewayRecord, foreign: Foreign | None) -> GatewayView:
        log_path = str(self._ports.logs.path(known.id))
        now_s = self._ports.clock.now_s()
        starts_s = max(record.starts_s, self._claims.starts.of(record.claims), key=len)
        return GatewayView(
            known.home.name,
            record,
            foreign,
            log_path,
            self._policy.budget,
            used_in_hour=used(starts_s, now_s, HOUR_S),
            used_in_day=used(starts_s, now_s, DAY_S),
            warnings=self._keepers.warnings_of(known.id),
            health=self._health(known.id),
            usage=self._samples.latest(known.id, record.process),
        )

    def _health(self, profile_id: str) -> HealthView | None:
        vitals = self._keepers.vitals_of(profile_id)
        if vitals is None:
            return None
        age_s = self._ports.processes.age_s(vitals.process)
        return view_health(
            vitals, self._ports.clock, process_age_s=age_s, silent_after_s=vitals.health.patience_s(self._policy)
        )
