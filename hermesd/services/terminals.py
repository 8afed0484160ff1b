"""Terminals: the agent's own commands on somebody's terminal.

Owns: what to run for a command, and which of them still run. Must not know how a command is executed: the
caller's process becomes it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hermesd.domain.environment import removed_from_command
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.ports import Ports
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.services.homes import KnownHomes
from hermesd.services.runtimes import Runtimes


@dataclass(frozen=True)
class Terminal:
    """One command of the agent on somebody's terminal."""

    id: str
    profile: ProfileName
    verb: str
    """First word of the command, never its arguments: those may be private."""
    process: ProcessIdentity
    working_directory: str
    started_at_s: float


@dataclass(frozen=True)
class Plan:
    """What the caller executes."""

    terminal: Terminal
    argv: Sequence[str]
    environment_set: Mapping[str, str]
    environment_unset: Sequence[str]


@dataclass(frozen=True)
class Caller:
    """Who wants to become a command."""

    pid: int
    working_directory: str
    environment_names: Sequence[str]


class Terminals:
    """Resolves and remembers commands of the agent."""

    def __init__(self, ports: Ports, homes: KnownHomes, runtimes: Runtimes) -> None:
        self._ports = ports
        self._homes = homes
        self._runtimes = runtimes
        self._open: dict[str, Terminal] = {}

    async def open(self, name: ProfileName, arguments: Sequence[str], caller: Caller) -> Plan:
        """Resolves a command for a profile and records that the caller becomes it.

        Raises:
            ProfileNotFound, RuntimeMissing, Incompatible: there is nothing to run.
            ArgumentInvalid: no process has the caller's pid.
        """
        known = await self._homes.get(name)
        choice = await self._runtimes.choice_for(name)
        launch = choice.agent.command(choice.runtime, known.home, arguments)
        process = await asyncio.to_thread(self._ports.processes.identify, caller.pid)
        if process is None:
            raise ArgumentInvalid(f"there is no process {caller.pid}")
        terminal = Terminal(
            self._ports.new_id(), name, _verb(arguments), process,
            caller.working_directory, self._ports.clock.now_s(),
        )  # fmt: skip
        self._open[terminal.id] = terminal
        unset = removed_from_command(caller.environment_names)
        return Plan(terminal, launch.argv, launch.environment, unset)

    async def all(self, profile: str) -> list[Terminal]:
        """Commands that still run, oldest first; `profile` empty for all."""
        for terminal in list(self._open.values()):
            if not await asyncio.to_thread(self._ports.processes.is_alive, terminal.process):
                self._open.pop(terminal.id, None)
        return [one for one in self._open.values() if profile in ("", one.profile.text)]


def _verb(arguments: Sequence[str]) -> str:
    return arguments[0].partition("=")[0] if arguments else ""
