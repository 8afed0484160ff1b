"""Who has what of which only one gateway at a time can use, and who gets it next.

Owns: the view of all gateways' claims as they are now, the refusal of a start that needs what somebody has, and
telling those that wait when it is their turn. Must not know what a claim is made of, or how a process takes one:
that two cannot have it is the locks' work, which a start takes before anything of the agent runs.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hermesd.domain.claims import (
    Claim,
    ClaimLock,
    ClaimNote,
    ClaimTable,
    Contender,
    Denial,
    Outsider,
    distinct,
    in_use,
)
from hermesd.domain.errors import HermesError
from hermesd.domain.gateway import LIVE, ParkedFor
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home
from hermesd.domain.record import GatewayRecord
from hermesd.services.runtimes import Runtimes
from hermesd.services.tasks import lasting
from hermesd.services.tokenstarts import TokenStarts

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""While a gateway waits: how often is looked whether its files name something else now, or a stranger let go."""

TIDY_S = 3600.0
"""How often lock files are removed that nobody uses."""


class Claimant(Protocol):
    """Whoever keeps a gateway."""

    @property
    def record(self) -> GatewayRecord:
        """What is remembered of it."""

    @property
    def home(self) -> Home:
        """Where its profile is."""

    @property
    def is_held(self) -> bool:
        """Whether it was taken down for a while, in which its home may be on its way to another place."""

    def find_claims_free(self) -> None:
        """Told that all it waits for was free a moment ago."""

    def find_denied(self, why: str) -> None:
        """Told what it waits for, in words; often the same as before."""


@dataclass(frozen=True)
class Seen:
    """What a look into files has shown."""

    wanted: Mapping[str, tuple[Claim, ...]] = field(default_factory=dict)
    """What gateways without a process claim, by profile id."""
    outsiders: Mapping[str, Outsider] = field(default_factory=dict)
    """Who else has what, by key."""


@dataclass(frozen=True)
class Want:
    """What one profile would have."""

    profile_id: str
    home: Home
    claims: Sequence[Claim]


