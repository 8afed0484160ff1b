"""For as long as one lets it: everything happens to a fleet, and all invariants hold each second."""

import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.v1 import operations_pb2, terminals_pb2
from tests.e2e.callers import Caller, aliases, directories, litter
from tests.e2e.census import Decoy, end_all, members
from tests.e2e.chaos import is_wanted
from tests.e2e.daemon import Daemon
from tests.e2e.house import Machine
from tests.e2e.soak.figures import MEBI, Tolerance
from tests.e2e.soak.people import Journal, Person
from tests.e2e.soak.stage import CANARY, Stage, disk
from tests.e2e.soak.troubles import Troubles
from tests.e2e.soak.watch import LIVES, Watch
from tests.e2e.soak.weather import Weather
from tests.fakes.model import ModelServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.e2e]

MINUTES = float(os.environ.get("HERMESD_SOAK_MINUTES", "60"))
GATEWAYS = int(os.environ.get("HERMESD_SOAK_GATEWAYS", "50"))
PEOPLE = int(os.environ.get("HERMESD_SOAK_PEOPLE", "3"))
HAS_REAL = os.environ.get("HERMESD_SOAK_REAL", "1") != "0"

LONG_SHARE = float(os.environ.get("HERMESD_SOAK_LONG_SHARE", "0.75"))
"""Of each third: how long the daemon lives on through all other troubles; then it dies again and again."""
SETTLE_S = 240.0


