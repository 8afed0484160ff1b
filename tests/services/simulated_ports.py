"""Ports that behave as chance will have it, for a simulation of many gateways.

Owns: how processes begin, end and take signals, and how ready an agent is. What may never happen is noted as a
violation at the moment it happens. Must not know what is wanted of a gateway.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hermesd.domain.ports import Ports
from hermesd.domain.process import ExitStatus, Phase, Probe, ProcessIdentity, SpawnSpec
from hermesd.domain.profile import Home
from tests.fakes.agent import ScriptedAgent
from tests.fakes.backend import ScriptedBackend
from tests.services.house import House

CODES = (0, 1, 2, 75, 78, 130, 255)
SIGNALS = (1, 2, 6, 9, 11, 15)
LATEST_S = 20.0
"""How long an agent takes to be ready if it becomes ready at all."""


class RandomBackend(ScriptedBackend):
    """Processes that take signals as they like, among strangers that must get none."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.violations: list[str] = []
        self.strangers: set[ProcessIdentity] = set()
        self.started: Callable[[ProcessIdentity, str], None] = lambda _process, _profile: None
        """Told of each start: the process and its profile."""
        self._rng = rng
        self._profiles: dict[ProcessIdentity, str] = {}
        self._doomed: list[tuple[str, Path]] = []

    def random_status(self) -> ExitStatus:
        """Any way to end."""
        if self._rng.random() < 0.5:
            return ExitStatus(code=self._rng.choice(CODES))
        return ExitStatus(signal=self._rng.choice(SIGNALS))

    def living(self) -> dict[str, ProcessIdentity]:
        """The process of each profile that has one."""
        return {self._profiles[process]: process for process in self.alive if process in self._profiles}

    async def add_stranger(self) -> None:
        """Somebody else starts a process, in a directory of their own."""
        number = len(self.strangers)
        spec = SpawnSpec("", f"strange{number}", ("agent",), {}, Path("/"), Path("/log"), Path(f"/lock{number}"))
        self.strangers.add(await super().start(spec))

    async def start(self, spec: SpawnSpec) -> ProcessIdentity:
        process = await super().start(spec)
        self.specs.clear()
        if spec.name in self.living():
            self.violations.append(f"a second process of {spec.name}")
        self._profiles[process] = spec.name
        self.started(process, spec.name)
        return process

    async def terminate(self, process: ProcessIdentity) -> None:
        self._prepare(process)
        await super().terminate(process)

    async def kill(self, process: ProcessIdentity, *, home: Path | None = None) -> None:
        self._prepare(process)
        await super().kill(process, home=home)

    async def clear(self, spawn_id: str, lock_path: Path, *, home: Path | None = None) -> None:
        if self.is_stuck:
            self._doomed.append((spawn_id, lock_path))
        await super().clear(spawn_id, lock_path, home=home)
        living = set(self.alive)
        self._profiles = {process: name for process, name in self._profiles.items() if process in living}

    async def get_loose(self) -> None:
        """What was killed and would not end ends."""
        self.is_stuck = False
        for spawn_id, lock_path in self._doomed:
            await self.clear(spawn_id, lock_path)
        self._doomed.clear()

    def _prepare(self, process: ProcessIdentity) -> None:
        if process in self.strangers:
            self.violations.append(f"a signal to a stranger: {process}")
        self.ends_on_terminate = self._rng.choice((ExitStatus(code=0), self.random_status(), None))
        self.ends_on_kill = None if self._rng.random() < 0.1 else ExitStatus(signal=9)
        self.leaves_tree = self._rng.random() < 0.2


class RandomAgent(ScriptedAgent):
    """An agent that is ready at once, later, or never, and whose loop goes round until it is frozen."""

    def __init__(self, rng: random.Random, monotonic_s: Callable[[], float]) -> None:
        super().__init__()
        self._rng = rng
        self._monotonic_s = monotonic_s
        self._ready_at_s: dict[str, tuple[str, float]] = {}
        self._frozen_at_s: dict[str, float] = {}

    def freeze(self, process: ProcessIdentity) -> None:
        """The loop of a process stops for good."""
        self._frozen_at_s.setdefault(process.spawn_id, self._monotonic_s())

    def probe(self, home: Home, process: ProcessIdentity) -> Probe:
        """As drawn at the first question to this start."""
        spawn_id, ready_at_s = self._ready_at_s.get(home.name.text, ("", 0.0))
        if spawn_id != process.spawn_id:
            delay_s = self._rng.choices((0.0, self._rng.uniform(0, LATEST_S), 1e9), (30, 5, 1))[0]
            ready_at_s = self._monotonic_s() + delay_s
            self._ready_at_s[home.name.text] = (process.spawn_id, ready_at_s)
        if self._monotonic_s() < ready_at_s:
            return Probe(Phase.STARTING, "waits")
        beat_s = self._frozen_at_s.get(process.spawn_id, self._monotonic_s())
        return Probe(Phase.READY, beats={"heartbeat": beat_s})


@dataclass
class RandomHouse(House):
    """A house on ports that follow chance."""

    rng: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.chance = RandomBackend(self.rng)
        self.backend = self.chance
        self.agent = self.patient = RandomAgent(self.rng, self.clock.monotonic_s)

    @property
    def ports(self) -> Ports:
        """The fakes, with jitter."""
        return replace(super().ports, roll=self.rng.random)
