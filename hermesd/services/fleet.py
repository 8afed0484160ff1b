"""Many gateways at once: one operation, a result for each.

Owns: which gateways are meant, how many are changed at the same time, and what is left to do when a daemon takes
up what another one began. Each gateway is changed by the very operation that a person who names it alone would
begin, so that whoever asks for the same joins. Must not know how a gateway is started or stopped.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from hermesd.domain.errors import Cancelled, HermesError
from hermesd.domain.fleet import Chosen, Verb, choose, is_pattern, skipped
from hermesd.domain.gateway import State
from hermesd.domain.operation import Operation, OperationError, OperationState, TargetResult
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord
from hermesd.domain.settings import Settings
from hermesd.services.gateways import Gateways
from hermesd.services.gatewayviews import GatewayViews
from hermesd.services.homes import KnownHomes
from hermesd.services.operations import Job, Operations, Request, Resume, Resumption, Work
from hermesd.services.runtimes import Runtimes

ENDING = frozenset({State.STOPPING.value, State.KILLING.value})
"""Phases of a restart before its gateway is down."""


@dataclass(frozen=True)
class FleetOrder:
    """What is asked for."""

    verb: Verb
    words: tuple[str, ...] = ()
    """Names and patterns."""
    is_all: bool = False
    excluded: tuple[str, ...] = ()
    """Names and patterns of what is left out."""
    at_once: int = 0
    """How many are changed at the same time; 0 for as many as may start at once."""


@dataclass(frozen=True)
class Plan:
    """What is to be done to which gateways."""

    verb: Verb
    chosen: Chosen
    at_once: int

    @property
    def kind(self) -> str:
        """Of the operation."""
        return f"gateways.{self.verb}"

    @property
    def parameters(self) -> str:
        """In a form that is equal for identical plans."""
        named, matched = ([name.text for name in names] for names in (self.chosen.named, self.chosen.matched))
        return json.dumps({"named": named, "matched": matched, "at_once": self.at_once})

    @classmethod
    def of(cls, operation: Operation) -> "Plan":
        """The plan that an operation carries out."""
        kept = json.loads(operation.parameters)
        named, matched = (tuple(map(ProfileName, kept[key])) for key in ("named", "matched"))
        return cls(Verb(operation.kind.partition(".")[2]), Chosen(named, matched), kept["at_once"])


class Fleet:
    """Changes many gateways."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        gateways: Gateways,
        views: GatewayViews,
    ) -> None:
        self._ports = ports
        self._at_once = settings.policy.starts_at_once
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._gateways = gateways
        self._views = views

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        return {f"gateways.{verb}": self._resume for verb in Verb}

    async def change(self, order: FleetOrder, requester: str) -> Operation:
        """Does a verb to many gateways, a few at a time; what became of each is a result of the operation.

        Raises:
            ArgumentInvalid: nobody is meant.
            ProfileNameInvalid, ProfileNotFound: a name is nobody's, or a pattern fits nobody; nothing is done.
        """
        plan = Plan(order.verb, await self._chosen(order), order.at_once or self._at_once)
        request = Request(plan.kind, parameters=plan.parameters)
        return await self._operations.start(request, requester, self._changing(plan, is_resumed=False))

    def _resume(self, operation: Operation) -> Resumption | None:
        return Resumption(self._changing(Plan.of(operation), is_resumed=True))

    async def _chosen(self, order: FleetOrder) -> Chosen:
        known = [one.home.name for one in await self._homes.scan()]
        return choose(
            await self._names(order.words, known),
            [word for word in order.words if is_pattern(word)],
            await self._names(order.excluded, known),
            [word for word in order.excluded if is_pattern(word)],
            known=known,
            is_all=order.is_all,
        )

    async def _names(self, words: Sequence[str], known: Sequence[ProfileName]) -> list[ProfileName]:
        names = [ProfileName.parse(word) for word in words if not is_pattern(word)]
        for name in set(names).difference(known):
            await self._homes.get(name)  # which says what became of it
        return names

    def _changing(self, plan: Plan, *, is_resumed: bool) -> Work:
        async def work(job: Job) -> None:
            settled = {result.profile for result in job.operation.results}
            left = deque(name for name in await self._in_order(plan) if name.text not in settled)
            total = len(settled) + len(left)
            busy: list[str] = []

            def report() -> None:
                job.report(plan.verb, ", ".join(busy), done=len(job.operation.results), total=total)

            async def some() -> None:
                while left and not job.is_cancelled:
                    name = left.popleft()
                    busy.append(name.text)
                    report()
                    result = await self._result(name, plan, job, is_resumed=is_resumed)
                    busy.remove(name.text)
                    job.settle(result)
                    report()
                    await self._operations.keep(job)

            async with asyncio.TaskGroup() as group:
                for _ in range(min(plan.at_once, len(left))):
                    group.create_task(some())
            if left:
                raise Cancelled(f"{len(left)} of {total} gateways were left as they were")

        return work

    async def _in_order(self, plan: Plan) -> list[ProfileName]:
        """Everybody who is meant, in the order in which a daemon would start them."""
        order = {view.name: view.record.start_order for view in await self._views.all()}
        return sorted((*plan.chosen.named, *plan.chosen.matched), key=lambda name: (order.get(name, 0), name.text))

    async def _result(self, name: ProfileName, plan: Plan, job: Job, *, is_resumed: bool) -> TargetResult:
        try:
            view = await self._views.get(name)
            if name in plan.chosen.matched:
                has_channel = await self._has_channel(name)
                is_foreign = view.foreign_pid is not None
                why = skipped(plan.verb, view.record, is_foreign=is_foreign, has_channel=has_channel)
                if why:
                    return TargetResult(name.text, why, is_skipped=True)
            since_s = job.operation.started_at_s if is_resumed else None
            return await self._done(name, _still_due(plan.verb, view.record, since_s), view.record, job)
        except HermesError as error:
            return TargetResult(name.text, error=OperationError(error.reason, error.message, error.metadata))

    async def _done(self, name: ProfileName, verb: Verb, before: GatewayRecord, job: Job) -> TargetResult:
        """Does the verb to one gateway as a person who names it alone would, and follows that."""
        clock = self._ports.clock
        began_s = clock.monotonic_s()
        down_s: float | None = None
        current = await self._begin(name, verb, job.operation.requester)
        async with aclosing(self._operations.watch(current.id)) as states:
            async for current in states:
                if down_s is None and current.progress.phase and current.progress.phase not in ENDING:
                    down_s = clock.monotonic_s() - began_s
        for warning in current.warnings:
            job.warn(f"{name}: {warning}")
        if current.state is not OperationState.SUCCEEDED:
            return TargetResult(name.text, error=current.error)
        return TargetResult(name.text, _told(verb, before, clock.monotonic_s() - began_s, down_s or 0.0))

    def _begin(self, name: ProfileName, verb: Verb, requester: str) -> Coroutine[Any, Any, Operation]:
        verbs: Mapping[Verb, Callable[[ProfileName, str], Coroutine[Any, Any, Operation]]] = {
            Verb.START: self._gateways.start,
            Verb.STOP: self._gateways.stop,
            Verb.RESTART: self._gateways.restart,
            Verb.DRAIN: partial(self._gateways.drain, is_wanted=True),
            Verb.UNDRAIN: partial(self._gateways.drain, is_wanted=False),
        }
        return verbs[verb](name, requester)

    async def _has_channel(self, name: ProfileName) -> bool:
        known = await self._homes.get(name)
        facts = await asyncio.to_thread(self._runtimes.agent_of(name).facts, known.home)
        return bool(facts.channels)


