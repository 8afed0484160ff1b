"""Health: what is made of the signs that a running gateway gives.

Owns: what counts as hung, degraded and draining, and when a restart is due. Time counts only while it was watched:
between two looks that are further apart than they should be, the machine slept, its clock jumped or hermesd itself
stood still, and then nobody knows what a silence means. Must not know where signs come from, or what is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hermesd.domain.gateway import Event
from hermesd.domain.policy import Policy
from hermesd.domain.process import Probe, Sign

SILENT = "silent"
STALE_LOOKS = 2.5
"""Looks further apart than this many times their distance prove nothing about the time between them."""

QUIET_POLLS = 3
"""Polls that a platform may miss until it counts as silent."""

MISSED_BEATS = 3
"""Beats that may be missed whatever patience is set: no loop that goes round is ever taken for a stopped one."""

UNKNOWN_INTERVAL_S = 120.0
"""Patience with a loop of which nobody has seen yet how often it beats, and all that a slow one can ask for."""

BUSY_PATIENCE = 3.0
"""How many times longer a degraded gateway is let be while turns are under way."""


class Condition(StrEnum):
    """How a gateway that is up is doing."""

    WELL = "well"
    DEGRADED = "degraded"
    """A part of it does not work, and has not for a while."""
    DRAINING = "draining"
    """It finishes its turns and takes no new ones."""
    HUNG = "hung"
    """Its loop, having given signs of life before, gives none."""


@dataclass(frozen=True)
class Part:
    """One layer as it was last seen."""

    sign: Sign
    is_well: bool = True
    unwell_s: float = 0.0
    """Watched time for which it has not worked."""
    quiet_s: float = 0.0
    """Watched time since it last polled, of a platform that tells."""
    is_told: bool = False
    """Whether it has not worked for so long that people are told; until it works again."""

    @property
    def is_quiet(self) -> bool:
        """Whether its agent calls it well although it does not poll any more."""
        return self.sign.is_well and not self.is_well

    @property
    def word(self) -> str:
        """What is seen, in a word."""
        return SILENT if self.is_quiet else self.sign.word

    @property
    def is_mended_by_restart(self) -> bool:
        """Whether a restart may mend what is wrong, and nothing else will."""
        return not self.is_well and (self.is_quiet or self.sign.is_mended_by_restart)

    @property
    def trouble(self) -> str:
        """What is wrong, in a few words that do not change while it stays so."""
        if self.is_quiet:
            return f"{self.sign.name}: it has not polled for {QUIET_POLLS} intervals"
        return f"{self.sign.name}: {self.sign.detail or self.sign.word}"


@dataclass(frozen=True)
class Health:
    """What is known of one running process. Moments are seconds by the monotonic clock."""

    condition: Condition = Condition.WELL
    detail: str = ""
    """What it suffers from; empty if it is well. It does not change while nothing else does."""
    parts: tuple[Part, ...] = ()
    looked_at_s: float | None = None
    """When was last looked; `None` before the first look."""
    beats: Mapping[str, float] = field(default_factory=dict)
    """When each source of beats last beat, by its name: beats are written or sent by the agent's loop itself."""
    silent_s: float = 0.0
    """Watched time since the newest beat of all; 0 for ever if there never was one."""
    interval_s: float = 0.0
    """The longest time between the newest beats of two looks, as far as was watched; 0 if it is not known."""
    is_busy: bool = False
    """Whether it says that turns are under way."""

    def patience_s(self, policy: Policy) -> float:
        """How long its loop may give no beat: as set, but never fewer than `MISSED_BEATS` of its own."""
        own_s = min(MISSED_BEATS * self.interval_s, UNKNOWN_INTERVAL_S) if self.interval_s else UNKNOWN_INTERVAL_S
        return max(policy.hung_after_s, own_s)


@dataclass(frozen=True)
class Look:
    """What is seen of a gateway at one moment."""

    at_s: float
    """By the monotonic clock, as are the beats."""
    probe: Probe
    beats: Mapping[str, float] = field(default_factory=dict)


