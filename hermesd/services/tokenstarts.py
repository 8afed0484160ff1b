"""How often each bot was started, by whichever gateway: platforms count connections of a token, not of a profile.

Owns: the count, through restarts of the daemon. Must not know why a start is made.
"""

import logging
from collections.abc import Iterable

from hermesd.domain.budget import Budget, frees_at_s, recent
from hermesd.domain.claims import Claim, ClaimKind, distinct
from hermesd.domain.errors import HermesError
from hermesd.domain.ports import Ports

log = logging.getLogger(__name__)


class TokenStarts:
    """The starts of the last day, by bot."""

    def __init__(self, ports: Ports, budget: Budget) -> None:
        self._ports = ports
        self._budget = budget
        self._starts_s: dict[str, tuple[float, ...]] = {}

    async def recover(self) -> None:
        """Takes up what an earlier daemon counted."""
        self._starts_s = dict(await self._ports.store.token_starts())

    def spent(self, claims: Iterable[Claim]) -> tuple[Claim, float] | None:
        """The bot that keeps a gateway waiting longest, and until when (seconds since the epoch), if any does."""
        now_s = self._ports.clock.now_s()
        times = [(frees_at_s(self._budget, self._starts_s.get(bot.key, ()), now_s), bot) for bot in _bots(claims)]
        possible_at_s, bot = max(times, key=lambda one: one[0], default=(now_s, None))
        return None if bot is None or possible_at_s <= now_s else (bot, possible_at_s)

    def of(self, claims: Iterable[Claim]) -> tuple[float, ...]:
        """The starts of the bot that was started most often of these, seconds since the epoch."""
        return max((self._starts_s.get(bot.key, ()) for bot in _bots(claims)), key=len, default=())

    async def charge(self, claims: Iterable[Claim]) -> None:
        """Counts a start that is about to be made. A full disk must not silence a bot, so it then counts until
        the daemon ends."""
        now_s = self._ports.clock.now_s()
        await self._keep({bot.key: (*self._recent(bot), now_s) for bot in _bots(claims)})

    async def refund(self, claims: Iterable[Claim]) -> None:
        """Takes back the last one, of which nothing reached a platform."""
        await self._keep({bot.key: self._recent(bot)[:-1] for bot in _bots(claims)})

    def _recent(self, bot: Claim) -> tuple[float, ...]:
        return recent(self._starts_s.get(bot.key, ()), self._ports.clock.now_s())

    async def _keep(self, starts_s: dict[str, tuple[float, ...]]) -> None:
        self._starts_s |= starts_s
        if not starts_s:
            return
        try:
            await self._ports.store.save_token_starts(starts_s)
        except HermesError as error:
            log.error("starts of bots not recorded: %s", error.message)


def _bots(claims: Iterable[Claim]) -> list[Claim]:
    """What a platform counts starts of: a port and a directory are nobody's session."""
    return [claim for claim in distinct(claims) if claim.kind is ClaimKind.BOT]
