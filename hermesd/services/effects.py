"""What a machine's effects come down to: starting, ending and asking one gateway's processes.

Owns: the order of the steps within each effect. Must not know the machine: it is told what to do and answers or
raises.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.agent import Agent
from hermesd.domain.claims import Claim
from hermesd.domain.errors import (
    ArgumentInvalid,
    BudgetSpent,
    HermesError,
    Incompatible,
    NotPermitted,
    PortInUse,
    ProfileBusy,
    RuntimeMissing,
    TokenInUse,
)
from hermesd.domain.gateway import Event
from hermesd.domain.limits import Limit
from hermesd.domain.ports import Ports
from hermesd.domain.process import (
    ExitCause,
    ExitReport,
    ExitStatus,
    LastExit,
    ProcessIdentity,
    SpawnSpec,
)
from hermesd.domain.profile import Home
from hermesd.domain.record import GatewayRecord
from hermesd.domain.runtime import Launch
from hermesd.domain.settings import Settings
from hermesd.services.claims import Claims, Seen
from hermesd.services.facts import Fact
from hermesd.services.foreign import foreign_error, start_command
from hermesd.services.runtimes import Choice, Runtimes

log = logging.getLogger(__name__)

IMPOSSIBLE = (RuntimeMissing, Incompatible, ArgumentInvalid)
"""Failures to start that no waiting mends."""

ASKED, ASK_AGAIN_S = 10, 1.0
"""How often a process is asked to end that could not be reached, and after which pause."""

DUMP_LIMIT_S = 10.0
"""How long the end of a process is put off for a dump, at most."""

DUMPED_LINES = 200
"""Lines of captured output that a dump ends with."""


@dataclass(frozen=True)
class Prepared:
    """What a start needs, and was free a moment ago."""

    launch: Launch
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Started:
    """A process that has just been started."""

    process: ProcessIdentity
    has_watchdog: bool
    """Whether it was asked to say when it is ready."""


class Effects:
    """Carries out effects for one gateway after the other; keeps nothing of any."""

    def __init__(self, ports: Ports, settings: Settings, runtimes: Runtimes, claims: Claims) -> None:
        self._ports = ports
        self._claims = claims
        self._settings = settings
        self._runtimes = runtimes

    def agent_of(self, home: Home) -> Agent:
        """The agent that a home belongs to."""
        return self._runtimes.agent_of(home.name)

    def has_channel(self, home: Home) -> bool:
        """Whether anything could reach the gateway of a home. Reads files."""
        return bool(self.agent_of(home).facts(home).channels)

    async def prepare(self, home: Home, record: GatewayRecord) -> Prepared:
        """What a start needs, if nothing stands in its way. What it claims must be recorded at once.

        Raises:
            HermesError: it cannot be started now, for one of many reasons; see `not_started`.
        """
        choice = await self._runtimes.choice_for(home.name)
        look = self._claims.looking(record.profile_id, home)
        seen, launch = await asyncio.to_thread(_looked, choice, home, look)
        claims = self._claims.refuse(record, home, seen)
        if isinstance(launch, HermesError):
            raise launch
        return Prepared(launch, claims)

    async def start(self, home: Home, record: GatewayRecord, launch: Launch) -> Started:
        """Starts the process that the record announces, with what it claims.

        Raises:
            HermesError: there is none now, for one of many reasons; see `not_started`.
        """
        await self._mark_output(home, record.profile_id)
        await self._prepare_agent(home)
        spec = SpawnSpec(
            name=home.name.text,
            spawn_id=record.spawn_id,
            argv=launch.argv,
            environment={**self._ports.gateway_environment, **launch.environment},
            working_directory=self._ports.user_home,
            log_path=self._ports.logs.path(record.profile_id),
            lock_path=self._lock_of(record.profile_id),
            limits=self._settings.limits_of(home.name.text),
            claims=self._claims.locks_of(record, home, record.claims),
        )
        try:
            process = await self._begin(record, spec)
        except (TokenInUse, PortInUse) as error:  # a claim's lock is held by something that no record tells of
            raise await self._claims.named(record, home, error) from error
        return Started(process, launch.has_watchdog)

    async def _begin(self, record: GatewayRecord, spec: SpawnSpec) -> ProcessIdentity:
        try:
            return await self._ports.backend.start(spec)
        except ProfileBusy:  # something of an earlier start lives that no record tells of
            await self._clear(record)
            return await self._ports.backend.start(spec)

    async def _prepare_agent(self, home: Home) -> None:
        """Without it the agent may refuse to start, and says why."""
        try:
            await asyncio.to_thread(self.agent_of(home).prepare_start, home)
        except HermesError as error:
            log.warning("profile=%s start not prepared: %s", home.name, error.message)

    async def _mark_output(self, home: Home, profile_id: str) -> None:
        """Tells what the last process printed from what the next one will. Without it, times are less exact."""
        try:
            await asyncio.to_thread(self._ports.logs.mark, profile_id)
        except HermesError as error:
            log.warning("profile=%s output not marked: %s", home.name, error.message)

    def not_started(self, error: HermesError) -> Fact:
        """What a failure to start means for the machine."""
        if "claim" in error.metadata:
            return Fact(Event.CLAIM_DENIED, detail=error.message)
        if isinstance(error, BudgetSpent):
            return Fact(Event.BUDGET_SPENT, detail=error.message)
        port_taken = isinstance(error, PortInUse)
        event = Event.PORT_TAKEN if port_taken else Event.SPAWN_FAILED
        if isinstance(error, IMPOSSIBLE):
            event = Event.SPAWN_IMPOSSIBLE
        cause = ExitCause.PORT_TAKEN if port_taken else ExitCause.NOT_LAUNCHED
        end = LastExit(cause, ExitStatus(), error.message, self._ports.clock.now_s())
        return Fact(event, last_exit=end, detail=error.message)

    async def terminate(self, home: Home, process: ProcessIdentity) -> None:
        """Announces the stop to the agent, then asks the process to end."""
        try:
            await asyncio.to_thread(self.agent_of(home).prepare_stop, home, process)
        except HermesError as error:
            log.warning("profile=%s stop not announced: %s", home.name, error.message)
        await self._ask_to_end(home, process)

    async def _ask_to_end(self, home: Home, process: ProcessIdentity) -> None:
        """A process is reached by a descriptor, of which there may be none for a while.

        Whoever was never asked would be killed when its grace is over, in the middle of its turns.
        """
        for _ in range(ASKED):
            try:
                await self._ports.backend.terminate(process)
            except NotPermitted as error:
                log.error("profile=%s pid=%d not asked to end: %s", home.name, process.pid, error.message)
                return
            except HermesError as error:
                log.warning(
                    "profile=%s pid=%d could not be asked to end: %s", home.name, process.pid, error.message
                )
            else:
                return
            await self._ports.clock.sleep_s(ASK_AGAIN_S)

    async def find(self, record: GatewayRecord) -> ProcessIdentity | None:
        """The process that an earlier daemon recorded, or was about to record, if it lives."""
        return await self._ports.backend.find(record.spawn_id, record.process, home=_path_of(record))

    async def unenforced_limits(self, home: Home, process: ProcessIdentity) -> list[Limit]:
        """The limits that the settings ask for and that a living process is not held to."""
        asked = self._settings.limits_of(home.name.text)
        held = await self._ports.backend.limits(process) if asked else None
        return [] if held is None else [limit for limit in asked if limit not in held]

    async def kill(self, home: Home, record: GatewayRecord, process: ProcessIdentity) -> None:
        """Kills the whole tree."""
        log.warning("profile=%s pid=%d did not end in time and is killed", home.name, process.pid)
        await self._ports.backend.kill(process, home=_path_of(record))

    async def dump(
        self, home: Home, record: GatewayRecord, process: ProcessIdentity, cause: ExitCause, detail: str
    ) -> Path | None:
        """Keeps what can be seen of a process that is about to be ended; `None` if that failed.

        Never raises and takes `DUMP_LIMIT_S` at most, whatever hangs: the end must come.
        """
        keeping = asyncio.create_task(self._keep_dump(home, record.profile_id, process, cause, detail))
        patience = asyncio.create_task(self._ports.clock.sleep_s(DUMP_LIMIT_S))
        try:
            await asyncio.wait({keeping, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
            is_late = keeping.cancel()
        if is_late:
            log.warning("profile=%s pid=%d no dump within %.0f s", home.name, process.pid, DUMP_LIMIT_S)
            return None
        if error := keeping.exception():
            log.warning("profile=%s pid=%d no dump: %s", home.name, process.pid, error)
            return None
        return keeping.result()

    async def _keep_dump(
        self, home: Home, profile_id: str, process: ProcessIdentity, cause: ExitCause, detail: str
    ) -> Path:
        """A log that cannot be read costs its lines, not the dump."""
        masking = self.agent_of(home).masking(home)

        def read() -> list[str]:
            return [masking(line) for line in self._ports.logs.tail(profile_id, DUMPED_LINES)]

        try:
            lines = await asyncio.to_thread(read)
        except HermesError as error:
            lines = [error.message]
        return await self._ports.dumps.keep(profile_id, process, cause, detail, lines)

    async def end(self, home: Home, record: GatewayRecord, process: ProcessIdentity) -> bool:
        """Ends a process within its grace, by force after it, with what it left; says whether nothing lives."""
        await self.terminate(home, process)
        ended = asyncio.create_task(self._ports.backend.wait(process))
        patience = asyncio.create_task(
            self._ports.clock.sleep_s(self._settings.policy.grace_extra_s + await self.drain_s(home))
        )
        try:
            await asyncio.wait({ended, patience}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self.kill(home, record, process)
            await ended
        finally:
            patience.cancel()
            ended.cancel()
        return await self.is_cleared(home, record)

    async def is_cleared(self, home: Home, record: GatewayRecord) -> bool:
        """Ends what is left of a tree whose main process ended; says whether nothing is."""
        try:
            await self._clear(record)
        except HermesError as error:  # stuck, or not ours to look at: either way something may still live
            log.error("profile=%s %s", home.name, error.message)
            return False
        return True

    async def clear_homeless(self, record: GatewayRecord) -> None:
        """Ends whatever lives of a gateway whose home is gone, if it can be ended."""
        try:
            await self._clear(record)
        except HermesError as error:
            log.error("profile_id=%s without a home: %s", record.profile_id, error.message)

    async def forget(self, profile_id: str) -> None:
        """Removes what was kept for starting a gateway that will never be started again. Raises `ProfileBusy`."""
        await self._ports.backend.forget(self._lock_of(profile_id))

    async def drain_s(self, home: Home) -> float:
        """How long the profile lets its gateway finish its turns."""
        return (await asyncio.to_thread(self.agent_of(home).facts, home)).drain_s

    async def explain_exit(self, home: Home, process: ProcessIdentity, status: ExitStatus) -> ExitReport:
        """What an end means that was seen."""
        return await asyncio.to_thread(self.agent_of(home).explain_exit, home, process, status)

    async def explain_loss(self, home: Home, process: ProcessIdentity | None) -> ExitReport:
        """What is known of an end that nobody saw: what the agent left in writing, else nothing."""
        unknown = ExitReport(Event.LOST, ExitCause.UNKNOWN, "it ended while no daemon watched; how is not known")
        if process is None:
            return unknown
        if process.boot_id != self._ports.processes.boot_id():
            return ExitReport(Event.LOST, ExitCause.UNKNOWN, "the machine was started anew")
        report = await self.explain_exit(home, process, ExitStatus())
        if report.event is not Event.CRASHED:
            return report
        return ExitReport(Event.LOST, ExitCause.UNKNOWN, unknown.detail)

    async def _clear(self, record: GatewayRecord) -> None:
        await self._ports.backend.clear(record.spawn_id, self._lock_of(record.profile_id), home=_path_of(record))

    def _lock_of(self, profile_id: str) -> Path:
        return self._ports.lock_directory / f"{profile_id}.lock"


def _path_of(record: GatewayRecord) -> Path | None:
    """Where the home was when the process was started in it."""
    return None if record.home is None else record.home.path


def _looked(choice: Choice, home: Home, look: Callable[[], Seen]) -> tuple[Seen, Launch | HermesError]:
    """Who has what it claims, and how it is started or what else stands in the way: each thread's turn costs.

    Of two hindrances the claim is told: whoever listens on a port that another gateway claims is that gateway.
    """
    foreign = choice.agent.foreign_gateway(home, None)
    if foreign is not None:
        raise foreign_error(home, foreign, start_command(home), deed="start")
    seen = look()
    try:
        choice.agent.check(home, is_running=False)
        return seen, choice.agent.launch(choice.runtime, home)
    except HermesError as error:
        return seen, error
