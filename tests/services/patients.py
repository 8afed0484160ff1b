"""Agents whose health a test decides.

Owns: how a loop beats and stops beating. Must not know what is made of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from hermesd.domain.process import Probe, ProcessIdentity, Sign
from hermesd.domain.profile import Home
from hermesd.domain.runtime import Launch, Runtime
from tests.fakes.agent import ScriptedAgent
from tests.services.house import House

BEAT_S = 30.0
HEARTBEAT = "heartbeat"


class Patient(ScriptedAgent):
    """An agent whose loop leaves a heartbeat every 30 s, until it stops."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        super().__init__()
        self.usual_channels = ("telegram",)
        self.has_watchdog = False
        """Whether it says by notification when it is ready."""
        self.has_heartbeat = True
        self.own_signs: tuple[Sign, ...] = ()
        self.is_draining = False
        self.is_frozen = False
        """Whether its loop stands still from its last beat on."""
        self.hangs_after_s = math.inf
        """How long after its start each process of it hangs for good."""
        self.looks = 0
        """How often it was asked."""
        self._monotonic_s = monotonic_s
        self._began_s: dict[str, float] = {}
        self._beat_s: dict[str, float] = {}

    def launch(self, runtime: Runtime, home: Home) -> Launch:
        """One that may have a watchdog."""
        return replace(super().launch(runtime, home), has_watchdog=self.has_watchdog)

    def probe(self, home: Home, process: ProcessIdentity) -> Probe:
        """What its files say."""
        self.looks += 1
        now_s, spawn_id = self._monotonic_s(), process.spawn_id
        began_s = self._began_s.setdefault(spawn_id, now_s)
        if not self.is_frozen:
            self._beat_s[spawn_id] = min(now_s // BEAT_S * BEAT_S, began_s + self.hangs_after_s)
        beats = {HEARTBEAT: self._beat_s.get(spawn_id, began_s)} if self.has_heartbeat else {}
        seen = super().probe(home, process)
        return replace(seen, signs=self.own_signs, beats=beats, is_draining=self.is_draining)


@dataclass
class Ward(House):
    """A house whose agent is a patient."""

    def __post_init__(self) -> None:
        self.patient = Patient(self.clock.monotonic_s)
        self.agent = self.patient
