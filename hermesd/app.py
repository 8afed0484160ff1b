"""Wires the daemon to the system and runs it: the only file that knows everything.

Owns: the order of starting and ending. The lock comes before anything is read, adoption before anyone is served.
"""

import asyncio
import logging
import os
import random
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp

from hermesd import __version__
from hermesd import log as daemon_log
from hermesd.adapters import account, ids
from hermesd.adapters.agents.command import CommandAgent
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.agents.hermes_overlay import find_site, tell_site
from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.archives import ArchivesOnDisk
from hermesd.adapters.backends.choice import choose_backend
from hermesd.adapters.claimlocks import ClaimLocksOnDisk
from hermesd.adapters.clock import SystemClock
from hermesd.adapters.daemonfile import DaemonLock, remove_daemon_file, write_daemon_file
from hermesd.adapters.dumps import DumpsOnDisk
from hermesd.adapters.homeinspector import HomeInspectorOnDisk
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.installer import PipInstaller
from hermesd.adapters.launcher import Launcher
from hermesd.adapters.logfile import LogFiles, TurnedFiles
from hermesd.adapters.logreader import LogReaderOnDisk
from hermesd.adapters.machineinspector import MachineInspectorOnDisk
from hermesd.adapters.meter import KernelMeter
from hermesd.adapters.notify import NotifySocket
from hermesd.adapters.places import Places, locate
from hermesd.adapters.processes import KernelProcesses
from hermesd.adapters.runtimefile import write_runtime_file
from hermesd.adapters.samplestore import SqliteSamples
from hermesd.adapters.settingsfile import read_settings
from hermesd.adapters.skilllibrary import SkillsOnDisk
from hermesd.adapters.socketfile import SocketFile
from hermesd.adapters.sockets import KernelSockets
from hermesd.adapters.store import SqliteStore
from hermesd.adapters.terminalfiles import TerminalFiles
from hermesd.adapters.threads import Threads
from hermesd.adapters.trash import TrashOnDisk
from hermesd.adapters.versions import VersionsOnDisk
from hermesd.adapters.warmclients import WarmClientProcesses
from hermesd.api.aliases import AliasesServicer
from hermesd.api.archives import ArchivesServicer
from hermesd.api.claims import ClaimsServicer
from hermesd.api.configs import ConfigsServicer
from hermesd.api.daemon import DaemonServicer
from hermesd.api.doctor import DoctorServicer
from hermesd.api.environments import EnvironmentsServicer
from hermesd.api.events import EventsServicer
from hermesd.api.gateways import GatewaysServicer
from hermesd.api.logs import LogsServicer
from hermesd.api.operations import OperationsServicer
from hermesd.api.profiles import ProfilesServicer
from hermesd.api.runtimes import RuntimesServicer
from hermesd.api.samples import SamplesServicer
from hermesd.api.server import Servicers, make_server
from hermesd.api.skills import SkillsServicer
from hermesd.api.terminals import TerminalsServicer
from hermesd.api.trash import TrashServicer
from hermesd.domain import environment
from hermesd.domain.errors import HermesError
from hermesd.domain.layout import STAGING
from hermesd.domain.ports import Clock, Ports
from hermesd.domain.runtime import COMMAND, HERMES_AGENT
from hermesd.domain.settings import Settings
from hermesd.services.tasks import lasting
from hermesd.services.warm import keep_warm
from hermesd.services.wiring import Services, services_on
from hermesd.v1 import daemon_pb2

log = logging.getLogger(__name__)

VERSION = __version__

SOCKET_CHECK_S = 30.0
"""How often the daemon looks whether a cleaner took its socket."""

SYSTEM_UNITS = Path("/etc/systemd/system")
"""Where an administrator's services lie."""

SERVER_GRACE_S = 2.0
"""How long calls that are under way may take when the server stops."""


class Ending:
    """The wish to end, by signal or by request."""

    def __init__(self) -> None:
        self.drain = False
        self._asked = asyncio.Event()

    def ask(self, drain: bool = False) -> None:
        """Asks the daemon to end; with `drain`, its gateways first."""
        self.drain = self.drain or drain
        self._asked.set()

    async def wait(self) -> None:
        """Returns once somebody asked."""
        await self._asked.wait()


