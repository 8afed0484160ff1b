"""Claims as people are shown them.

Owns: which profiles' files and gateways are looked at, and what each has of a claim. Changes nothing. Must not
know who asks.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hermesd.domain.claims import Claim, Outsider, distinct
from hermesd.domain.claimuse import ClaimUse, ClaimView, UseState, is_about, ordered
from hermesd.domain.gateway import LIVE, ParkedFor
from hermesd.domain.record import GatewayRecord
from hermesd.services.claims import Claims, Want
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.keepers import Keepers
from hermesd.services.runtimes import Runtimes


@dataclass(frozen=True)
class _User:
    """One profile."""

    known: Identified
    record: GatewayRecord
    named: Sequence[Claim]
    """What its files claim."""

    @property
    def unheld(self) -> list[Claim]:
        """What it would have and does not."""
        held = {claim.key for claim in self.record.claims}
        return [claim for claim in self.named if claim.key not in held]

    def use_of(self, claim: Claim) -> ClaimUse | None:
        """What it has of a claim, if anything."""
        named = next((one for one in self.named if one.key == claim.key), None)
        is_live = self.record.gateway.state in LIVE
        if claim.key in {one.key for one in self.record.claims}:
            state = UseState.HELD if is_live else UseState.KEPT
        elif named is None:
            return None
        else:
            is_waiting = self.record.gateway.parked_for is ParkedFor.CLAIM
            state = UseState.WAITING if is_waiting else UseState.IDLE
        process = self.record.process if state is UseState.HELD else None
        return ClaimUse(
            state,
            self.known.home.name.text,
            source="" if named is None else named.source,
            file="" if named is None else named.file,
            pid=None if process is None else process.pid,
            wanted_since_s=self.record.wished_at_s,
        )


class ClaimViews:
    """Shows who uses what."""

    def __init__(self, homes: KnownHomes, runtimes: Runtimes, keepers: Keepers, claims: Claims) -> None:
        self._homes = homes
        self._runtimes = runtimes
        self._keepers = keepers
        self._claims = claims

    async def all(self, about: str = "") -> list[ClaimView]:
        """Every claim that a profile's files make or a gateway holds, by platform, ports by number.

        `about` leaves out what a person does not mean by it; see `domain/claimuse.py`.
        """
        found = await self._homes.scan()
        users = await asyncio.to_thread(self._users, found)
        wants = [Want(user.known.id, user.known.home, user.unheld) for user in users]
        outsiders = await asyncio.to_thread(self._claims.looking_outside(wants))
        claims = distinct(claim for user in users for claim in (*user.named, *user.record.claims))
        views = [_view(claim, users, outsiders.get(claim.key)) for claim in claims]
        chosen = [view for view in views if not about or is_about(view, about)]
        return sorted(chosen, key=lambda view: (view.claim.platform, view.claim.port, view.claim.key))

    def _users(self, found: Sequence[Identified]) -> list[_User]:
        """Reads files."""
        return [
            _User(
                known,
                self._keepers.record_of(known.id),
                self._runtimes.agent_of(known.home.name).claims(known.home),
            )
            for known in found
        ]


def _view(claim: Claim, users: Sequence[_User], outsider: Outsider | None) -> ClaimView:
    uses = [use for user in users if (use := user.use_of(claim)) is not None]
    is_ours = any(use.state is UseState.HELD for use in uses)
    if outsider is not None and not is_ours:
        uses.append(ClaimUse(UseState.FOREIGN, outsider.profile, pid=outsider.pid, holder=str(outsider)))
    return ClaimView(claim, ordered(uses))
