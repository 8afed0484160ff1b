"""Runtimes: which agents there are and which one a profile uses.

Owns: the choice. Must not know how an agent is installed or asked.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.agent import Agent
from hermesd.domain.errors import HermesError, NotFound, RuntimeMissing
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.runtime import COMMAND, HERMES_AGENT, InstallProgress, Runtime
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.services.events import Events
from hermesd.services.operations import Job, Operations, Request

log = logging.getLogger(__name__)

INSTALL_FIX = "hermesctl runtime install"


@dataclass(frozen=True)
class Choice:
    """The agent and the runtime that a profile uses."""

    agent: Agent
    runtime: Runtime


class Runtimes:
    """Lists, installs, registers and chooses runtimes."""

    def __init__(self, ports: Ports, settings: Settings, events: Events, operations: Operations) -> None:
        self._ports = ports
        self._settings = settings
        self._events = events
        self._operations = operations

    async def recover(self) -> None:
        """Says again which runtime is in use, in case an earlier daemon could not."""
        if current := await self.current():
            await self._publish(current)

    def agent_of(self, profile: ProfileName) -> Agent:
        """The kind of agent a profile has, installed or not."""
        kind = COMMAND if self._settings.of(profile.text).command else HERMES_AGENT
        return self._ports.agents[kind]

    def settings_of(self, profile: ProfileName) -> ProfileSettings:
        """What the settings say of one profile; `[profile.NAME]` goes by its name."""
        return self._settings.of(profile.text)

    async def choice_for(self, profile: ProfileName) -> Choice:
        """The agent and runtime of a profile.

        Raises:
            RuntimeMissing: nothing is installed that it could use.
        """
        agent = self.agent_of(profile)
        if command := self._settings.of(profile.text).command:
            runtime = Runtime(COMMAND, COMMAND, "", Path(command[0]), is_managed=False)
            return Choice(agent, runtime)
        current = await self.current()
        if current is None:
            raise RuntimeMissing("no hermes-agent runtime is installed", fixes=[INSTALL_FIX])
        return Choice(agent, current)

    async def all(self) -> list[Runtime]:
        """Installed and registered runtimes, by name."""
        installed = await asyncio.to_thread(self._ports.installer.installed)
        registered = await self._ports.store.registered_runtimes()
        return sorted([*installed, *registered], key=lambda runtime: runtime.name)

    def installable_versions(self) -> list[str]:
        """Versions of hermes-agent that can be installed, the newest first."""
        return self._ports.installer.versions()

    async def current(self) -> Runtime | None:
        """The runtime in use; `None` if none was chosen or the chosen one is gone."""
        chosen = await self._ports.store.current_runtime()
        return next((runtime for runtime in await self.all() if runtime.name == chosen), None)

    async def use(self, name: str, asked: Mapping[str, str] | None = None) -> Runtime:
        """Makes a runtime the one in use; `asked` says who wants it, to those who are told.

        Raises:
            NotFound: there is none of this name.
        """
        for runtime in await self.all():
            if runtime.name == name:
                await self._ports.store.use_runtime(name)
                await self._publish(runtime)
                await self._events.record(
                    "runtime.used", f"{name} is the runtime in use", runtime=name, **asked or {}
                )
                return runtime
        raise NotFound(f"there is no runtime '{name}'", fixes=["hermesctl runtime list"])

    async def register(self, executable: Path, requester: str = "") -> Runtime:
        """Registers an agent that is on the machine and makes it the one in use.

        Raises:
            Incompatible: it cannot say its version.
        """
        version = await asyncio.to_thread(self._ports.agents[HERMES_AGENT].version, executable)
        digest = hashlib.sha256(str(executable).encode()).hexdigest()[:8]
        runtime = Runtime(
            f"{HERMES_AGENT}-{version}-{digest}", HERMES_AGENT, version, executable, is_managed=False
        )
        await self._ports.store.register_runtime(runtime)
        return await self.use(runtime.name, {"requester": requester})

    async def install(self, version: str, requester: str) -> Operation:
        """Installs a version (empty: the newest), and makes it the one in use if none is.

        Raises:
            NotFound: the version cannot be installed.
        """
        wanted = version or self.installable_versions()[0]
        if wanted not in self.installable_versions():
            raise NotFound(
                f"hermes-agent {wanted} cannot be installed by this hermesd",
                hint=f"it can install {', '.join(self.installable_versions())}",
            )

        async def work(job: Job) -> None:
            await self._install(wanted, job)

        return await self._operations.start(Request("runtime.install", parameters=wanted), requester, work)

    async def _publish(self, runtime: Runtime) -> None:
        try:
            await asyncio.to_thread(self._ports.publish_runtime, runtime)
        except HermesError as error:  # only those who have no daemon to ask would miss it
            log.warning("runtime=%s is not published: %s", runtime.name, error)

    async def _install(self, version: str, job: Job) -> None:
        loop = asyncio.get_running_loop()

        def report(progress: InstallProgress) -> None:
            loop.call_soon_threadsafe(job.report, progress.phase, progress.detail, progress.done, progress.total)

        runtime = await asyncio.to_thread(self._ports.installer.install, version, report, lambda: job.is_cancelled)
        message = f"{runtime.name} is installed"
        await self._events.record("runtime.installed", message, runtime=runtime.name, **job.asked)
        if await self.current() is None:
            await self.use(runtime.name, job.asked)
