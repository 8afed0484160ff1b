"""Grants: the logins at providers that a profile renews by itself, and what comes of one that two profiles have.

Owns: what makes two grants the same, and what happens to whom. Must not know files or values: of a token only the
digest ever comes here.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hermesd.domain.digests import fingerprint
from hermesd.domain.profile import ProfileName


class Renewal(StrEnum):
    """What one profile's renewal does to others that have the same grant."""

    ENDS = "ends"
    """The provider takes each token once, so that the others are left with one that is worth nothing."""
    MAY_END = "may_end"
    """That is the provider's to decide."""
    FOLLOWED = "followed"
    """The agent brings it to all profiles of a root."""


_FOLLOWS = {
    Renewal.ENDS: "whichever profile renews it first logs the others out, who notice when they next ask a model",
    Renewal.MAY_END: "whichever profile renews it first may log the others out",
    Renewal.FOLLOWED: "the agent brings each renewal to all of them",
}


@dataclass(frozen=True)
class Grant:
    """One login that is renewed by a token."""

    provider: str
    """At whom, as the agent calls it."""
    source: str
    """The file of the home that it lies in."""
    digest: str
    """The SHA-256 of the token that renews it."""
    renewal: Renewal = Renewal.MAY_END
    login: tuple[str, ...] = field(default=(), compare=False)
    """The agent's command that logs in anew."""

    @property
    def masked(self) -> str:
        """What people see of it."""
        return fingerprint(self.digest)


@dataclass(frozen=True)
class SharedGrant:
    """A grant that other profiles have too."""

    grant: Grant
    profiles: tuple[ProfileName, ...]
    """Sorted."""

    @property
    def is_harmless(self) -> bool:
        """Whether nobody is logged out for it."""
        return self.grant.renewal is Renewal.FOLLOWED

    @property
    def consequence(self) -> str:
        """What will happen."""
        return _FOLLOWS[self.grant.renewal]

    def way_out(self, name: ProfileName) -> str:
        """The command that gives a profile a login of its own; empty if none is known or needed."""
        if self.is_harmless or not self.grant.login:
            return ""
        return f"hermesctl -p {name} {shlex.join(self.grant.login)}"


def shared_grants(own: Iterable[Grant], others: Mapping[ProfileName, Iterable[Grant]]) -> tuple[SharedGrant, ...]:
    """Which of a profile's grants others have too, in whatever file; each once."""
    holders: dict[tuple[str, str], set[ProfileName]] = {}
    for name, grants in others.items():
        for one in grants:
            holders.setdefault((one.provider, one.digest), set()).add(name)
    found: dict[tuple[str, str], Grant] = {}
    for one in own:
        found.setdefault((one.provider, one.digest), one)
    return tuple(SharedGrant(one, tuple(sorted(holders[key]))) for key, one in found.items() if key in holders)
