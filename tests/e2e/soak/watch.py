"""One look a second at everything that must hold, whatever people and troubles do.

Owns: the invariants, and for how long each may be broken in calm weather. Must not know what is done.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from hermesctl.client import Client
from hermesctl.client.places import DaemonRecord
from hermesctl.errors import HermesError
from hermesd.adapters import procfs
from hermesd.v1 import gateways_pb2, operations_pb2
from hermesd.v1.gateways_pb2 import Gateway
from hermesd.v1.operations_pb2 import ListOperationsRequest
from tests.e2e.census import Decoy, Member, doubles, members
from tests.e2e.chaos import is_wanted
from tests.e2e.soak.figures import Figures
from tests.e2e.soak.stage import CANARY, FAULTS, Stage, flags_of, token_of
from tests.e2e.soak.weather import Weather

ANSWER_S = 10.0
"""How long an answer may take in calm weather, on a machine of two cores with sixty programs."""
SILENT_S = 120.0
"""How long a bot may be silent in calm weather: its back-off, its turn among all others, and its start."""
REAL_SILENT_S = 300.0
ASTRAY_S = 60.0
"""How long processes, wishes and states may not agree in calm weather."""
STALE_S = 300.0
"""How long an operation may take in calm weather."""

LIVES = frozenset(
    {
        gateways_pb2.GATEWAY_STATE_READY,
        gateways_pb2.GATEWAY_STATE_DEGRADED,
        gateways_pb2.GATEWAY_STATE_DRAINING,
    }
)
STOPPED, FAILED, PARKED = (
    gateways_pb2.GATEWAY_STATE_STOPPED,
    gateways_pb2.GATEWAY_STATE_FAILED,
    gateways_pb2.GATEWAY_STATE_PARKED,
)


ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\dT)", re.MULTILINE)
"""Where an entry of the daemon's log begins."""
MISTAKE = re.compile(r"\S+ +(ERROR|CRITICAL) ")


