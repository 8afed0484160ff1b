"""What a new profile is to be like, and what is said of it before it is made.

Owns: how a profile is asked for, what of that contradicts itself, and what two profiles have in common of which
only one gateway at a time can use. Must not know how a home is made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hermesd.domain.claims import Claim
from hermesd.domain.cloning import CloneOrder
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.grants import SharedGrant
from hermesd.domain.profile import ProfileName


@dataclass(frozen=True)
class NewProfile:
    """What a profile is to be like."""

    name: ProfileName
    description: str = ""
    with_alias: bool = True
    with_skills: bool = True
    model: str = ""
    """The model it asks; empty for that of its source, or none."""
    source: ProfileName | None = None
    """Which profile it takes over from; `None` for a blank one."""
    order: CloneOrder = field(default=CloneOrder())
    """How it takes over; means nothing for a blank one."""

    def check(self) -> None:
        """Refuses what contradicts itself.

        Raises:
            ArgumentInvalid: a clone without skills (hermes-agent 0.19.0 refuses it too), or no name of a model.
        """
        if self.source is not None and not self.with_skills:
            raise ArgumentInvalid(
                f"cannot clone '{self.source}' without skills: a clone has what its source has",
                hint="leave out either what is cloned or --no-skills",
            )
        check_model_name(self.model)


def check_model_name(model: str) -> None:
    """Refuses what no model can be called.

    Raises:
        ArgumentInvalid: there is space around it, or something in it that cannot be seen.
    """
    if not model.isprintable() or model != model.strip():
        raise ArgumentInvalid(f"{model!r} cannot be the name of a model")


@dataclass(frozen=True)
class Step:
    """One thing that making a profile does."""

    verb: str
    """"copy", "seed", "skip", "pause", "set", "alias"."""
    what: str
    """To what, in words, without any secret."""


@dataclass(frozen=True)
class Shared:
    """What only one gateway at a time can use, and other profiles name too."""

    claim: Claim
    profiles: tuple[ProfileName, ...]
    """Sorted."""


@dataclass(frozen=True)
class CreationPlan:
    """What making a profile would do."""

    name: ProfileName
    path: Path
    """Where its home will be."""
    steps: tuple[Step, ...]
    """In order."""
    shared: tuple[Shared, ...] = ()
    grants: tuple[SharedGrant, ...] = ()
    """Logins that it would have in common with others."""


def shared_claims(own: Iterable[Claim], others: Mapping[ProfileName, Iterable[Claim]]) -> tuple[Shared, ...]:
    """Which of a profile's claims others make too, wherever they read them from; each thing once."""
    holders: dict[str, set[ProfileName]] = {}
    for name, claims in others.items():
        for one in claims:
            holders.setdefault(one.key, set()).add(name)
    found: dict[str, Claim] = {}
    for one in own:
        found.setdefault(one.key, one)
    return tuple(Shared(one, tuple(sorted(holders[key]))) for key, one in found.items() if key in holders)