def _still_due(verb: Verb, record: GatewayRecord, since_s: float | None) -> Verb:
    """What is left of a verb that was begun `since_s`, by a daemon that died; `None` if it is begun now.

    Whoever was started since then is new, and whoever is being ended to be started again is about to be.
    """
    if verb is not Verb.RESTART or since_s is None or not record.gateway.wanted_up:
        return verb
    is_new = any(at_s >= since_s for at_s in record.starts_s)
    return Verb.START if is_new or record.gateway.state in (State.STOPPING, State.KILLING) else verb


def _told(verb: Verb, before: GatewayRecord, took_s: float, down_s: float) -> str:
    """What was done, in a short phrase."""
    state = before.gateway.state
    match verb:
        case Verb.START:
            return "already ready" if state is State.RUNNING else f"ready in {took_s:.1f} s"
        case Verb.STOP:
            return "already stopped" if state is State.STOPPED else f"stopped in {took_s:.1f} s"
        case Verb.RESTART if before.process is not None:
            return f"ready, stopped in {down_s:.1f} s, started in {took_s - down_s:.1f} s"
        case Verb.RESTART:
            return f"ready in {took_s:.1f} s"
        case Verb.DRAIN:
            return "draining"
        case Verb.UNDRAIN:  # pragma: no branch - there is no other verb
            return "takes turns"
