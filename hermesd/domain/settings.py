"""The daemon's settings as values, with every default. Must not know the file they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hermesd.domain.limits import Limit, Limits
from hermesd.domain.policy import Policy
from hermesd.domain.trash import DAY_S


class BackendKind(StrEnum):
    """What keeps the process trees of gateways together."""

    AUTO = "auto"
    """systemd where there is a manager that lives at least as long as gateways should, else sessions."""
    SESSION = "session"
    SYSTEMD = "systemd"


@dataclass(frozen=True)
class ProfileSettings:
    """Settings of one profile, `[profile.NAME]` in the settings file."""

    command: tuple[str, ...] = ()
    """A program with its arguments to supervise in place of hermes-agent; empty for hermes-agent."""
    limits: Mapping[Limit, int | None] = field(default_factory=dict)
    """Limits that this profile has instead of the general ones; `None` lifts one."""


@dataclass(frozen=True)
class Settings:
    """All settings."""

    policy: Policy = Policy()
    """`[gateway]`."""
    profiles: Mapping[str, ProfileSettings] = field(default_factory=dict)
    backend: BackendKind = BackendKind.AUTO
    """`[daemon] backend`."""
    has_warm_clients: bool = True
    """`[daemon] warm_clients`: whether clients are kept running, so that a command answers at once."""

    trash_kept_s: float = 7 * DAY_S
    """`[daemon] trash_days`: how long a deleted profile can be brought back."""

    inherits_keys: bool = True
    """`[environment] inherit_keys`: whether commands on terminals keep the keys that their caller exported."""

    gateway_variables: Mapping[str, str] = field(default_factory=dict)
    """`[environment.gateways]`: what every gateway gets, whatever the daemon's own environment says."""

    limits: Mapping[Limit, int | None] = field(default_factory=dict)
    """`[gateway]`, likewise: limits of every gateway; `None` or absent is none."""

    def limits_of(self, profile: str) -> Limits:
        """The limits that a profile's gateway is to have."""
        merged = {**self.limits, **self.of(profile).limits}
        return {limit: value for limit, value in merged.items() if value is not None}

    def of(self, profile: str) -> ProfileSettings:
        """The settings of one profile."""
        return self.profiles.get(profile, ProfileSettings())
