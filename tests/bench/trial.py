"""One trial: some supervisors with so many children each, measured in turn.

Owns: what is measured, in which order, and how it is reported. Must not know how a supervisor does it.
"""

import argparse
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bench import usage
from tests.bench.figures import Figures, Measure
from tests.bench.peers.contract import Peer
from tests.bench.peers.hermesd import Hermesd

START = Measure("start all from cold, ms", has_most=True)
CRASH = Measure("kill -9 of a child to its new pid, ms", digits=1, has_most=True)
STATUS_ALL = Measure("status of all, CLI, ms")
STATUS_ONE = Measure("status of one, CLI, ms")
RESTART_ONE = Measure("restart of one, CLI, ms")
RSS = Measure("RSS of the daemon, MiB", digits=1)
PSS = Measure("PSS of the daemon, MiB", digits=1)
WHOLE_PSS = Measure("PSS with helpers, MiB", digits=1)
IDLE = Measure("processor time per 20 s idle, ms")
RECOVERY = Measure("daemon killed: start to first answer, ms")
ALL = (START, CRASH, STATUS_ALL, STATUS_ONE, RESTART_ONE, RSS, PSS, WHOLE_PSS, IDLE, RECOVERY)
API = {
    "status of all": Measure("status of all, call alone, ms", digits=1, has_most=True),
    "status of one": Measure("status of one, call alone, ms", digits=1, has_most=True),
    "restart of one": Measure("restart of one, call alone, ms", digits=1, has_most=True),
}
"""Measured of hermesd only: what is left of a command when the client's own start is taken off."""
FATE = "daemon killed and started: lost/doubled/same"

UP_LIMIT_S = 60.0
RECOVERY_LIMIT_S = 60.0
ADULT_S = 1.6
"""Age from which every supervisor takes an end for a crash and not for a failed start."""
AFTERMATH_S = 6.0
"""How long a daemon that was started again may need to show what it makes of its children."""
POLL_S = 0.002
KIBI_PER_MEBI = 1024


@dataclass
class Trial:
    """Supervisors and their number of children."""

    peers: Sequence[Peer]
    size: int
    figures: Figures
    order: random.Random
    daemons: dict[str, int] = field(default_factory=dict)
    """Pids by name."""
    crashed: set[int] = field(default_factory=set)
    """Children that were killed."""

    def shuffled(self) -> list[Peer]:
        """All supervisors in a fresh order."""
        return self.order.sample(list(self.peers), len(self.peers))

    def add(self, measure: Measure, peer: Peer, value: float) -> None:
        """Takes a sample."""
        self.figures.add(measure, self.size, peer.name, value)


def run(trial: Trial, options: argparse.Namespace) -> None:
    """Measures everything; at the end the children live on, whoever keeps them."""
    for peer in trial.peers:
        peer.prepare(trial.size)
    for number in range(options.starts):
        start_all(trial, is_last=number == options.starts - 1)
    time.sleep(ADULT_S)
    for _ in range(options.rounds):
        time_commands(trial)
    for one in victims(trial.size, options.rounds, trial.order):
        crash_one(trial, one)
    for _ in range(options.rounds):
        restart_one(trial)
    for peer in trial.peers:
        if isinstance(peer, Hermesd):
            time_calls(trial, peer, options.rounds)
    time.sleep(options.rest)
    weigh(trial)
    watch_idle(trial, options.idle)
    for peer in trial.shuffled():
        kill_daemon(trial, peer)


def start_all(trial: Trial, *, is_last: bool) -> None:
    """Starts each supervisor from cold; the last time it stays."""
    for peer in trial.shuffled():
        began_s = time.perf_counter()
        trial.daemons[peer.name] = peer.start()
        up_s = peer.room.children.wait(range(trial.size), began_s, UP_LIMIT_S)
        trial.add(START, peer, (up_s - began_s) * 1e3)
        if not is_last:
            time.sleep(ADULT_S)
            peer.stop()
            peer.room.wait_empty(UP_LIMIT_S)
            peer.room.clear()


def time_commands(trial: Trial) -> None:
    """Times the commands that only look."""
    one = trial.order.randrange(trial.size)
    for peer in trial.shuffled():
        _time_command(trial, peer, STATUS_ALL, peer.status_all())
        _time_command(trial, peer, STATUS_ONE, peer.status_one(one))


def restart_one(trial: Trial) -> None:
    """Times the restart of one child."""
    time.sleep(ADULT_S)
    one = trial.order.randrange(trial.size)
    for peer in trial.shuffled():
        _time_command(trial, peer, RESTART_ONE, peer.restart_one(one))


def _time_command(trial: Trial, peer: Peer, measure: Measure, argv: Sequence[str]) -> None:
    """Times a command; a failure is told and never timed."""
    began_s = time.perf_counter()
    done = peer.room.run(argv)
    took_s = time.perf_counter() - began_s
    if done.returncode == 0:
        trial.add(measure, peer, took_s * 1e3)
    else:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        print(f"{peer.name}: {' '.join(argv)} ended with {done.returncode}: {' '.join(last)}", flush=True)