def run(environ: Mapping[str, str]) -> int:
    """Runs the daemon until it is asked to end; returns the exit code.

    Raises:
        HermesError: it cannot start; nothing has been changed.
    """
    places = locate(environ)
    places.prepare()
    with DaemonLock(places.daemon_lock, places.daemon_file):
        daemon_log.set_up(places.daemon_log)
        asyncio.run(_serve(places, read_settings(places.settings)))
    return 0


async def _serve(places: Places, settings: Settings) -> None:
    ending = Ending()
    asyncio.get_running_loop().set_default_executor(Threads(thread_name_prefix="blocking"))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.ask)
    await asyncio.to_thread(_publish_launcher, places)
    async with _ports(places, settings) as ports:
        services = services_on(ports, settings)
        for recover in (ports.homes.recover, ports.aliases.recover, ports.skills.recover):
            await asyncio.to_thread(_clean_up, recover)
        await services.runtimes.recover()
        await services.terminals.recover()
        await services.keepers.recover()
        await services.rounds.open()
        await services.operations.recover(services.resumers)
        services.trash.open()
        services.drift.open()
        services.configs.open()
        services.captures.open()
        services.samples.open()
        async with _served(places, servicers_of(services, places, ending)), _warm(places, settings, ports.clock):
            log.info("version=%s pid=%d root=%s serving", VERSION, os.getpid(), places.root)
            await ending.wait()
            services.events.close()  # first, or the server would wait for those who watch
        log.info("pid=%d ending drain=%s", os.getpid(), ending.drain)
        services.trash.close()
        services.drift.close()
        services.configs.close()
        services.samples.close()
        await services.operations.close()
        services.rounds.close()
        await services.keepers.close(drain=ending.drain)
        services.captures.close()


@asynccontextmanager
async def _ports(places: Places, settings: Settings) -> AsyncIterator[Ports]:
    """Makes every adapter, and closes those that hold something."""
    clock = SystemClock()
    backend = await choose_backend(settings.backend, clock, root=places.root, root_id=places.root_id)
    store = await SqliteStore.open(places.store)
    samples = SqliteSamples(places.samples)
    inherited, person = account.inherited_environment(), account.account()
    notices = NotifySocket(places.notify_socket)
    notices.open()
    site = find_site(inherited, places.managed)
    hermes = HermesAgent(places.home, notify_address=notices.address, overlay=places.managed, site=site)
    logs = LogFiles(places.gateway_logs, clock)
    keeping = lasting(partial(_keep_bound, notices), "notify socket", clock)
    try:
        yield Ports(
            clock=clock,
            store=store,
            homes=HomesOnDisk(places.root),
            trash=TrashOnDisk(places.root),
            skills=SkillsOnDisk(places.root, places.skills, Path(__file__).parent / "skills"),
            aliases=AliasesInBin(places.bin, places.launcher, inherited.get("PATH", "")),
            home_inspector=HomeInspectorOnDisk(),
            machine_inspector=_machine_inspector(places),
            backend=backend,
            claim_locks=ClaimLocksOnDisk(places.claims),
            processes=KernelProcesses(),
            sockets=KernelSockets(),
            notices=notices,
            terminals=TerminalFiles(places.terminals),
            meter=KernelMeter(),
            samples=samples,
            logs=logs,
            dumps=DumpsOnDisk(places.dumps, clock, inherited.get("PATH", "")),
            versions=VersionsOnDisk(places.versions, clock),
            archives=ArchivesOnDisk(places.root),
            log_reader=LogReaderOnDisk(partial(TurnedFiles, logs), places.daemon_log, clock),
            installer=PipInstaller(places.runtimes, environment.for_installer(inherited, person), hermes),
            agents={
                HERMES_AGENT: hermes,
                COMMAND: CommandAgent({name: one.command for name, one in settings.profiles.items()}),
            },
            root=places.root,
            user_home=places.home,
            lock_directory=places.locks,
            gateway_environment={**environment.for_gateway(inherited, person), **settings.gateway_variables},
            roll=random.random,
            new_id=ids.new_id,
            new_salt=ids.new_salt,
            publish_runtime=partial(write_runtime_file, places.runtime_file, environment=tell_site(site)),
        )
    finally:
        keeping.cancel()
        notices.close()
        await backend.close()
        await samples.close()
        await store.close()


def _machine_inspector(places: Places) -> MachineInspectorOnDisk:
    """Looks around the root of these places."""
    staging = places.root / "profiles" / STAGING
    return MachineInspectorOnDisk(
        places.root,
        kept=(places.state, places.logs),
        private=(*places.private, staging, staging / "new", staging / "trash"),
        units={places.home / ".config/systemd/user": False, SYSTEM_UNITS: True},
        read_settings=partial(read_settings, places.settings),
    )