@pytest.fixture
def stage(tmp_path: Path, rng: random.Random, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A machine of its own, on a disk of its own where that can be; nothing is left of it."""
    real = request.getfixturevalue("runtimes")["0.19.0"] if HAS_REAL else None
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with disk(home) as is_mounted:
        daemon = Daemon(Machine(home))
        yield Stage(daemon, rng, real, GATEWAYS, is_mounted)
        locks = list((daemon.places.state / "locks").glob("*.lock"))
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.kill()
        daemon.disconnect()
        end_all(daemon.machine, locks)
        for process in daemon.machine.processes():
            process.kill()
        shutil.rmtree(home / ".hermes", ignore_errors=True)


def test_a_fleet_lives_through_everything(stage: Stage, rng: random.Random, model_server: ModelServer) -> None:
    """No invariant is broken for longer than it may be, and daemon and clients use no more at the end."""
    machine, weather, journal = stage.machine, Weather(), Journal()
    with Decoy(machine.home / "decoy") as same, Decoy(machine.home / "other", "--ignore-term") as other:
        stage.prepare(model_server)
        machine.ctl("gateway", "start", "--all", "--no-wait")
        watch = Watch(stage, weather, (same, other))
        watch.tell(f"{MINUTES:g} minutes, {GATEWAYS} gateways, real {stage.reals}, disk {stage.is_mounted}")
        troubles = Troubles(stage, weather, random.Random(rng.random()), watch.tell, pause_s=8.0)
        people = [
            Person(stage, weather, random.Random(rng.random()), journal, watch.complain, pause_s=1.0)
            for _ in range(PEOPLE)
        ]
        _live(watch, troubles, people)
        _settle(watch)
        _check_machine(watch)
        watch.close()
    _tell(watch, weather, journal)
    assert not watch.complaints, "\n".join(f"{count} times: {told}" for told, count in watch.complaints.items())


def _live(watch: Watch, troubles: Troubles, people: list[Person]) -> None:
    """Everybody at once, until the time is over."""
    ending = threading.Event()
    threads = [threading.Thread(target=_guarded, args=(watch, one, ending)) for one in (troubles, *people)]
    for thread in threads:
        thread.start()
    begin_s, third_s = time.monotonic(), MINUTES * 60 / 3
    told_s = begin_s
    try:
        while (gone_s := time.monotonic() - begin_s) < MINUTES * 60:
            is_rough = gone_s % third_s / third_s >= LONG_SHARE
            (troubles.may_end_daemon.set if is_rough else troubles.may_end_daemon.clear)()
            looked_s = time.monotonic()
            watch.look()
            if looked_s - told_s > 60:
                told_s = looked_s
                _tell_life(watch, people[0].journal)
            time.sleep(max(0.0, 1.0 - (time.monotonic() - looked_s)))
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def _guarded(watch: Watch, one: Troubles | Person, ending: threading.Event) -> None:
    """A thread whose own mistake is told."""
    try:
        one.live(ending)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must show in the result
        watch.complain(f"{type(one).__name__} ended: {error!r}")


def _settle(watch: Watch) -> None:
    """Without people and troubles, everything comes to be as it is wished."""
    watch.tell("settling")
    daemon = watch.stage.daemon
    watch.stage.set_clock(0.0)

    def is_settled() -> bool:
        watch.look()
        time.sleep(1)
        running = [
            one
            for one in Caller(daemon.client).operations()
            if one.state == operations_pb2.OPERATION_STATE_RUNNING
        ]
        return not running and all(
            is_wanted(one) == (one.state in LIVES) or watch.is_excused(one) for one in daemon.gateways().values()
        )

    try:
        wait_until(is_settled, "the machine to settle", deadline_s=SETTLE_S)
    except AssertionError as error:
        restless = [
            f"{one.profile} wish={one.wish} state={one.state}"
            for one in daemon.gateways().values()
            if is_wanted(one) != (one.state in LIVES) and not watch.is_excused(one)
        ]
        watch.complain(f"{error}: {restless}")


def _check_machine(watch: Watch) -> None:
    """What lies on the machine agrees with what the daemon says, and is bounded."""
    stage, state = watch.stage, watch.stage.daemon.places.state
    caller = Caller(stage.daemon.client)
    profiles, trash = caller.profiles(), caller.trash()
    open_terminals = stage.daemon.client.terminals.ListTerminals(terminals_pb2.ListTerminalsRequest()).terminals
    ids = {one.id for one in profiles.values()} | {one.profile_id for one in trash.values()}
    default = caller.show("default").id
    facts = {
        "directories are profiles": directories(stage.machine).keys() == profiles.keys(),
        f"no litter: {litter(stage.machine)}": not litter(stage.machine),
        "no id twice": len(ids) == len(profiles) + len(trash),
        "aliases lead to profiles": set(aliases(stage.machine).values()) <= profiles.keys(),
        "nothing works for nobody": {one.profile for one in members(stage.machine)} <= profiles.keys(),
        "terminals are those that are open": len(list((state / "run" / "terminals").glob("*")))
        == len(open_terminals),
    }
    kept = {path.name.partition(".")[0] for path in (state / "logs" / "gateways").iterdir()}
    facts[f"no output of nobody: {kept - ids - {default}}"] = kept <= ids | {default}
    kept = {path.stem for path in (state / "locks").glob("*.lock")}
    facts[f"no lock of nobody: {kept - ids - {default}}"] = kept <= ids | {default}
    sizes = {path: path.stat().st_size for path in state.rglob("*") if path.is_file()}
    facts["the store is bounded"] = sum(sizes[one] for one in state.glob("store.db*")) < 64 * MEBI
    facts["samples are bounded"] = sum(sizes[one] for one in state.glob("samples.db*")) < 64 * MEBI
    facts["the log is bounded"] = sum(sizes[one] for one in (state / "logs").glob("daemon.log*")) < 61 * MEBI
    for path in sizes:
        if CANARY.encode() in path.read_bytes():
            facts[f"no secret in {path}"] = False
    watch.tell(f"state {sum(sizes.values()) / MEBI:.1f} MiB in {len(sizes)} files")
    for fact, holds in facts.items():
        if not holds:
            watch.complain(f"in the end not: {fact}")


def _tell_life(watch: Watch, journal: Journal) -> None:
    daemons = [life for (kind, _), life in watch.figures.lives.items() if kind == "daemon"]
    watch.tell(
        f"{sum(journal.commands.values())} commands; {len(daemons)} lives; {daemons[-1] if daemons else ''}"
    )


def _tell(watch: Watch, weather: Weather, journal: Journal) -> None:
    """The summary."""
    for life in watch.figures.long(MINUTES * 60 * 0.15):
        watch.tell(str(life))
        for told in life.complaints(Tolerance()):
            watch.complain(told)
    answers = sorted(watch.answers_s) or [0.0]
    watch.tell(f"lives {sum(kind == 'daemon' for kind, _ in watch.figures.lives)}")
    watch.tell(f"looks {watch.looks}, answers: half {answers[len(answers) // 2]:.3f} s, all {answers[-1]:.3f} s")
    watch.tell(f"troubles {dict(weather.troubles.most_common())}")
    watch.tell(f"commands {sum(journal.commands.values())}: {dict(journal.commands.most_common())}")
    watch.tell(f"exit codes {dict(journal.codes.most_common())}, reasons {dict(journal.reasons.most_common())}")
    slowest = sorted(journal.slowest.items(), key=lambda one: -one[1])[:12]
    watch.tell(f"slowest {[(what, round(seconds, 1)) for what, seconds in slowest]}")