class Claims:
    """The claims of all gateways of one daemon."""

    def __init__(self, ports: Ports, policy: Policy, runtimes: Runtimes) -> None:
        self.starts = TokenStarts(ports, policy.budget)
        """How often each bot was started."""
        self._ports = ports
        self._runtimes = runtimes
        self._claimants: dict[str, Claimant] = {}
        self._told_s: dict[str, float] = {}
        """When each was told last that it may start, by the monotonic clock."""
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def recover(self) -> None:
        """Takes up what an earlier daemon counted."""
        await self.starts.recover()

    def open(self) -> None:
        """Begins to look after those that wait, and after locks that nobody needs any more."""
        self._tasks = [
            lasting(self._watch, "claims", self._ports.clock),
            lasting(self._keep_tidy, "locks of claims", self._ports.clock),
        ]

    def close(self) -> None:
        """Ends that."""
        for task in self._tasks:
            task.cancel()

    def join(self, claimant: Claimant) -> None:
        """Counts a gateway in."""
        self._claimants[claimant.record.profile_id] = claimant

    def leave(self, profile_id: str) -> None:
        """Counts it no more."""
        self._claimants.pop(profile_id, None)
        self._told_s.pop(profile_id, None)
        self.stir()

    def stir(self) -> None:
        """Something may have become free, or somebody waits."""
        self._stirred.set()

    def locks_of(self, record: GatewayRecord, home: Home, claims: Iterable[Claim]) -> tuple[ClaimLock, ...]:
        """What the process of a start has to take."""
        note = ClaimNote(home.name.text, record.profile_id, record.spawn_id, str(self._ports.root))
        return self._ports.claim_locks.of(claims, note)

    def looking(self, profile_id: str, home: Home) -> Callable[[], Seen]:
        """What a start of this gateway has to look at, to be done in a thread; it reads files and never raises."""
        returning = [one for one in self._returning() if one.record.profile_id != profile_id]
        homes = {one.record.profile_id: (one.home, one.record.claims) for one in returning}
        own = self._pids()

        def look() -> Seen:
            wanted = self._read(home)
            keys = {claim.key for claim in wanted}
            rivals = {
                rival_id: self._read(other)
                for rival_id, (other, held) in homes.items()
                if keys & {claim.key for claim in held}
            }
            return Seen({profile_id: wanted, **rivals}, self._claimed_by_agents(home, wanted, own))

        return look

    def refuse(self, record: GatewayRecord, home: Home, seen: Seen) -> tuple[Claim, ...]:
        """What a start may claim, by what was seen and by how gateways are at this very moment.

        Raises:
            TokenInUse, PortInUse: somebody has something of it.
        """
        denials = self._denials(record, home, seen)
        if denials:
            raise _refusal(home, denials[0])
        return seen.wanted[record.profile_id]

    async def is_denied(self, record: GatewayRecord, home: Home) -> bool:
        """Whether a start would have to wait now."""
        seen = await asyncio.to_thread(self.looking(record.profile_id, home))
        return bool(self._denials(record, home, seen))

    async def named(self, record: GatewayRecord, home: Home, error: HermesError) -> HermesError:
        """A refusal of the locks, with who holds it."""
        wanted = [claim for claim in record.claims if claim.masked == error.metadata.get("claim")]
        holders = await asyncio.to_thread(self._holders, [Want(record.profile_id, home, wanted)])
        denied = next((Denial(claim, holders[claim.key]) for claim in wanted if claim.key in holders), None)
        return error if denied is None else _refusal(home, denied)

    def _denials(self, record: GatewayRecord, home: Home, seen: Seen) -> list[Denial]:
        own = Contender(
            record.profile_id,
            home.name.text,
            record.wished_at_s or 0.0,
            wanted=seen.wanted[record.profile_id],
        )
        others = [_contender(one, seen.wanted) for id_, one in self._claimants.items() if id_ != record.profile_id]
        return ClaimTable([own, *others], seen.outsiders).denials(record.profile_id)

    def _returning(self) -> list[Claimant]:
        """Gateways without a process that come back by themselves, with what they had, and may want less by now.

        Who is held keeps all of it: no file says what is wanted of a home that is on its way.
        """
        return [
            one
            for one in self._claimants.values()
            if one.record.claims and one.record.gateway.state not in LIVE and _comes_back(one) and not one.is_held
        ]

    def _waiting(self) -> list[Claimant]:
        return [one for one in self._claimants.values() if one.record.gateway.parked_for is ParkedFor.CLAIM]

    def _pids(self) -> set[int]:
        processes = (one.record.process for one in self._claimants.values())
        return {process.pid for process in processes if process is not None}

    def _claimed_by_agents(
        self, home: Home, claims: Sequence[Claim], own: Iterable[int]
    ) -> Mapping[str, Outsider]:
        """Who has claims by the agent's own locks and is none of ours."""
        agent = self._runtimes.agent_of(home.name)
        found = agent.claimed_by_itself(claims, self._ports.gateway_environment)
        return {key: Outsider(pid) for key, pid in found.items() if pid not in own}

    def _holders(self, wants: Sequence[Want]) -> dict[str, Outsider]:
        """Who holds locks of claims, but for those who want them."""
        root = str(self._ports.root)
        wanting = {(claim.key, want.profile_id) for want in wants for claim in want.claims}
        found = {}
        holders = self._ports.claim_locks.holders(distinct(claim for want in wants for claim in want.claims))
        for key, holder in holders.items():
            note = holder.note
            if note is not None and note.root == root and (key, note.profile_id) in wanting:
                continue
            pid = holder.main_pid or next(iter(holder.pids), None)
            elsewhere = note.root if note is not None and note.root != root else ""
            found[key] = Outsider(pid, note.profile if note is not None else "", elsewhere)
        return found

    async def _watch(self) -> None:
        """Looks after those that wait: at once when something changed here, now and then for the rest."""
        while True:
            self._stirred.clear()
            try:
                await self._wake()
            except HermesError as error:
                log.warning("those that wait for claims are looked after later: %s", error.message)
            except Exception:
                log.exception("those that wait for claims were not looked after")
            await self._until_worth_a_look()

    async def _keep_tidy(self) -> None:
        while True:
            kept = [claim for one in self._claimants.values() for claim in one.record.claims]
            try:
                await asyncio.to_thread(self._ports.claim_locks.tidy, kept)
            except HermesError as error:
                log.warning("locks of claims are not tidied: %s", error.message)
            await self._ports.clock.sleep_s(TIDY_S)

    async def _until_worth_a_look(self) -> None:
        if not self._waiting():
            await self._stirred.wait()
            return
        stirred = asyncio.create_task(self._stirred.wait())
        patience = asyncio.create_task(self._ports.clock.sleep_s(LOOK_S))
        try:
            await asyncio.wait({stirred, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stirred.cancel()
            patience.cancel()

    async def _wake(self) -> None:
        """Tells those whose turn it is, by wish and each with all it needs."""
        waiting = [one for one in self._waiting() if not self._was_told_just_now(one)]
        if not waiting:
            return
        seen = await asyncio.to_thread(self._looking_for(self._waiting()))
        table = self._table(seen)
        self._tell_denied(table, seen)
        candidates = [one for one in self._starters(table) if one in waiting]
        if not candidates:
            return
        wants = [Want(id_, one.home, seen.wanted[id_]) for one in candidates for id_ in [one.record.profile_id]]
        outsiders = await asyncio.to_thread(self.looking_outside(wants))
        seen = Seen(seen.wanted, outsiders)
        table = self._table(seen)
        self._tell_denied(table, seen)
        now_s = self._ports.clock.monotonic_s()
        for one in self._starters(table):
            if one in candidates and one in self._waiting():
                self._told_s[one.record.profile_id] = now_s
                one.find_claims_free()

    def _was_told_just_now(self, claimant: Claimant) -> bool:
        """Whether it is parked again already: what refused it is not to be seen from here, and not free yet."""
        told_s = self._told_s.get(claimant.record.profile_id)
        return told_s is not None and self._ports.clock.monotonic_s() - told_s < LOOK_S

    def _looking_for(self, waiting: Sequence[Claimant]) -> Callable[[], Seen]:
        homes = {one.record.profile_id: one.home for one in (*waiting, *self._returning())}

        def look() -> Seen:
            return Seen({id_: self._read(home) for id_, home in homes.items()})

        return look

    def _read(self, home: Home) -> tuple[Claim, ...]:
        return distinct(self._runtimes.agent_of(home.name).claims(home))

    def looking_outside(self, wants: Sequence[Want]) -> Callable[[], Mapping[str, Outsider]]:
        """Who else has something of this, by key; what a profile left itself is not in anybody's way.

        To be done in a thread; it reads files and what the kernel tells, and never raises.
        """
        own = self._pids()

        def look() -> Mapping[str, Outsider]:
            found = dict(self._holders(wants))
            for want in wants:
                found |= self._claimed_by_agents(want.home, want.claims, own)
            return found

        return look

    def _table(self, seen: Seen) -> ClaimTable:
        kept = [one for one in self._claimants.values() if one.record.claims or one in self._waiting()]
        return ClaimTable([_contender(one, seen.wanted) for one in kept], seen.outsiders)

    def _starters(self, table: ClaimTable) -> list[Claimant]:
        """Those without a process that may start now, in order."""
        return [self._claimants[id_] for id_ in table.starters()]

    def _tell_denied(self, table: ClaimTable, seen: Seen) -> None:
        """Tells those that wait on whom they wait now, which may be another one than when they began to."""
        for one in self._waiting():
            if one.record.profile_id in seen.wanted and (denials := table.denials(one.record.profile_id)):
                one.find_denied(_refusal(one.home, denials[0]).message)


def _comes_back(claimant: Claimant) -> bool:
    """Whether a gateway without a process is started again without anybody's word."""
    gateway = claimant.record.gateway
    return gateway.wanted_up and gateway.parked_for is not ParkedFor.CHANNEL


def _contender(claimant: Claimant, wanted: Mapping[str, tuple[Claim, ...]]) -> Contender:
    record = claimant.record
    is_live = record.gateway.state in LIVE
    held = record.claims if is_live or _comes_back(claimant) else ()
    return Contender(
        record.profile_id,
        claimant.home.name.text,
        record.wished_at_s or 0.0,
        wanted=wanted.get(record.profile_id, held),
        held=held,
        is_live=is_live,
    )


def _refusal(home: Home, denial: Denial) -> HermesError:
    """What a person is told whose gateway has to wait."""
    holder, claim, name = denial.holder, denial.claim, home.name.text
    fixes = [f"hermesctl gateway stop {holder.name}"] if isinstance(holder, Contender) else []
    return in_use(
        claim,
        denial.holder_name,
        profile=name,
        hint=f"to run both, give '{name}' its own: {claim.source} in {home.path / claim.file}",
        fixes=fixes,
    )
