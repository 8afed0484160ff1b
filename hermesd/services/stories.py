"""What is told of one gateway: steps, ends and whatever else people should know.

Owns: the events of a gateway, in which words a step is told, and who asked for it. Must not know why a step was
made, and never keeps it from going on: what cannot be recorded is in the log all the same.
"""

import asyncio
import logging
from collections.abc import Mapping

from hermesd.domain.errors import HermesError
from hermesd.domain.gateway import State
from hermesd.domain.operation import Happening
from hermesd.domain.process import ExitCause, ExitStatus, LastExit
from hermesd.domain.record import GatewayRecord
from hermesd.services.events import Events
from hermesd.services.facts import Fact
from hermesd.services.ledgers import Ledger

log = logging.getLogger(__name__)

EXITED = "gateway.exited"
"""Kind of the event that tells one end of a gateway's process."""

SHOWN = {State.RUNNING: "ready"}
"""States that people know by another word."""

SETTLED = frozenset({State.STOPPED, State.RUNNING, State.BACKOFF, State.PARKED, State.FAILED})
"""States in which a command has come to its end: what happens next, nobody asked for."""


class Story:
    """Tells what becomes of one gateway."""

    def __init__(self, events: Events, ledger: Ledger) -> None:
        self._events = events
        self._ledger = ledger
        self._asked: Mapping[str, str] = {}
        """Who asked for what happens, until it has happened."""

    async def step(self, fact: Fact, before: State, record: GatewayRecord) -> None:
        """Tells the step that a fact led to, from state `before`, and the end of a process if it was one."""
        state = record.gateway.state
        asked = self._asked = fact.asked or self._asked
        if state in SETTLED:
            self._asked = {}
        told = [] if fact.last_exit is None else [self.end(fact.last_exit, asked)]
        if state is not before:
            pid = record.process.pid if record.process else 0
            log.info(
                "profile=%s from=%s to=%s event=%s pid=%d spawn=%s",
                self._ledger.home.name, before, state, fact.event, pid, record.spawn_id,
            )  # fmt: skip
            facts = {"from": before.value, "to": state.value, "event": fact.event.value}
            told.append(self.record(f"gateway.{SHOWN.get(state, state)}", **facts, **asked))
        await asyncio.gather(*told)

    async def end(self, end: LastExit, asked: Mapping[str, str] | None = None) -> None:
        """Tells how a process ended, and who asked for that."""
        facts = {"cause": end.cause.value, "detail": end.detail}
        if end.status.code is not None:
            facts["code"] = str(end.status.code)
        if end.status.signal is not None:
            facts["signal"] = str(end.status.signal)
        await self.record(EXITED, **facts, **(asked or {}))

    async def record(self, kind: str, **facts: str) -> None:
        """Tells an event of this kind. Never raises for a store that cannot be written."""
        name = self._ledger.home.name.text
        why = ", ".join(part for part in (facts.get("cause", "").replace("_", " "), facts.get("detail")) if part)
        message = f"gateway of {name}: {kind.split('.')[1]}" + (f" ({why})" if why else "")
        try:
            await self._events.record(kind, message, profile=name, **facts)
        except HermesError as error:
            log.error("profile=%s event %s not recorded: %s", name, kind, error.message)


def end_of(event: Happening) -> LastExit:
    """The end that an event of kind `EXITED` tells."""
    facts = event.facts
    code, number = facts.get("code"), facts.get("signal")
    status = ExitStatus(int(code) if code else None, int(number) if number else None)
    return LastExit(ExitCause(facts["cause"]), status, facts["detail"], event.at_s)
