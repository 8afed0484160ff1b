"""In what two profiles differ, as it may be shown.

Owns: what is compared, and the order of it. Must not know files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hermesd.domain.configuration import ConfigFile, Shown, Value, differences, shown

SERVERS = "mcp_servers"
"""Where the settings have servers of tools."""


class Matter(StrEnum):
    """What differs."""

    SETTING = "setting"
    SERVER = "server of tools"
    VARIABLE = "variable"
    SKILL = "skill"


@dataclass(frozen=True)
class Contrast:
    """One thing that is another in the two profiles."""

    matter: Matter
    key: str
    left: Shown | None
    """`None` where the first has none."""
    right: Shown | None


@dataclass(frozen=True)
class Side:
    """What is compared of a profile."""

    settings: Mapping[str, Value]
    variables: Mapping[str, Value]
    skills: Mapping[str, str]
    """A digest of each, by name."""


def contrasts(left: Side, right: Side) -> Iterator[Contrast]:
    """Settings, servers of tools, variables, then skills."""
    for matter in (Matter.SETTING, Matter.SERVER):
        for one in differences(ConfigFile.CONFIG, left.settings, right.settings):
            if one.key.startswith(f"{SERVERS}.") is (matter is Matter.SERVER):
                key = one.key.removeprefix(f"{SERVERS}.") if matter is Matter.SERVER else one.key
                yield Contrast(matter, key, _shown(one.key, one.before), _shown(one.key, one.after))
    for one in differences(ConfigFile.ENV, left.variables, right.variables):
        yield Contrast(Matter.VARIABLE, one.key, _shown(one.key, one.before), _shown(one.key, one.after))
    for name in sorted(left.skills.keys() | right.skills.keys()):
        before, after = left.skills.get(name), right.skills.get(name)
        if before != after:
            yield Contrast(Matter.SKILL, name, _digest(before), _digest(after))


def _shown(key: str, value: Value) -> Shown | None:
    return None if value is None else shown(key, value)


def _digest(digest: str | None) -> Shown | None:
    return None if digest is None else Shown(digest[:12])