def servicers_of(services: Services, places: Places, ending: Ending) -> Servicers:
    """The API on these services."""
    started_at = Timestamp()
    started_at.FromNanoseconds(time.time_ns())
    daemon = daemon_pb2.Daemon(
        version=VERSION,
        pid=os.getpid(),
        started_at=started_at,
        root=str(places.root),
        state_directory=str(places.state),
        log_path=str(places.daemon_log),
        settings_path=str(places.settings),
    )
    return Servicers(
        profiles=ProfilesServicer(
            services.profiles,
            services.renames,
            services.creations,
            services.usage,
            services.deletion_plans,
            services.descriptions,
            services.souls,
            services.comparisons,
        ),
        gateways=GatewaysServicer(services.gateways, services.views, services.fleet),
        operations=OperationsServicer(services.operations),
        events=EventsServicer(services.events),
        runtimes=RuntimesServicer(services.runtimes),
        skills=SkillsServicer(services.skills),
        terminals=TerminalsServicer(services.terminals),
        environments=EnvironmentsServicer(services.environments),
        trash=TrashServicer(services.trash),
        doctor=DoctorServicer(services.doctor),
        aliases=AliasesServicer(services.aliases),
        logs=LogsServicer(services.logs),
        samples=SamplesServicer(services.samples),
        claims=ClaimsServicer(services.claim_views),
        configs=ConfigsServicer(services.configs),
        archives=ArchivesServicer(services.exports, services.imports),
        daemon=DaemonServicer(daemon, ending.ask),
    )


@asynccontextmanager
async def _served(places: Places, servicers: Servicers) -> AsyncIterator[None]:
    """Serves on the socket, again on a fresh one should a cleaner take it, and tells clients where."""
    socket = SocketFile(places.socket)
    server = await make_server(servicers)

    async def bind() -> None:
        socket.clear()
        server.add_insecure_port(socket.address)
        await server.start()
        socket.remember()

    async def keep_bound() -> None:
        nonlocal server
        while True:
            await asyncio.sleep(SOCKET_CHECK_S)
            if not socket.is_ours():
                log.warning("socket=%s was taken away and is bound again", places.socket)
                await server.stop(SERVER_GRACE_S)  # first: a server that ends unlinks the path it was bound to
                server = await make_server(servicers)
                await bind()

    await bind()
    write_daemon_file(places.daemon_file, socket=places.socket, root=places.root, version=VERSION)
    keeping = lasting(keep_bound, "socket", SystemClock())
    try:
        yield
    finally:
        keeping.cancel()
        await server.stop(SERVER_GRACE_S)
        remove_daemon_file(places.daemon_file)
        socket.clear()


async def _keep_bound(notices: NotifySocket) -> None:
    """Gateways reach the daemon by the path alone, which a cleaner may take."""
    while True:
        await asyncio.sleep(SOCKET_CHECK_S)
        notices.renew()


@asynccontextmanager
async def _warm(places: Places, settings: Settings, clock: Clock) -> AsyncIterator[None]:
    """Keeps clients warm, where that is wanted."""
    if not settings.has_warm_clients:
        yield
        return
    theirs = environment.for_gateway(account.inherited_environment(), account.account())
    keeping = lasting(partial(keep_warm, WarmClientProcesses(places.run, theirs), clock), "warm", clock)
    try:
        yield
    finally:
        keeping.cancel()


def _publish_launcher(places: Places) -> None:
    """Gives aliases this release's client. Without it they are slower, and no reason not to keep gateways."""
    interpreter = Path(getattr(sys, "_base_executable", sys.executable))
    try:
        Launcher(interpreter, Path(__file__).parents[1], _client()).publish(places.share)
    except (HermesError, OSError) as error:
        log.warning("launcher=%s not published: %s", places.launcher, error)


def _clean_up(recover: Callable[[], None]) -> None:
    """Litter that cannot be removed, of whoever's making, is no reason not to keep gateways."""
    try:
        recover()
    except (HermesError, OSError) as error:
        log.warning("not cleaned up: %s", error)


def _client() -> Path:
    """The hermesctl that belongs to this hermesd, for aliases to call."""
    beside = Path(sysconfig.get_path("scripts")) / "hermesctl"
    return beside if beside.exists() else Path(shutil.which("hermesctl") or beside)
