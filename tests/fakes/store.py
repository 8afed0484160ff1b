"""The store in memory.

Owns: the same facts as the database, for as long as a test runs. Must not know SQL.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count

from hermesd.domain.operation import Happening, Operation, is_one_of
from hermesd.domain.ports import EVENTS_KEPT, OPERATIONS_KEPT
from hermesd.domain.record import Binding, GatewayRecord
from hermesd.domain.runtime import Runtime
from tests.fakes.faults import Faults


class MemoryStore:
    """A store (port `Store`) that forgets when it is dropped."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._bindings: dict[str, Binding] = {}
        self._gateways: dict[str, GatewayRecord] = {}
        self._operations: dict[str, Operation] = {}
        self._events: list[Happening] = []
        self._tokens = count(1)
        self._runtimes: dict[str, Runtime] = {}
        self._current_runtime = ""
        self._token_starts: dict[str, tuple[float, ...]] = {}

    async def bindings(self) -> list[Binding]:
        self.faults.trip("bindings")
        return list(self._bindings.values())

    async def bind(self, binding: Binding) -> None:
        self.faults.trip("bind")
        for other in list(self._bindings.values()):
            if other.name == binding.name:
                self._bindings[other.id] = replace(other, name="")
        self._bindings[binding.id] = binding

    async def forget_profile(self, profile_id: str) -> None:
        self.faults.trip("forget_profile")
        self._bindings.pop(profile_id, None)
        self._gateways.pop(profile_id, None)

    async def gateways(self) -> list[GatewayRecord]:
        self.faults.trip("gateways")
        return list(self._gateways.values())

    async def save_gateway(self, record: GatewayRecord) -> None:
        self.faults.trip("save_gateway")
        self._gateways[record.profile_id] = record

    async def operations(self, *, profile: str, limit: int) -> list[Operation]:
        self.faults.trip("operations")
        found = [one for one in reversed(self._operations.values()) if profile in ("", one.profile)]
        return found[:limit]

    async def save_operation(self, operation: Operation) -> None:
        self.faults.trip("save_operation")
        self._operations[operation.id] = operation
        for oldest in list(self._operations)[:-OPERATIONS_KEPT]:
            del self._operations[oldest]

    async def append_event(
        self, *, kind: str, profile: str, message: str, facts: Mapping[str, str], at_s: float
    ) -> Happening:
        self.faults.trip("append_event")
        happening = Happening(next(self._tokens), kind, profile, message, dict(facts), at_s)
        self._events.append(happening)
        del self._events[:-EVENTS_KEPT]
        return happening

    async def events(
        self,
        *,
        after: int,
        profile: str,
        limit: int,
        kinds: Collection[str] = (),
        since_s: float | None = None,
        until_s: float | None = None,
        before: int | None = None,
    ) -> list[Happening]:
        self.faults.trip("events")
        found = [
            one
            for one in self._events
            if one.token > after
            and (before is None or one.token < before)
            and profile in ("", one.profile)
            and is_one_of(one.kind, kinds)
            and (since_s is None or one.at_s >= since_s)
            and (until_s is None or one.at_s < until_s)
        ]
        return found[max(len(found) - limit, 0) :]

    async def event_tokens(self) -> range:
        self.faults.trip("event_tokens")
        return range(self._events[0].token, self._events[-1].token + 1) if self._events else range(1, 1)

    async def registered_runtimes(self) -> list[Runtime]:
        self.faults.trip("registered_runtimes")
        return list(self._runtimes.values())

    async def register_runtime(self, runtime: Runtime) -> None:
        self.faults.trip("register_runtime")
        self._runtimes[runtime.name] = runtime

    async def token_starts(self) -> dict[str, tuple[float, ...]]:
        self.faults.trip("token_starts")
        return dict(self._token_starts)

    async def save_token_starts(self, starts_s: Mapping[str, Sequence[float]]) -> None:
        self.faults.trip("save_token_starts")
        written = self._token_starts | {key: tuple(some) for key, some in starts_s.items()}
        self._token_starts = {key: some for key, some in written.items() if some}

    async def current_runtime(self) -> str:
        self.faults.trip("current_runtime")
        return self._current_runtime

    async def use_runtime(self, name: str) -> None:
        self.faults.trip("use_runtime")
        self._current_runtime = name
