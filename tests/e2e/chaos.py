"""Chaos: commands, and kill -9 of daemon and gateways, at random moments; then what must hold whatever happened.

Owns: one round at a time, what was acknowledged, and the invariants. Must not know what kind of agent the gateways
are: whoever makes a chaos says how each of them may behave.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import psutil
import pytest

from hermesd.adapters import procfs
from hermesd.adapters.store import SqliteStore
from hermesd.domain.process import ProcessIdentity
from hermesd.v1 import gateways_pb2
from hermesd.v1.gateways_pb2 import Gateway, GatewayProcess
from tests.e2e.census import Decoy, Member, doubles, end_all, members
from tests.e2e.daemon import HURRIED, Daemon, scripted
from tests.waiting import POLL_S

VERBS = ("start", "start", "stop", "restart")
WISHED = {"start": True, "restart": True, "stop": False}

REFUSED = frozenset({grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED})
"""Answers that say that nothing was changed."""

UP = frozenset(
    {
        gateways_pb2.GATEWAY_STATE_STARTING,
        gateways_pb2.GATEWAY_STATE_READY,
        gateways_pb2.GATEWAY_STATE_DEGRADED,
        gateways_pb2.GATEWAY_STATE_BACKOFF,
        gateways_pb2.GATEWAY_STATE_FAILED,
    }
)
"""States in which a wanted gateway may be left alone: it runs, has a timer, or waits for a person."""

Draw = Callable[[random.Random], Sequence[str]]
"""Draws the flags of a scripted gateway."""

LEFT_TREES: Sequence[list[str]] = (
    [],
    [],
    ["--daemon"],
    ["--daemon", "--daemon-ignores-term"],
    ["--daemon", "--daemon-clears-environment"],
)


def scripted_behaviour(rng: random.Random) -> Sequence[str]:
    """Flags of a scripted gateway that may do anything a gateway can do to a supervisor."""
    flags: list[str] = []
    end = rng.choice(("", "", "code", "signal"))
    if end:
        flags += ["--exit-after", f"{rng.choice((0.0, 0.05, rng.uniform(0, 3))):.3f}"]
    if end == "code":
        flags += ["--code", str(rng.choice((0, 1, 2, 75, 75, 78, 130, 255)))]
    if end == "signal":
        flags += ["--die-by", str(rng.choice((6, 9, 11, 15)))]
    flags += rng.choice(([], [], ["--ignore-term"], ["--term-code", str(rng.choice((0, 1, 75, 78)))]))
    flags += rng.choice(LEFT_TREES)
    flags += rng.choice(([], [], [], ["--clear-environment"]))
    return flags


@dataclass
class Chaos:
    """A fleet under fire. `prepare` it, play `round`s, and `close` it whatever happened."""

    daemon: Daemon
    rng: random.Random
    behaviours: Mapping[str, Draw | None]
    """How the gateway of each profile under fire draws its flags; `None` is the real agent."""
    bystander: str = ""
    """A profile that is up from the start and that nobody touches: its pid never changes."""
    decoys: Sequence[Decoy] = ()
    policy: Mapping[str, float] = field(default_factory=lambda: HURRIED)
    patience_s: float = 30.0
    """How long everything may take to be as it should."""
    wishes: dict[str, set[bool]] = field(default_factory=dict)
    """What may be wanted, by profile: one value once it is known."""
    _untouched: GatewayProcess = field(default_factory=GatewayProcess)
    _untouched_id: str = ""

    def prepare(self) -> None:
        """Starts the daemon and the bystander."""
        self._draw_settings()
        self.daemon.start()
        gateways = self.daemon.gateways()
        self.wishes = {name: {is_wanted(gateways[name])} for name in self.behaviours}
        if self.bystander:
            gateway = self.daemon.do("start", self.bystander)
            self._untouched, self._untouched_id = gateway.process, profile_id(gateway)
            self.wishes[self.bystander] = {True}

    def round(self, number: int) -> None:
        """Commands and deaths at once, then a daemon that makes it all good."""
        self._tell(f"round {number}")
        names = self.rng.sample(sorted(self.behaviours), self.rng.randint(0, len(self.behaviours)))
        plans = [(name, [self.rng.choice(VERBS) for _ in range(self.rng.randint(1, 2))]) for name in names]
        with ThreadPoolExecutor(max_workers=len(self.behaviours) + 1) as pool:
            working = [pool.submit(self._command, name, verbs) for name, verbs in plans]
            time.sleep(self.rng.choice((0.0, self.rng.uniform(0, 0.1), self.rng.uniform(0, 1.0))))
            self._strike()
            for work in working:
                work.result()
        if self.daemon.process is None:
            if self.decoys and self.rng.random() < 0.3:
                self._recycle_pids()
            self._draw_settings()
            self.daemon.start()
        self.check()

    def check(self) -> None:
        """Every invariant: some at every moment, the others after a while."""
        self._check_wishes()
        end_s = time.monotonic() + self.patience_s
        while complaints := self._complaints():
            if time.monotonic() > end_s:
                self._fail("\n".join(complaints))
            time.sleep(POLL_S * 5)
        self._check_always()

    def close(self) -> None:
        """Ends daemon and gateways; returns when nothing of them is left."""
        locks = list((self.daemon.places.state / "locks").glob("*.lock"))
        if self.daemon.process is not None:
            self.daemon.kill()
        end_all(self.daemon.machine, locks)

    def _command(self, name: str, verbs: Sequence[str]) -> None:
        """Asks for one thing after the other. Without an answer, the wish may be the old or the new one."""
        for verb in verbs:
            wished = WISHED[verb]
            before = set(self.wishes[name])
            self.wishes[name] = before | {wished}
            try:
                self.daemon.call(verb, name)
            except grpc.RpcError as error:
                code = error.code()
                self._tell(f"  {verb} {name}: {code.name}")
                if code in REFUSED:
                    self.wishes[name] = before
            else:
                self._tell(f"  {verb} {name}: acknowledged")
                self.wishes[name] = {wished}

    def _strike(self) -> None:
        """Kills the daemon, processes of gateways, both or nobody."""
        fate = self.rng.choice(("daemon", "daemon", "gateways", "both", "both", "term", "nobody"))
        self._tell(f"  strikes {fate}")
        if fate in ("gateways", "both"):
            for member in self._victims():
                self._tell(f"  kills {member.process.pid} of {member.profile}")
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(member.process.pid).kill()
        if fate in ("daemon", "both"):
            self.daemon.kill()
        if fate == "term":
            self.daemon.end()

    def _victims(self) -> list[Member]:
        """Some processes of the trees under fire, the main one or any other."""
        found = [member for member in members(self.daemon.machine) if member.profile in self.behaviours]
        return self.rng.sample(found, self.rng.randint(min(1, len(found)), len(found)))

    def _draw_settings(self) -> None:
        """Has each profile run another program from its next start on."""
        drawn = {name: draw(self.rng) for name, draw in self.behaviours.items() if draw is not None}
        if self.bystander:
            drawn[self.bystander] = []
        commands = {name: scripted(*flags) for name, flags in drawn.items()}
        self.daemon.write_settings(commands, self.policy)

    def _recycle_pids(self) -> None:
        """Some recorded processes end, and their pids come to belong to strangers."""
        asyncio.run(self._forge())

    async def _forge(self) -> None:
        store = await SqliteStore.open(self.daemon.places.state / "store.db")
        for record in await store.gateways():
            process = record.process
            if process is None or record.profile_id == self._untouched_id or self.rng.random() < 0.3:
                continue
            if procfs.is_alive(process):
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(process.pid).kill()
            stranger = self.rng.choice(self.decoys).identity
            self._tell(f"  pid {process.pid} becomes that of {stranger.pid}")
            await store.save_gateway(replace(record, process=self._recycled(process, stranger)))
        await store.close()

    def _recycled(self, process: ProcessIdentity, stranger: ProcessIdentity) -> ProcessIdentity:
        """A record whose pid a stranger has now: in this boot, or by chance after another one."""
        if self.rng.random() < 0.5:
            return replace(process, pid=stranger.pid)
        return replace(process, pid=stranger.pid, start_ticks=stranger.start_ticks, boot_id="an earlier boot")

    def _check_wishes(self) -> None:
        """No acknowledged wish is lost; from now on every wish is known."""
        for name, gateway in self.daemon.gateways().items():
            if name in self.wishes:
                if is_wanted(gateway) not in self.wishes[name]:
                    self._fail(f"the wish of {name} was lost: {gateway}")
                self.wishes[name] = {is_wanted(gateway)}

    def _check_always(self) -> None:
        """What holds at every moment."""
        if not all(decoy.is_untouched for decoy in self.decoys):
            self._fail("a stranger was signalled")
        if found := doubles(self.daemon.machine):
            self._fail("\n".join(found))
        if self.bystander and self.daemon.gateway(self.bystander).process != self._untouched:
            self._fail(f"{self.bystander} was touched: {self.daemon.gateway(self.bystander)}")

    def _complaints(self) -> list[str]:
        """What is not as it should be yet."""
        self._check_always()
        gateways = self.daemon.gateways()
        alive = members(self.daemon.machine)
        return [
            f"{name}: {complaint}"
            for name in self.wishes
            for complaint in self._complaints_about(gateways[name], [m for m in alive if m.profile == name])
        ]

    def _complaints_about(self, gateway: Gateway, tree: Sequence[Member]) -> list[str]:
        found = []
        if orphans := [member for member in tree if member.process.spawn_id != gateway.process.spawn_id]:
            found.append(f"orphans {orphans} beside {gateway}")
        if is_wanted(gateway) and gateway.state not in UP:
            found.append(f"wanted and neglected {gateway}")
        if not is_wanted(gateway) and gateway.state != gateways_pb2.GATEWAY_STATE_STOPPED:
            found.append(f"not wanted and not stopped {gateway}")
        if not is_wanted(gateway) and (tree or procfs.holders(self.daemon.lock_of(gateway))):
            found.append(f"stopped and alive {tree} {gateway}")
        return found

    def _fail(self, why: str) -> None:
        pytest.fail(f"{why}\n{self.daemon.output()}", pytrace=False)

    def _tell(self, line: str) -> None:
        """Shown if the test fails."""
        print(f"{time.monotonic():.3f} {line}")


def is_wanted(gateway: Gateway) -> bool:
    """Whether its wish is up."""
    return gateway.wish == gateways_pb2.WISH_UP


def profile_id(gateway: Gateway) -> str:
    """The stable id of its profile, after which its log is named."""
    return Path(gateway.log_path).stem