def assess(before: Health, look: Look, policy: Policy) -> Health:
    """What is known after a look.

    In the first look, at the end of a start or after an adoption, a part that does not work is given no time:
    whoever waited for the start is to know at once.
    """
    watched_s = _watched_s(before, look, policy)
    silent_s = before.silent_s + watched_s if look.beats and look.beats == before.beats else 0.0
    interval_s = max(before.interval_s, _interval_s(before, look) if watched_s else 0.0)
    is_first = before.looked_at_s is None
    known = {part.sign.name: part for part in before.parts}
    parts = tuple(_part(known.get(sign.name), sign, watched_s, policy, is_first) for sign in look.probe.signs)
    seen = Health(
        parts=parts,
        looked_at_s=look.at_s,
        beats=dict(look.beats),
        silent_s=silent_s,
        interval_s=interval_s,
        is_busy=look.probe.active_turns > 0,
    )
    condition, detail = _condition(look.probe, parts, is_hung=silent_s >= seen.patience_s(policy))
    return replace(seen, condition=condition, detail=detail)


def due(health: Health, policy: Policy, relapses: int) -> Event | None:
    """The event that recovery asks for; `None` while nothing is to be done.

    A gateway whose loop has stopped serves nobody, so it is restarted as soon as that is sure. One that is
    degraded still serves somebody: only what its agent does not mend by itself is mended by a restart, after a
    while that doubles with each of the last `relapses`, and is longer if turns are under way.
    """
    if health.condition is Condition.HUNG:
        return Event.HUNG if policy.restart_hung else None
    if health.condition is not Condition.DEGRADED or not policy.restart_unwell:
        return None
    patience_s = min(policy.unwell_restart_s * 2.0 ** min(relapses, 10), policy.unwell_restart_limit_s)
    if health.is_busy:
        patience_s *= BUSY_PATIENCE
    longest_s = max((part.unwell_s for part in health.parts if part.is_mended_by_restart), default=0.0)
    return Event.UNWELL if longest_s >= patience_s else None


def _watched_s(before: Health, look: Look, policy: Policy) -> float:
    if before.looked_at_s is None:
        return 0.0
    gap_s = look.at_s - before.looked_at_s
    return gap_s if 0.0 < gap_s <= policy.look_s * STALE_LOOKS else 0.0


def _part(before: Part | None, sign: Sign, watched_s: float, policy: Policy, is_first: bool) -> Part:
    was = before or Part(sign)
    has_polled = sign.polled_at_s is None or sign.polled_at_s != was.sign.polled_at_s
    quiet_s = 0.0 if has_polled else was.quiet_s + watched_s
    is_silent = sign.poll_every_s is not None and quiet_s >= QUIET_POLLS * sign.poll_every_s
    if sign.is_well and not is_silent:
        return Part(sign, quiet_s=quiet_s)
    unwell_s = 0.0 if was.is_well else was.unwell_s + watched_s
    patience_s = policy.unwell_after_s if sign.is_platform else policy.api_silent_after_s
    is_told = was.is_told or is_first or is_silent or unwell_s >= patience_s
    return Part(sign, is_well=False, unwell_s=unwell_s, quiet_s=quiet_s, is_told=is_told)


def _interval_s(before: Health, look: Look) -> float:
    """Time between the newest beats of two looks; 0 if one of them has none."""
    if not before.beats or not look.beats:
        return 0.0
    return max(look.beats.values()) - max(before.beats.values())


def _condition(probe: Probe, parts: tuple[Part, ...], *, is_hung: bool) -> tuple[Condition, str]:
    if is_hung:
        return Condition.HUNG, "its event loop gives no sign of life"
    if probe.is_draining:
        return Condition.DRAINING, "it finishes its turns and takes no new ones"
    troubles = [part.trouble for part in parts if part.is_told]
    return (Condition.DEGRADED, "; ".join(troubles)) if troubles else (Condition.WELL, "")
