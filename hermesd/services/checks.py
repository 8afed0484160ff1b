"""What checks have in common: what they find, and what surrounds whatever they look at.

Owns: the result of a check before it becomes a finding. Must not know any check.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.alias import Alias
from hermesd.domain.claims import Claim
from hermesd.domain.conditions import Unit
from hermesd.domain.errors import HermesError
from hermesd.domain.findings import Severity
from hermesd.domain.grants import Grant
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.runtime import HERMES_AGENT
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.runtimes import Choice, Runtimes

Mend = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Found:
    """Something wrong."""

    key: str
    """What it is about, within its check: the same before it is mended and after."""
    severity: Severity
    message: str
    fix: str = ""
    mend: Mend | None = None
    """Mends it, any number of times; raises `HermesError`. `None` if only a person can."""
    owner: str = ""
    """Name of the profile that mending works on, so that nothing else may meanwhile; empty for none."""


Result = dict[str, list[Found]]
"""What was found by each check, nothing where all is well."""


@dataclass(frozen=True)
class Surroundings:
    """What every check of one pass is given, looked at once."""

    homes: Sequence[Identified]
    aliases: Sequence[Alias]
    units: Sequence[Unit]
    claims: Mapping[str, Sequence[Claim]]
    """What each profile's gateway needs for itself, by profile id."""
    grants: Mapping[str, Sequence[Grant]]
    """Logins that each profile renews, by profile id."""

    def home_at(self, path: Path | None) -> Identified | None:
        """The profile whose home this is."""
        return next((known for known in self.homes if known.home.path == path), None)

    def has(self, name: ProfileName) -> bool:
        """Whether there is a profile of this name."""
        return any(known.home.name == name for known in self.homes)


async def surroundings(ports: Ports, homes: KnownHomes, runtimes: Runtimes) -> Surroundings:
    """Looks at everything."""
    found = await homes.scan()

    def look() -> Surroundings:
        claims = {one.id: runtimes.agent_of(one.home.name).claims(one.home) for one in found}
        grants = {one.id: runtimes.agent_of(one.home.name).grants(one.home) for one in found}
        return Surroundings(found, ports.aliases.scan(), ports.machine_inspector.units(), claims, grants)

    return await asyncio.to_thread(look)


async def check_runtime(choice: Choice) -> list[Found]:
    """Whether the agent that is in use can be run, and is the one that it was."""
    runtime = choice.runtime
    if runtime.kind != HERMES_AGENT:
        return []
    install = "hermesctl runtime install"
    try:
        version = await asyncio.to_thread(choice.agent.version, runtime.executable)
    except HermesError as error:
        return [Found("runs", Severity.ERROR, f"{runtime.name} cannot be run: {error.message}", install)]
    if version == runtime.version:
        return []
    again = f"hermesctl runtime add {runtime.executable}"
    said = f"{runtime.name} says that it is {version}, and was {runtime.version} when hermesd learned of it"
    return [Found("version", Severity.WARNING, said, install if runtime.is_managed else again)]
