"""Many people at once, each doing anything to any profile: what is asked for is done, or refused by name."""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import pytest

from hermesctl.client import Client, explain
from hermesctl.errors import HermesError
from hermesd.adapters import procfs
from hermesd.v1 import gateways_pb2, operations_pb2
from hermesd.v1.gateways_pb2 import GetGatewayRequest, StartGatewayRequest, StopGatewayRequest
from hermesd.v1.operations_pb2 import Operation
from tests.e2e.callers import DEFAULT, Caller, aliases, directories, litter
from tests.e2e.census import doubles, members
from tests.e2e.daemon import Daemon, scripted
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e]

CLIENTS = 8

REFUSALS = frozenset(
    {
        "PROFILE_BUSY",
        "PROFILE_EXISTS",
        "PROFILE_NOT_FOUND",
        "NOT_FOUND",
        "ALIAS_TAKEN",
        "CANCELLED",
    }
)
"""What somebody may be told because somebody else was faster."""


@dataclass
class Ledger:
    """What was done, by the id of its operation, for several may have asked for the same."""

    done: dict[str, Operation] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str) -> int:
        """How often something was done."""
        return sum(one.kind == kind for one in self.done.values())


@dataclass
class Person:
    """One client, and what it does: each time something else, to somebody or other."""

    caller: Caller
    rng: random.Random
    names: list[str]
    ledger: Ledger

    def act(self) -> None:
        """One verb, to its end."""
        verb = self.rng.choice(
            (
                self.create,
                self.rename,
                self.delete,
                self.restore,
                self.empty,
                self.use,
                self.start,
                self.stop,
                self.look,
                self.rename,
                self.delete,
                self.create,
            )
        )
        try:
            operation = verb()
            done = self.caller.done(operation) if operation is not None else None
        except (grpc.RpcError, HermesError) as error:
            failure = error if isinstance(error, HermesError) else explain(error)
            assert failure.reason in REFUSALS, f"{verb.__name__}: {failure.reason} {failure.message}"
            with self.ledger.lock:
                self.ledger.refused[f"{verb.__name__} {failure.reason}"] += 1
            return
        if done is not None:
            with self.ledger.lock:
                self.ledger.done[done.id] = done

    def create(self) -> Operation:
        return self.caller.create(self.name())

    def rename(self) -> Operation:
        return self.caller.rename(self.name(), self.name())

    def delete(self) -> Operation:
        return self.caller.delete(self.name(), purge=self.rng.random() < 0.2)

    def restore(self) -> Operation:
        return self.caller.restore(self.deleted(), self.rng.choice(("", self.name())))

    def empty(self) -> Operation:
        return self.caller.empty(self.deleted())

    def use(self) -> None:
        self.caller.use(self.rng.choice((DEFAULT, self.name())))

    def start(self) -> Operation:
        return self.caller.client.gateways.StartGateway(StartGatewayRequest(profile=self.name()), timeout=60)

    def stop(self) -> Operation:
        return self.caller.client.gateways.StopGateway(StopGatewayRequest(profile=self.name()), timeout=60)

    def look(self) -> None:
        found = self.caller.profiles()
        assert len({one.id for one in found.values()}) == len(found)
        self.caller.trash()
        self.caller.show(self.name())
        self.caller.client.gateways.GetGateway(GetGatewayRequest(profile=self.name()))

    def name(self) -> str:
        return self.rng.choice(self.names)

    def deleted(self) -> str:
        """The entry that anybody would take next, so that several do."""
        return next(iter(self.caller.trash()), "nothing")


@pytest.fixture
def daemon(stage: Daemon) -> Daemon:
    """A daemon that is not started yet, of whom nothing is left afterwards."""
    return stage


def settled(daemon: Daemon) -> bool:
    """Whether every gateway is as it is wished."""
    return all(
        (one.state == gateways_pb2.GATEWAY_STATE_READY) == (one.wish == gateways_pb2.WISH_UP)
        for one in daemon.gateways().values()
    )


def check(daemon: Daemon, marks: Mapping[str, str], ledger: Ledger) -> None:
    """Tree, store, aliases, trash and processes agree with each other and with what was done."""
    machine, caller = daemon.machine, Caller(daemon.client)
    wait_until(lambda: settled(daemon), "gateways to be as wished")
    profiles, trash = caller.profiles(), caller.trash()
    assert directories(machine).keys() == profiles.keys()
    assert litter(machine) == []
    assert all(one.state != operations_pb2.OPERATION_STATE_RUNNING for one in caller.operations())

    ids = [one.id for one in profiles.values()] + [one.profile_id for one in trash.values()]
    assert len(set(ids)) == len(ids)
    made = ledger.count("profile.create") + ledger.count("trash.restore")
    assert len(profiles) == len(marks) + made - ledger.count("profile.delete")

    places = [
        *directories(machine).values(),
        *(machine.root / "profiles" / ".hermesd" / "trash").glob("*-*[a-z0-9]"),
    ]
    found = Counter(path.read_text() for place in places for path in place.glob("mark"))
    assert found.keys() <= set(marks.values())
    assert max(found.values(), default=1) == 1
    for name, profile in profiles.items():
        mark = directories(machine)[name] / "mark"
        assert not mark.exists() or marks.get(profile.id) == mark.read_text()
        assert mark.exists() or profile.id not in marks

    assert set(aliases(machine).values()) <= profiles.keys()
    sticky = machine.root / "active_profile"
    assert not sticky.exists() or sticky.read_text().strip() in profiles
    wanted = {name for name, one in profiles.items() if one.gateway.wish == gateways_pb2.WISH_UP}
    wait_until(lambda: {one.profile for one in members(machine)} == wanted, "those wanted to live alone")
    assert doubles(machine) == []
    for lock in (daemon.places.state / "locks").glob("*.lock"):
        assert lock.stem in {one.id for one in profiles.values()} or procfs.holders(lock) == []


@pytest.mark.parametrize(
    ("profiles", "verbs"),
    [
        pytest.param(8, 64, marks=pytest.mark.ci),
        pytest.param(20, 200, marks=pytest.mark.full),
        pytest.param(5, 800, marks=pytest.mark.full),
    ],
)
def test_whatever_eight_people_do_at_once_is_done_or_refused(
    daemon: Daemon, rng: random.Random, profiles: int, verbs: int
) -> None:
    """Each profile exactly once, no half thing, no stray process, no id twice; also for the next daemon."""
    names = [f"bot{number:02}" for number in range(profiles + 4)]
    daemon.make_homes(*names[:profiles])
    for name in names[:profiles]:
        (daemon.machine.root / "profiles" / name / "mark").write_text(f"{name} of old")
    daemon.write_settings(dict.fromkeys(names, scripted()))
    daemon.start()
    marks = {one.id: f"{name} of old" for name, one in Caller(daemon.client).profiles().items()}
    ledger = Ledger()
    seeds = [rng.random() for _ in range(CLIENTS)]

    def live(seed: float) -> None:
        with Client(daemon.places.read_record()) as client:
            person = Person(Caller(client), random.Random(seed), names, ledger)
            for _ in range(verbs // CLIENTS):
                person.act()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(live, seeds))
    print(ledger.refused, Counter(one.kind for one in ledger.done.values()))
    check(daemon, marks, ledger)
    before = Caller(daemon.client).profiles()
    daemon.kill_and_start()
    check(daemon, marks, ledger)
    assert {name: one.id for name, one in Caller(daemon.client).profiles().items()} == {
        name: one.id for name, one in before.items()
    }
