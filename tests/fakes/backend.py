"""A backend whose processes are entries in a table and end when a test says so."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from hermesd.domain.claims import in_use
from hermesd.domain.errors import GatewayStuck, HermesError, ProfileBusy
from hermesd.domain.limits import Limit
from hermesd.domain.process import HOME_VARIABLE, ExitStatus, ProcessIdentity, SpawnSpec

FIRST_PID = 1001
BOOT_ID = "00000000-0000-4000-8000-000000000001"


@dataclass
class ScriptedProcess:
    """What the fake knows of one start."""

    spec: SpawnSpec
    identity: ProcessIdentity
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    status: ExitStatus = ExitStatus()
    has_leftovers: bool = False
    """Something of the tree besides the main process lives."""

    @property
    def holds_lock(self) -> bool:
        return not self.ended.is_set() or self.has_leftovers


class ScriptedBackend:
    """Fake of `Backend`.

    Public attributes tell what happens and may be changed at any time; lists tell what happened, by pid in the
    order of calls. The table outlives the services that use it, so a restarted daemon is a second set of
    services on the same backend.
    """

    def __init__(self) -> None:
        self.ends_on_terminate: ExitStatus | None = ExitStatus(code=0)
        """How a terminated process ends; `None` ignores SIGTERM."""
        self.ends_on_kill: ExitStatus | None = ExitStatus(signal=9)
        """How a killed process ends; `None` survives SIGKILL, as one in uninterruptible sleep does."""
        self.leaves_tree = False
        """Whether something of the tree lives on when a main process ends, until `clear` or `kill`."""
        self.is_stuck = False
        """Whether `clear` finds something that it cannot end."""
        self.enforced: frozenset[Limit] = frozenset(Limit)
        """Kinds of limit that trees are held to if they are asked for."""
        self.specs: list[SpawnSpec] = []
        self.terminated: list[int] = []
        self.killed: list[int] = []
        self.cleared: list[str] = []
        """Spawn ids."""
        self.forgotten: list[Path] = []
        """Lock files of gateways that will never be started again."""
        self._pids = count(FIRST_PID)
        self._refusals: list[HermesError] = []
        self._processes: dict[ProcessIdentity, ScriptedProcess] = {}

    @property
    def alive(self) -> Sequence[ProcessIdentity]:
        """Main processes that live, oldest first."""
        return [p.identity for p in self._processes.values() if not p.ended.is_set()]

    def refuse_next(self, error: HermesError) -> None:
        """Makes the next start that is not refused yet raise `error`; it starts nothing."""
        self._refusals.append(error)

    def exit(self, pid: int, status: ExitStatus) -> None:
        """Ends a living main process from outside. Raises `LookupError` if there is none of this pid."""
        living = [p for p in self._processes.values() if p.identity.pid == pid and not p.ended.is_set()]
        if not living:
            raise LookupError(f"no living process has pid {pid}")
        self._end(living[0], status)

    def holder_of(self, claim_path: Path) -> ScriptedProcess | None:
        """The start whose tree holds the lock of a claim."""
        holding = (p for p in self._processes.values() if p.holds_lock)
        return next((p for p in holding if claim_path in {one.path for one in p.spec.claims}), None)

    async def start(self, spec: SpawnSpec) -> ProcessIdentity:
        if self._refusals:
            raise self._refusals.pop(0)
        if any(p.holds_lock and p.spec.lock_path == spec.lock_path for p in self._processes.values()):
            raise ProfileBusy(f"cannot lock {spec.lock_path}: it is held", path=str(spec.lock_path))
        for wanted in spec.claims:
            if self.holder_of(wanted.path) is not None:
                raise in_use(wanted.claim)
        pid = next(self._pids)
        identity = ProcessIdentity(BOOT_ID, pid, start_ticks=pid * 100, spawn_id=spec.spawn_id)
        self.specs.append(spec)
        self._processes[identity] = ScriptedProcess(spec, identity)
        return identity

    async def find(
        self, spawn_id: str, process: ProcessIdentity | None, *, home: Path | None = None
    ) -> ProcessIdentity | None:
        is_recorded = process is not None and process.spawn_id == spawn_id
        for identity in self.alive:
            is_meant = identity.spawn_id == spawn_id and (identity == process or not is_recorded)
            if is_meant and self._is_at_home(identity, home):
                return identity
        return None

    async def limits(self, process: ProcessIdentity) -> frozenset[Limit] | None:
        known = self._processes.get(process)
        if known is None or known.ended.is_set():
            return None
        return self.enforced & known.spec.limits.keys()

    async def wait(self, process: ProcessIdentity) -> ExitStatus:
        known = self._processes.get(process)
        if known is None:
            return ExitStatus()
        await known.ended.wait()
        return known.status

    async def terminate(self, process: ProcessIdentity) -> None:
        known = self._processes.get(process)
        if known is None or known.ended.is_set():
            return
        self.terminated.append(process.pid)
        if self.ends_on_terminate is not None:
            self._end(known, self.ends_on_terminate)

    async def kill(self, process: ProcessIdentity, *, home: Path | None = None) -> None:
        known = self._processes.get(process)
        if known is None or not known.holds_lock:
            return
        self.killed.append(process.pid)
        if self.ends_on_kill is not None:
            if not known.ended.is_set():
                self._end(known, self.ends_on_kill)
            known.has_leftovers = False

    async def clear(self, spawn_id: str, lock_path: Path, *, home: Path | None = None) -> None:
        if self.is_stuck:
            raise GatewayStuck(f"cannot end what is left of start {spawn_id}: it survived SIGKILL")
        self.cleared.append(spawn_id)
        for identity, known in list(self._processes.items()):
            is_marked = identity.spawn_id == spawn_id and self._is_at_home(identity, home)
            if is_marked or known.spec.lock_path == lock_path:
                if not known.ended.is_set():
                    self._end(known, ExitStatus(signal=9))
                del self._processes[identity]

    async def forget(self, lock_path: Path) -> None:
        if any(p.holds_lock and p.spec.lock_path == lock_path for p in self._processes.values()):
            raise ProfileBusy(f"cannot lock {lock_path}: it is held", path=str(lock_path))
        self.forgotten.append(lock_path)

    def _is_at_home(self, process: ProcessIdentity, home: Path | None) -> bool:
        said = self._processes[process].spec.environment.get(HOME_VARIABLE)
        return home is None or said is None or Path(said) == home

    def _end(self, process: ScriptedProcess, status: ExitStatus) -> None:
        process.status = status
        process.has_leftovers = self.leaves_tree
        process.ended.set()
