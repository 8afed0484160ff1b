"""What of one profile another one takes over.

Owns: how a clone is asked for, and what is said of it before it is made. Must not know files.
"""

from dataclasses import dataclass
from enum import StrEnum

from hermesd.domain.claims import Claim
from hermesd.domain.grants import Grant


class Extent(StrEnum):
    """How much is taken over."""

    SETTINGS = "settings"
    """Configuration, secrets and personality; sessions, memory and jobs are fresh."""
    EVERYTHING = "everything"
    """All that is the profile's, memories, sessions, jobs and plugins as well."""


@dataclass(frozen=True)
class CloneOrder:
    """How a profile is to be cloned."""

    extent: Extent = Extent.SETTINGS
    has_channels: bool = True
    """Whether what connects to messaging platforms comes along."""
    keeps_cron: bool = False
    """Whether scheduled jobs stay active, instead of being paused: two gateways would do each of them twice."""


@dataclass(frozen=True)
class Credential:
    """What a messaging platform knows a bot by, without the secret itself."""

    platform: str
    variable: str
    """Where it is read from: a variable, or a dotted key of the configuration."""
    fingerprint: str
    """The first 12 hexadecimal digits of the SHA-256 of its value."""


@dataclass(frozen=True)
class ClonePlan:
    """What a clone will hold, a short phrase each, without a secret."""

    copied: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    paused_jobs: int = 0
    is_seeded: bool = True
    """Whether bundled skills may be added; not where the source does without them, which comes along."""
    claims: tuple[Claim, ...] = ()
    """What the clone will name as its source does, and only one gateway at a time can use."""
    grants: tuple[Grant, ...] = ()
    """The logins that the clone will have a copy of."""
