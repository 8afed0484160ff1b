"""What looking at gateways costs: nobody watching, one watcher, and the floor of reading /proc at all.

The daemon's processor time is the kernel's, by ticks of 10 ms over the whole time, told for 20 s of it; the rest
is what it takes to look at the same processes once, here, by what services ask and by psutil.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import psutil

from hermesctl.client import Client
from hermesd.adapters import procfs
from hermesd.adapters.meter import KernelMeter
from hermesd.v1.samples_pb2 import WatchSamplesRequest
from tests.bench import usage
from tests.bench.figures import Figures, Measure
from tests.bench.peers.contract import Room
from tests.bench.peers.hermesd import Hermesd
from tests.bench.peers.tools import Tools

IDLE = Measure("processor time of the daemon per 20 s, ms", digits=1)
LOOK = Measure("one look at all gateways, ms", digits=2, has_most=True)
STATES = ("nobody watches", "one watches", "three watch")
READERS = ("hermesd's meter", "psutil")
LOOKS = 21
CALM_S = 5.0
UP_LIMIT_S = 120.0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench samples", description=__doc__)
    add = parser.add_argument
    add("--gateways", type=int, nargs="+", default=[1, 50, 200], metavar="N", help="numbers of gateways")
    add("--seconds", type=float, default=120.0, help="of each state; whole minutes (default 120)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Measures and prints."""
    options = parse(arguments)
    idle, looks = Figures(STATES, options.gateways), Figures(READERS, options.gateways)
    for size in options.gateways:
        print(f"N={size}, {len(list(procfs.pids()))} other processes", flush=True)
        with tempfile.TemporaryDirectory(prefix="bench") as scratch:
            room = Room(Path(scratch), Tools(Path(scratch) / "tools"))
            try:
                _measure(Hermesd(room, "hermesd", {}), size, options.seconds, idle, looks)
            finally:
                room.close()
    print(f"\n{idle.table(IDLE)}\n\n{looks.table(LOOK)}")


def _measure(daemon: Hermesd, size: int, seconds: float, idle: Figures, looks: Figures) -> None:
    daemon.prepare(size)
    began_s = time.perf_counter()
    pid = daemon.start()
    daemon.room.children.wait(range(size), began_s, UP_LIMIT_S)
    pids = {pid for pids in daemon.room.children.living().values() for pid in pids}
    for state, watchers in zip(STATES, (0, 1, 3), strict=True):
        with _watched(daemon, watchers):
            time.sleep(CALM_S)
            idle.add(IDLE, size, state, _per_20_s(usage.supervisors(pid, pids), seconds))
    for reader, look in zip(READERS, _readers(pids), strict=True):
        for _ in range(LOOKS):
            looks.add(LOOK, size, reader, _cpu_s(look) * 1e3)


def _per_20_s(processes: Sequence[psutil.Process], seconds: float) -> float:
    """In milliseconds."""
    before_s, began_s = usage.cpu_s(processes), time.monotonic()
    time.sleep(seconds)
    return (usage.cpu_s(processes) - before_s) * 20 / (time.monotonic() - began_s) * 1e3


@contextmanager
def _watched(daemon: Hermesd, count: int) -> Iterator[None]:
    """So many read along, each on a connection of its own."""
    clients = [daemon.connect() for _ in range(count)]
    calls = [client.samples.WatchSamples(WatchSamplesRequest()) for client in clients]
    readers = [threading.Thread(target=_read, args=(call,), daemon=True) for call in calls]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        _end(clients, calls, readers)


def _read(call: Iterator[object]) -> None:
    try:
        for _ in call:
            pass
    except grpc.RpcError:
        return


def _end(clients: Sequence[Client], calls: Sequence[grpc.Call], readers: Sequence[threading.Thread]) -> None:
    for call in calls:
        call.cancel()
    for reader in readers:
        reader.join()
    for client in clients:
        client.close()


def _readers(pids: set[int]) -> Sequence[Callable[[], object]]:
    roots = [found for pid in pids if (found := procfs.identity(pid, "")) is not None]
    meter = KernelMeter()

    def by_psutil() -> None:
        for pid in pids:
            process = psutil.Process(pid)
            for one in (process, *process.children(recursive=True)):
                with one.oneshot():
                    one.cpu_times(), one.memory_info(), one.num_threads(), one.num_fds()

    return (lambda: meter.measure(roots)), by_psutil


def _cpu_s(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s
