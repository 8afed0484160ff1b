"""Terminals: commands for a profile on somebody's own terminal.

Owns: what to run for a command, and which of them still run. Must not know how a command is executed: the
caller's process becomes it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hermesd.domain.digests import ForeignSecrets
from hermesd.domain.errors import ArgumentInvalid, HermesError
from hermesd.domain.ports import Ports
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.domain.runtime import Launch
from hermesd.domain.terminal import Terminal, program_verb, verb
from hermesd.services.environments import Environments
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.runtimes import Runtimes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What the caller executes."""

    terminal: Terminal
    argv: Sequence[str]
    """Empty for a program of the caller's."""
    environment_set: Mapping[str, str]
    environment_unset: Sequence[str]
    working_directory: Path | None
    """`None` for where the caller is."""
    foreign: ForeignSecrets
    """By which the caller takes out more of its own environment."""


@dataclass(frozen=True)
class Caller:
    """Who wants to become a command."""

    pid: int
    working_directory: str
    environment_names: Sequence[str]


class Terminals:
    """Resolves and remembers commands on people's terminals."""

    def __init__(self, ports: Ports, homes: KnownHomes, runtimes: Runtimes, environments: Environments) -> None:
        self._ports = ports
        self._homes = homes
        self._runtimes = runtimes
        self._environments = environments
        self._open: dict[str, Terminal] = {}

    async def recover(self) -> None:
        """Takes up what an earlier daemon knew, less what has ended since."""
        for terminal in await asyncio.to_thread(self._ports.terminals.all):
            self._open[terminal.id] = terminal
        await self._forget_ended()

    async def open(self, name: ProfileName, arguments: Sequence[str], caller: Caller) -> Plan:
        """Resolves a command of the agent for a profile and records that the caller becomes it.

        Raises:
            ProfileNotFound, RuntimeMissing, Incompatible, ConfigInvalid: there is nothing to run.
            NotPermitted: nobody can say which secrets are other profiles'.
            ArgumentInvalid: no process has the caller's pid.
        """
        known = await self._homes.get(name)
        choice = await self._runtimes.choice_for(name)
        launch = await asyncio.to_thread(choice.agent.command, choice.runtime, known.home, arguments)
        return await self._plan(known, verb(arguments), launch, caller)

    async def open_program(self, name: ProfileName, program: str, caller: Caller) -> Plan:
        """Says what makes a program of the caller's one of a profile's, and records that the caller becomes it.

        Raises:
            ProfileNotFound: there is no such profile.
            NotPermitted: nobody can say which secrets are other profiles'.
            ArgumentInvalid: no process has the caller's pid.
        """
        known = await self._homes.get(name)
        environment = self._runtimes.agent_of(name).environment(known.home)
        return await self._plan(known, program_verb(program), Launch((), environment), caller)

    async def all(self, profile: str) -> list[Terminal]:
        """Commands that still run, oldest first; `profile` empty for all."""
        await self._forget_ended()
        return [one for one in self._open.values() if profile in ("", one.profile.text)]

    async def follow_rename(self, before: ProfileName, after: ProfileName) -> list[Terminal]:
        """Records commands that still run under a profile's new name; returns them as they are now."""
        renamed = [replace(one, profile=after) for one in await self.all(before.text)]
        for terminal in renamed:
            self._open[terminal.id] = terminal
            await asyncio.to_thread(self._record, partial(self._ports.terminals.save, terminal))
        return renamed

    async def _plan(self, known: Identified, called: str, launch: Launch, caller: Caller) -> Plan:
        process, tty = await asyncio.to_thread(self._look_at, caller.pid)
        if process is None:
            raise ArgumentInvalid(f"there is no process {caller.pid}")
        foreign = await self._environments.foreign_secrets(known.home)
        terminal = Terminal(
            self._ports.new_id(), known.home.name, called, process,
            caller.working_directory, tty, self._ports.clock.now_s(),
        )  # fmt: skip
        await self._forget_ended()
        self._open[terminal.id] = terminal
        await asyncio.to_thread(self._record, partial(self._ports.terminals.save, terminal))
        unset = self._environments.removed(caller.environment_names)
        return Plan(terminal, launch.argv, launch.environment, unset, launch.working_directory, foreign)

    def _look_at(self, pid: int) -> tuple[ProcessIdentity | None, str]:
        return self._ports.processes.identify(pid), self._ports.processes.tty(pid)

    def _record(self, change: Callable[[], None]) -> None:
        try:
            change()
        except HermesError as error:  # the command can do without; only the next daemon will not know of it
            log.warning("a terminal is not recorded: %s", error)

    async def _forget_ended(self) -> None:
        ended = await asyncio.to_thread(self._ended, list(self._open.values()))
        for terminal in ended:
            self._open.pop(terminal.id, None)

    def _ended(self, terminals: Sequence[Terminal]) -> list[Terminal]:
        """Those whose process has ended; their records are gone."""
        ended = [one for one in terminals if not self._ports.processes.is_alive(one.process)]
        for terminal in ended:
            self._record(partial(self._ports.terminals.forget, terminal.id))
        return ended
