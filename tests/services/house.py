"""A whole daemon on fakes: every service, no system.

Owns: wiring and the waiting for a thread's work. Must not know what a test proves.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from hermesd.domain.errors import HermesError
from hermesd.domain.gateway import State
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.ports import Ports
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord
from hermesd.domain.runtime import COMMAND, HERMES_AGENT, Runtime
from hermesd.domain.settings import Settings
from hermesd.services.healthviews import HealthView
from hermesd.services.wiring import Services, services_on
from tests.fakes.agent import ScriptedAgent
from tests.fakes.aliases import MemoryAliases
from tests.fakes.archives import MemoryArchives
from tests.fakes.backend import ScriptedBackend
from tests.fakes.claimlocks import ScriptedClaimLocks
from tests.fakes.clock import ManualClock
from tests.fakes.dumps import MemoryDumps
from tests.fakes.homes import MemoryHomes
from tests.fakes.inspectors import MemoryHomeInspector, MemoryMachineInspector
from tests.fakes.installer import MemoryInstaller
from tests.fakes.logreader import MemoryLogReader
from tests.fakes.logs import MemoryLogs
from tests.fakes.meter import MemoryMeter
from tests.fakes.notices import MemoryNotices
from tests.fakes.processes import MemoryProcesses
from tests.fakes.samples import MemorySamples
from tests.fakes.skills import MemorySkills
from tests.fakes.sockets import MemorySockets
from tests.fakes.store import MemoryStore
from tests.fakes.terminals import MemoryTerminals
from tests.fakes.trash import MemoryTrash
from tests.fakes.versions import MemoryVersions

REQUESTER = "a test"


class InlineExecutor(ThreadPoolExecutor):
    """Runs work at once in the calling thread, so that a test's clock never waits for another thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except HermesError as error:
            future.set_exception(error)
        return future


def reachable(kind: str) -> ScriptedAgent:
    """An agent whose gateways can be reached, so that a daemon that comes up starts them."""
    agent = ScriptedAgent(kind)
    agent.usual_channels = ("telegram",)
    return agent


