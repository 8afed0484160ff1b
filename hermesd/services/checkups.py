"""What is made of the looks at a running gateway, and who is told.

Owns: what is known of each process while somebody keeps it, where its beats come from, and the events that tell a
change of condition. Must not know when is looked, or how a gateway is restarted.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from hermesd.domain.agent import Agent
from hermesd.domain.errors import HermesError
from hermesd.domain.health import Condition, Health, Look, assess
from hermesd.domain.policy import Policy
from hermesd.domain.ports import Ports
from hermesd.domain.process import Probe, ProcessIdentity
from hermesd.domain.profile import Home
from hermesd.services.events import Events
from hermesd.services.hearing import Hearing, Words
from hermesd.services.readiness import Start

log = logging.getLogger(__name__)

KINDS = {f"gateway.{condition}": condition for condition in Condition}
"""Kinds of the events that tell a change of condition."""

RECALLED = 50
"""Events of a profile among which the last such change is looked for."""


@dataclass
class Vitals:
    """What is known of how one process is doing. In memory only: the next daemon looks for itself."""

    process: ProcessIdentity
    words: Words
    health: Health = field(default_factory=Health)
    told: Condition = Condition.WELL
    """What people were last told."""

    @property
    def is_known(self) -> bool:
        """Whether it was ever looked at."""
        return self.health.looked_at_s is not None


class Checkups:
    """Judges and tells."""

    def __init__(self, ports: Ports, policy: Policy, events: Events) -> None:
        self._clock = ports.clock
        self._policy = policy
        self._events = events
        self._store = ports.store
        self._hearing = Hearing(ports)

    def open(self) -> None:
        """Begins to listen to what processes say."""
        self._hearing.open()

    def close(self) -> None:
        """Ends that."""
        self._hearing.close()

    def begin(self, process: ProcessIdentity) -> Vitals:
        """Takes a process into care, for as long as somebody holds on to the answer."""
        return Vitals(process, self._hearing.attend(process))

    async def until_ready(
        self, vitals: Vitals, agent: Agent, home: Home, show: Callable[[Probe], None], *, has_watchdog: bool
    ) -> None:
        """Returns once a start is done; what was seen then is the first look. See `Start.until_ready`."""
        start = Start(self._clock, self._policy, vitals.process, vitals.words, has_watchdog=has_watchdog)
        probe = await start.until_ready(agent, home, show)
        self.judge(vitals, probe, self._clock.monotonic_s())

    def judge(self, vitals: Vitals, probe: Probe, at_s: float) -> None:
        """Makes of a look, at `at_s` by the monotonic clock, what is known from now on."""
        look = Look(at_s, probe, {**probe.beats, **vitals.words.beats})
        vitals.health = assess(vitals.health, look, self._policy)

    async def recall(self, home: Home, vitals: Vitals, since_s: float) -> None:
        """Remembers what an earlier daemon last told of a process that has been up since then, so that it is told
        once. What cannot be read is told again."""
        try:
            events = await self._store.events(after=0, profile=home.name.text, limit=RECALLED)
        except HermesError as error:
            log.warning("profile=%s history not read: %s", home.name, error.message)
            return
        told = [KINDS[event.kind] for event in events if event.kind in KINDS and event.at_s >= since_s]
        vitals.told = told[-1] if told else vitals.told

    async def tell(self, home: Home, vitals: Vitals) -> None:
        """Tells a change of condition, once; nothing while it stays as it is.

        What cannot be recorded is in the log all the same, and keeps nobody from acting on it.
        """
        before, health, process = vitals.told, vitals.health, vitals.process
        if health.condition is before:
            return
        vitals.told = health.condition
        log.warning(
            "profile=%s health from=%s to=%s detail=%r pid=%d spawn=%s",
            home.name, before, health.condition, health.detail, process.pid, process.spawn_id,
        )  # fmt: skip
        name, condition = home.name.text, health.condition.value
        facts = {"from": before.value, "to": condition, "detail": health.detail}
        message = f"gateway of {name}: {': '.join(part for part in (condition, health.detail) if part)}"
        try:
            await self._events.record(f"gateway.{condition}", message, profile=name, **facts)
        except HermesError as error:
            log.error("profile=%s event gateway.%s not recorded: %s", name, condition, error.message)
