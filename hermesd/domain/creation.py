"""What a new profile is to be like, and what is said of it before it is made.

Owns: how a profile is asked for, what of that contradicts itself, and which bot credentials two profiles have in
common. Must not know how a home is made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hermesd.domain.cloning import CloneOrder, Credential
from hermesd.domain.errors import ArgumentInvalid
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
    """A bot credential that other profiles have too."""

    credential: Credential
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


def shared_credentials(
    own: Iterable[Credential], others: Mapping[ProfileName, Iterable[Credential]]
) -> tuple[Shared, ...]:
    """Which of a profile's credentials others have too, wherever they keep them; each value once."""
    holders: dict[tuple[str, str], set[ProfileName]] = {}
    for name, credentials in others.items():
        for one in credentials:
            holders.setdefault((one.platform, one.fingerprint), set()).add(name)
    found = {(one.platform, one.fingerprint): one for one in own}
    return tuple(Shared(one, tuple(sorted(holders[value]))) for value, one in found.items() if holders.get(value))