@dataclass
class House:
    """The fakes and, once `open`, the services on them. Reopening it is a daemon's restart."""

    settings: Settings = Settings()
    clock: ManualClock = field(default_factory=ManualClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    homes: MemoryHomes = field(default_factory=MemoryHomes)
    aliases: MemoryAliases = field(default_factory=MemoryAliases)
    home_inspector: MemoryHomeInspector = field(default_factory=MemoryHomeInspector)
    machine_inspector: MemoryMachineInspector = field(default_factory=MemoryMachineInspector)
    skills: MemorySkills = field(default_factory=MemorySkills)
    backend: ScriptedBackend = field(default_factory=ScriptedBackend)
    processes: MemoryProcesses = field(default_factory=MemoryProcesses)
    sockets: MemorySockets = field(default_factory=MemorySockets)
    notices: MemoryNotices = field(default_factory=MemoryNotices)
    terminals: MemoryTerminals = field(default_factory=MemoryTerminals)
    meter: MemoryMeter = field(default_factory=MemoryMeter)
    samples: MemorySamples = field(default_factory=MemorySamples)
    logs: MemoryLogs = field(default_factory=MemoryLogs)
    dumps: MemoryDumps = field(default_factory=MemoryDumps)
    versions: MemoryVersions = field(default_factory=MemoryVersions)
    archives: MemoryArchives = field(default_factory=MemoryArchives)
    installer: MemoryInstaller = field(default_factory=MemoryInstaller)
    agent: ScriptedAgent = field(default_factory=lambda: reachable(HERMES_AGENT))
    program: ScriptedAgent = field(default_factory=lambda: reachable(COMMAND))
    ids: Any = field(default_factory=lambda: count(1))
    published: list[Runtime] = field(default_factory=list)
    """Every runtime that was said to be the one in use, in order."""
    services: Services = field(init=False)
    _claim_locks: ScriptedClaimLocks | None = None
    _trash: MemoryTrash | None = None
    _log_reader: MemoryLogReader | None = None

    @property
    def claim_locks(self) -> ScriptedClaimLocks:
        """The locks that the backend's trees hold."""
        if self._claim_locks is None:
            self._claim_locks = ScriptedClaimLocks(self.backend)
        return self._claim_locks

    @property
    def log_reader(self) -> MemoryLogReader:
        """What all logs hold."""
        if self._log_reader is None:
            self._log_reader = MemoryLogReader(self.clock)
        return self._log_reader

    @property
    def trash(self) -> MemoryTrash:
        """The trash of the homes that are there."""
        if self._trash is None or self._trash.homes is not self.homes:
            self._trash = MemoryTrash(self.homes)
        return self._trash

    @property
    def ports(self) -> Ports:
        """The fakes as services get them."""
        return Ports(
            clock=self.clock,
            store=self.store,
            homes=self.homes,
            trash=self.trash,
            aliases=self.aliases,
            home_inspector=self.home_inspector,
            machine_inspector=self.machine_inspector,
            skills=self.skills,
            backend=self.backend,
            claim_locks=self.claim_locks,
            processes=self.processes,
            sockets=self.sockets,
            notices=self.notices,
            terminals=self.terminals,
            meter=self.meter,
            samples=self.samples,
            logs=self.logs,
            dumps=self.dumps,
            versions=self.versions,
            archives=self.archives,
            log_reader=self.log_reader,
            installer=self.installer,
            agents={HERMES_AGENT: self.agent, COMMAND: self.program},
            root=Path("/home/ana/.hermes"),
            user_home=Path("/home/ana"),
            lock_directory=Path("/state/locks"),
            gateway_environment={"HOME": "/home/ana", "PATH": "/usr/bin"},
            roll=lambda: 0.5,
            new_id=lambda: f"{next(self.ids):012d}",
            new_salt=lambda: b"salt of the house",
            publish_runtime=self.published.append,
        )

    async def open(self) -> None:
        """Starts a daemon on what is there."""
        asyncio.get_running_loop().set_default_executor(InlineExecutor())
        self.services = services_on(self.ports, self.settings)
        await self.services.runtimes.recover()
        await self.services.terminals.recover()
        await self.services.keepers.recover()
        await self.services.rounds.open()
        await self.services.operations.recover(self.services.resumers)
        self.services.trash.open()
        await self.clock.settle()

    async def close(self, *, drain: bool = False) -> None:
        """Ends the daemon; gateways live on unless drained."""
        self.services.events.close()
        self.services.trash.close()
        self.services.samples.close()
        await self.services.operations.close()
        self.services.rounds.close()
        await self.services.keepers.close(drain=drain)
        await self.clock.settle()

    async def reopen(self) -> None:
        """The daemon dies and another one starts."""
        await self.close()
        await self.open()

    async def furnish(self, *names: str) -> None:
        """Installs a runtime and makes these profiles."""
        self.installer.install("0.19.0", lambda _: None, lambda: False)
        await self.services.runtimes.use(self.installer.installed()[0].name)
        for name in names:
            self.homes.add(name)

    async def start(self, name: str) -> Operation:
        """Asks for a start and lets everything happen that needs no time."""
        operation = await self.services.gateways.start(ProfileName(name), REQUESTER)
        return await self.now(operation)

    async def stop(self, name: str) -> Operation:
        """Asks for a stop and lets everything happen that needs no time."""
        operation = await self.services.gateways.stop(ProfileName(name), REQUESTER)
        return await self.now(operation)

    async def restart(self, name: str) -> Operation:
        """Asks for a restart and lets everything happen that needs no time."""
        operation = await self.services.gateways.restart(ProfileName(name), REQUESTER)
        return await self.now(operation)

    async def now(self, operation: Operation) -> Operation:
        """The operation after everything that needs no time."""
        await self.clock.settle()
        return await self.services.operations.get(operation.id)

    async def record(self, name: str) -> GatewayRecord:
        """What is remembered of a gateway."""
        return (await self.services.views.get(ProfileName(name))).record

    async def state(self, name: str) -> State:
        """A gateway's state."""
        return (await self.record(name)).gateway.state

    async def health(self, name: str) -> HealthView:
        """How a gateway is shown to be doing, which must be up."""
        health = (await self.services.views.get(ProfileName(name))).health
        assert health is not None
        return health

    async def process(self, name: str) -> ProcessIdentity:
        """A gateway's process, which it must have."""
        process = (await self.record(name)).process
        assert process is not None
        return process


def failure(operation: Operation) -> str:
    """The reason a failed or cancelled operation gives."""
    assert operation.state in (OperationState.FAILED, OperationState.CANCELLED)
    assert operation.error is not None
    return operation.error.reason
