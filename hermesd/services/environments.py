"""What environment a profile's gateway and commands get, and where each variable comes from.

Owns: what of a caller's variables a command does not inherit, by names and by digests of what other profiles keep
secret; and telling all of it. Must not know how a variable reaches a process, nor any secret.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hermesd.domain.digests import ForeignSecrets
from hermesd.domain.environment import ACCOUNT_VARIABLES, Removal, removal_of, removed_from_command, shown
from hermesd.domain.masking import MARK
from hermesd.domain.ports import Ports
from hermesd.domain.process import SPAWN_ID_VARIABLE
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.runtime import COMMAND
from hermesd.domain.settings import Settings
from hermesd.services.homes import KnownHomes
from hermesd.services.runtimes import Runtimes

CONVERSATION = ("chat",)
"""The command whose environment stands for that of all."""


class Origin(StrEnum):
    """Where a variable comes from."""

    ACCOUNT = "account"
    """The account that the daemon runs under."""
    DAEMON = "daemon"
    """The daemon's own environment, by the list of what gateways get of it."""
    CALLER = "caller"
    """Whoever calls the command."""
    SETTINGS = "settings"
    """The settings, which say what all gateways get."""
    AGENT = "agent"
    """What the agent is told at its start."""
    PROFILE = "profile"
    """The profile's `.env`, which the agent itself reads."""


@dataclass(frozen=True)
class Variable:
    """One variable of a process."""

    name: str
    origin: Origin
    value: str
    """As it may be shown; empty for one that the daemon does not know."""


@dataclass(frozen=True)
class CommandEnvironment:
    """What a command gets of its caller's variables, besides its own."""

    variables: Sequence[Variable]
    removed: Mapping[str, Removal]
    foreign: ForeignSecrets
    """By which the caller takes out more of its own."""


class Environments:
    """Decides and describes environments."""

    def __init__(self, ports: Ports, settings: Settings, homes: KnownHomes, runtimes: Runtimes) -> None:
        self._ports = ports
        self._settings = settings
        self._homes = homes
        self._runtimes = runtimes

    def removed(self, names: Iterable[str]) -> list[str]:
        """Which of a caller's variables no command inherits, whatever their values, sorted."""
        return removed_from_command(names, inherits_keys=self._settings.inherits_keys)

    async def foreign_secrets(self, home: Home) -> ForeignSecrets:
        """What tells the values that other profiles keep secret, and this one does not have itself.

        Raises:
            NotPermitted: nobody can say which profiles there are.
        """
        salt = self._ports.new_salt()
        return ForeignSecrets(salt, await asyncio.to_thread(self._foreign, home, salt))

    async def of_gateway(self, name: ProfileName) -> list[Variable]:
        """Every variable that the gateway would have if it was started now, by name.

        Raises:
            ProfileNotFound, RuntimeMissing, Incompatible: there is nothing to start.
        """
        known = await self._homes.get(name)
        choice = await self._runtimes.choice_for(name)
        launch = await asyncio.to_thread(choice.agent.launch, choice.runtime, known.home)
        started = {**launch.environment, SPAWN_ID_VARIABLE: MARK}
        base = self._ports.gateway_environment
        mine = {one: value for one, value in base.items() if one in ACCOUNT_VARIABLES}
        asked = self._settings.gateway_variables
        found = _said(base, Origin.DAEMON) | _said(mine, Origin.ACCOUNT) | _said(asked, Origin.SETTINGS)
        found |= _said(started, Origin.AGENT)
        return _sorted(found | await self._own(known.home))

    async def of_command(self, name: ProfileName, names: Sequence[str]) -> CommandEnvironment:
        """What a conversation would have if a caller with variables of these names began it now.

        Raises:
            ProfileNotFound, RuntimeMissing, Incompatible, ConfigInvalid: there is nothing to run.
        """
        known = await self._homes.get(name)
        told = await self._told_to_command(known.home)
        keys = self._settings.inherits_keys
        removed = {one: why for one in names if (why := removal_of(one, inherits_keys=keys)) is not None}
        kept = {one: Variable(one, Origin.CALLER, "") for one in names if one not in removed}
        found = kept | _said(told, Origin.AGENT) | await self._own(known.home)
        return CommandEnvironment(_sorted(found), removed, await self.foreign_secrets(known.home))

    async def _told_to_command(self, home: Home) -> Mapping[str, str]:
        """What a conversation is told; of a program that has none, what any other is that runs for the profile."""
        choice = await self._runtimes.choice_for(home.name)
        if choice.runtime.kind == COMMAND:
            return choice.agent.environment(home)
        launch = await asyncio.to_thread(choice.agent.command, choice.runtime, home, CONVERSATION)
        return launch.environment

    def _foreign(self, own: Home, salt: bytes) -> frozenset[bytes]:
        mine: frozenset[bytes] = frozenset()
        others: set[bytes] = set()
        for home in self._ports.homes.scan():
            found = self._runtimes.agent_of(home.name).secret_digests(home, salt)
            if home.identity == own.identity:
                mine = found
            else:
                others |= found
        return frozenset(others - mine)

    async def _own(self, home: Home) -> dict[str, Variable]:
        """Those of the home's `.env`: they win, and what else may be secret there no name tells."""
        facts = await asyncio.to_thread(self._runtimes.agent_of(home.name).facts, home)
        return {name: Variable(name, Origin.PROFILE, MARK) for name in facts.env_names}


def _said(environment: Mapping[str, str], origin: Origin) -> dict[str, Variable]:
    return {name: Variable(name, origin, shown(name, value)) for name, value in environment.items()}


def _sorted(found: Mapping[str, Variable]) -> list[Variable]:
    return [found[name] for name in sorted(found)]