def victims(size: int, rounds: int, order: random.Random) -> list[int]:
    """Which children are killed: each as rarely as can be, all once before any twice."""
    rows = [order.sample(range(size), size) for _ in range(-(-rounds // size))]
    return [number for row in rows for number in row][:rounds]


def crash_one(trial: Trial, one: int) -> None:
    """Kills a child of each supervisor and waits for the next one."""
    time.sleep(ADULT_S)
    for peer in trial.shuffled():
        if peer.is_patient and one in trial.crashed:
            continue
        children = peer.room.children
        pids = children.living().get(one, [])
        if len(pids) != 1:
            print(f"{peer.name}: child {one} has pids {pids} and is left alone", flush=True)
            continue
        began_s = time.perf_counter()
        os.kill(pids[0], signal.SIGKILL)
        try:
            trial.add(CRASH, peer, (children.wait([one], began_s, UP_LIMIT_S) - began_s) * 1e3)
        except TimeoutError as error:
            print(f"{peer.name}: after a crash: {error}", flush=True)
    trial.crashed.add(one)


def time_calls(trial: Trial, peer: Hermesd, rounds: int) -> None:
    """Times what the commands ask of the daemon over one open connection."""
    with peer.connect() as client:
        for _ in range(rounds):
            for name, call in peer.calls(client, trial.order.randrange(trial.size)).items():
                trial.add(API[name], peer, _seconds(call) * 1e3)


def _seconds(call: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    call()
    return time.perf_counter() - began_s


def weigh(trial: Trial) -> None:
    """Memory of each supervisor."""
    for peer in trial.peers:
        daemon, *helpers = usage.supervisors(trial.daemons[peer.name], _pids(peer))
        alone, together = usage.memory([daemon]), usage.memory([daemon, *helpers])
        trial.add(RSS, peer, alone.rss)
        trial.add(PSS, peer, alone.pss)
        trial.add(WHOLE_PSS, peer, together.pss)


def watch_idle(trial: Trial, seconds: float) -> None:
    """Processor time while nobody asks anything, helpers included, of all supervisors at once."""
    watched = {peer.name: usage.supervisors(trial.daemons[peer.name], _pids(peer)) for peer in trial.peers}
    before = {name: usage.cpu_s(processes) for name, processes in watched.items()}
    began_s = time.monotonic()
    time.sleep(seconds)
    share = 20 / (time.monotonic() - began_s)
    for peer in trial.peers:
        used_s = usage.cpu_s(watched[peer.name]) - before[peer.name]
        trial.add(IDLE, peer, used_s * share * 1e3)


def kill_daemon(trial: Trial, peer: Peer) -> None:
    """Kills the daemon alone, starts it again and counts what became of its children."""
    before = peer.room.children.living()
    os.kill(trial.daemons[peer.name], signal.SIGKILL)
    time.sleep(0.5)
    began_s = time.perf_counter()
    trial.daemons[peer.name] = peer.start_again()
    while not (is_serving := peer.is_serving()) and time.perf_counter() - began_s < RECOVERY_LIMIT_S:
        time.sleep(POLL_S)
    if is_serving:
        trial.add(RECOVERY, peer, (time.perf_counter() - began_s) * 1e3)
    time.sleep(AFTERMATH_S)
    after = peer.room.children.living()
    trial.figures.remark(FATE, trial.size, peer.name, fate(before, after, trial.size))


def fate(before: dict[int, list[int]], after: dict[int, list[int]], size: int) -> str:
    """What became of the children: lost, doubled, and how many are the very same process."""
    lost = sum(number not in after for number in range(size))
    doubled = sum(len(pids) > 1 for pids in after.values())
    same = sum(bool(set(before.get(number, [])) & set(pids)) for number, pids in after.items())
    return f"{lost}/{doubled}/{same}"


def _pids(peer: Peer) -> set[int]:
    return {pid for pids in peer.room.children.living().values() for pid in pids}


def report(figures: Figures) -> str:
    """Every table. A cell is: median (largest) ratio to the first row, count."""
    tables = [figures.table(measure) for measure in ALL]
    tables += [figures.table(measure) for measure in API.values()]
    tables.append(figures.remarks(FATE))
    slopes = [(name, figures.slope(RSS, name), figures.slope(WHOLE_PSS, name)) for name in figures.names]
    lines = [
        f"{name}: {rss * KIBI_PER_MEBI:.1f} KiB of the daemon's RSS, {pss * KIBI_PER_MEBI:.1f} KiB of all PSS"
        for name, rss, pss in slopes
        if rss is not None and pss is not None
    ]
    return "\n\n".join([*tables, "\n".join(["per gateway, from the smallest N to the largest", *lines])])