def gist(entry: str) -> str:
    """What tells one mistake from another: where it was made, and what it was, without names and numbers."""
    places = re.findall(r'File "([^"]+)", line (\d+), in (\w+)', entry)
    own = [f"{path.rpartition('/')[2]}:{number}:{name}" for path, number, name in places if "/hermes" in path]
    lines = [line.strip(" |+-") for line in entry.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    said = re.sub(r"(/[^\s:']+)+|\d+|[a-z0-9]{12}", "…", last)
    return f"{said} at {' '.join(own[-3:])}"


@dataclass
class Patience:
    """For how long, in calm weather, something has been as it should not stay."""

    spent: dict[str, float] = field(default_factory=dict)

    def note(self, found: Iterable[str], step_s: float) -> None:
        """What is so at this look; whatever else was noted before is over."""
        kept = set(found)
        self.spent = {one: self.spent.get(one, 0.0) + step_s for one in kept}

    def over(self, limit_s: float) -> list[str]:
        """What has lasted too long."""
        return [one for one, seconds in self.spent.items() if seconds > limit_s]


@dataclass
class Watch:
    """Looks, and remembers what was wrong."""

    stage: Stage
    weather: Weather
    decoys: Sequence[Decoy]
    figures: Figures = field(default_factory=Figures)
    complaints: Counter[str] = field(default_factory=Counter)
    answers_s: list[float] = field(default_factory=list)
    looks: int = 0
    began_s: float = field(default_factory=time.monotonic)
    _client: Client | None = None
    _record: DaemonRecord | None = None
    _silent: Patience = field(default_factory=Patience)
    _astray: Patience = field(default_factory=Patience)
    _stale: Patience = field(default_factory=Patience)
    _read: dict[Path, int] = field(default_factory=dict)
    _last_s: float = 0.0

    def complain(self, what: str) -> None:
        """Something did not hold; each thing is told once."""
        key = what.partition("\n")[0]
        self.complaints[key] += 1
        if self.complaints[key] == 1:
            self.tell(f"COMPLAINT {self.weather.lasting or ''} {what}")

    def tell(self, line: str) -> None:
        """For whoever reads the log."""
        print(f"{time.monotonic() - self.began_s:7.1f} {line}", flush=True)

    def look(self) -> None:
        """Every invariant, once."""
        self.looks += 1
        now_s = time.monotonic()
        step_s = min(now_s - self._last_s, 5.0) if self._last_s else 0.0
        self._last_s = now_s
        self._check_always()
        gateways = self._ask()
        if gateways is None:
            return
        record = self._record
        if record is not None:
            running = sum(bool(one.process.pid) for one in gateways.values())
            self.figures.look(record.pid, now_s, running)
        calm_s = step_s if self.weather.is_calm else 0.0
        self._check_silence(gateways, calm_s)
        self._check_agreement(gateways, calm_s)
        self._check_operations(calm_s)

    def close(self) -> None:
        """Lets go of the daemon."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _check_always(self) -> None:
        if not all(decoy.is_untouched for decoy in self.decoys):
            self.complain("a stranger was signalled")
        for double in doubles(self.stage.machine):
            self.complain(double)
        self._check_log(self.stage.daemon.places.state / "logs" / "daemon.log")

    def _check_log(self, path: Path) -> None:
        """What was written since the last look."""
        try:
            size = path.stat().st_size
            begin = self._read.get(path, 0) if self._read.get(path, 0) <= size else 0
            with path.open("rb") as file:
                file.seek(begin)
                text = file.read(size - begin).decode(errors="replace")
        except FileNotFoundError:
            return
        self._read[path] = size
        for entry in ENTRY.split(text):
            if CANARY in entry:
                self.complain(f"{path.name} tells a secret: {entry}")
            if "Traceback" in entry or (MISTAKE.match(entry) and self.weather.is_calm):
                self.complain(f"{path.name}: {gist(entry)}\n{entry[:4000]}")

    def _ask(self) -> dict[str, Gateway] | None:
        """Every gateway, or nothing if the daemon cannot be asked; in calm weather it must answer."""
        began_s = time.monotonic()
        try:
            client = self._connected()
            request = gateways_pb2.ListGatewaysRequest()
            limit_s = ANSWER_S if self.weather.is_calm else 5.0
            found = client.gateways.ListGateways(request, timeout=limit_s).gateways
        except (grpc.RpcError, HermesError) as error:
            self.close()
            if self.weather.was_calm(began_s):
                told = error.message if isinstance(error, HermesError) else f"{error.code()} {error.details()}"
                self.complain(f"the daemon does not answer: {told}")
            return None
        if self.weather.was_calm(began_s):
            self.answers_s.append(time.monotonic() - began_s)
        return {one.profile: one for one in found}

    def _connected(self) -> Client:
        record = self.stage.daemon.places.read_record()
        if self._client is None or record != self._record:
            self.close()
            self._client, self._record = Client(record), record
        return self._client

    def _check_silence(self, gateways: dict[str, Gateway], calm_s: float) -> None:
        """A bot that somebody wants is served, unless who serves it is none to rely on."""
        bots: dict[str, list[Gateway]] = {}
        for gateway in gateways.values():
            if is_wanted(gateway):
                bots.setdefault(token_of(self.stage.machine, gateway.profile) or gateway.profile, []).append(
                    gateway
                )
        silent: list[str] = []
        real: list[str] = []
        for wanted in bots.values():
            if any(one.state in LIVES for one in wanted):
                continue
            if any(self.is_excused(one) for one in wanted):
                continue
            told = ", ".join(sorted(one.profile for one in wanted))
            (real if wanted[0].profile in self.stage.reals else silent).append(told)
        self._silent.note(silent + real, calm_s)
        for told in self._silent.over(SILENT_S):
            if told in silent or self._silent.spent[told] > REAL_SILENT_S:
                one = gateways[told.partition(",")[0]]
                self.complain(f"silent: {told}\n{one} {flags_of(self.stage.machine, one.profile)}")

    def is_excused(self, gateway: Gateway) -> bool:
        """Whether nobody can rely on it: it ends or hangs by itself, or waits for a person or a bot."""
        flags = flags_of(self.stage.machine, gateway.profile)
        return (
            gateway.profile == "default"
            or any(flag in flags for flag in FAULTS)
            or gateway.state in (FAILED, PARKED)
        )

    def _check_agreement(self, gateways: dict[str, Gateway], calm_s: float) -> None:
        """Wish, state, processes and locks tell the same story."""
        known = {one.process.spawn_id for one in gateways.values()}
        alive = members(self.stage.machine)
        found = [f"stray process {self._words(one)}" for one in alive if one.process.spawn_id not in known]
        for name, one in gateways.items():
            if is_wanted(one) and one.state == STOPPED:
                found.append(f"{name} is wanted and stopped")
            if not is_wanted(one) and one.state != STOPPED:
                found.append(f"{name} is not wanted and not stopped")
            if not is_wanted(one) and procfs.holders(self.stage.daemon.lock_of(one)):
                found.append(f"{name} is stopped and its lock is held")
        self._astray.note(found, calm_s)
        for told in self._astray.over(ASTRAY_S):
            name = told.partition(" ")[0]
            self.complain(f"{told}\n{gateways.get(name, '')}")

    def _words(self, member: Member) -> str:
        return f"{member.process.pid} {member.profile} {member.process.spawn_id}"

    def _check_operations(self, calm_s: float) -> None:
        """None runs for ever."""
        if self._client is None or self.looks % 5:
            return
        try:
            request = ListOperationsRequest(page_size=1000)
            found = self._client.operations.ListOperations(request, timeout=ANSWER_S).operations
        except grpc.RpcError:
            return
        running = [one for one in found if one.state == operations_pb2.OPERATION_STATE_RUNNING]
        self._stale.note([f"operation {one.id} {one.kind} {one.profile}" for one in running], calm_s * 5)
        for told in self._stale.over(STALE_S):
            self.complain(f"stale: {told}\n{[one for one in running if one.id in told]}")
