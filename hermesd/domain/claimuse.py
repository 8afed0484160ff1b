"""Claims as people are shown them: who uses what, and who waits.

Owns: what a view of a claim holds, and the order in it. Must not know how it is found out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hermesd.domain.claims import Claim, ClaimKind


class UseState(StrEnum):
    """What a profile, or somebody else, has of a claim. In the order in which they are shown."""

    HELD = "held"
    """A process of its gateway holds it."""
    FOREIGN = "foreign"
    """Somebody holds it whom this daemon did not start."""
    KEPT = "kept"
    """Its gateway is about to come back by itself and gets it again."""
    WAITING = "waiting"
    """Its gateway is wanted and waits until it is free."""
    IDLE = "idle"
    """Its files name it; its gateway is not wanted, or waits for something else."""


@dataclass(frozen=True)
class ClaimUse:
    """What one profile, or somebody else, has of a claim."""

    state: UseState
    profile: str = ""
    """Empty for somebody who works for no profile that is known."""
    source: str = ""
    """Where its files name it; empty if they do not, as when it was changed since the start."""
    pid: int | None = None
    """The process that holds it."""
    holder: str = ""
    """Who it is in words, where it is foreign."""
    wanted_since_s: float | None = None
    """Since when its gateway is wanted, seconds since the epoch."""
    file: str = ""
    """The file of its home that names it; empty where nobody could edit one."""


@dataclass(frozen=True)
class ClaimView:
    """A claim and everybody who uses it."""

    claim: Claim
    uses: tuple[ClaimUse, ...]
    """Never empty."""


_RANKS = {state: rank for rank, state in enumerate(UseState)}


def ordered(uses: Iterable[ClaimUse]) -> tuple[ClaimUse, ...]:
    """The holder first, then who waits in the order in which they get it, then the others by name."""

    def rank(use: ClaimUse) -> tuple[int, float, str]:
        wish_s = use.wanted_since_s if use.state is UseState.WAITING else None
        return _RANKS[use.state], wish_s or 0.0, use.profile

    return tuple(sorted(uses, key=rank))


def is_about(view: ClaimView, about: str) -> bool:
    """Whether a claim is one that a person means by a profile, a platform, a port or the beginning of a digest."""
    claim, sought = view.claim, about.strip().lower()
    if any(use.profile == sought for use in view.uses) or claim.platform == sought:
        return True
    if claim.kind is ClaimKind.PORT:
        return sought.removeprefix("port").strip() == str(claim.port)
    beginning = sought.removeprefix("sha256:").partition("…")[0]
    return len(beginning) >= LEAST_DIGITS and claim.digest.startswith(beginning)


LEAST_DIGITS = 4
"""Of a digest, to name it by: as many as are shown."""
