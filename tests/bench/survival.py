"""Keeping N trivial children alive, beside supervisord, circus, pm2, s6 and runit, in one interleaved run.

All supervisors are up at once, each in a private place; whatever is timed is done once a round by each, in a
fresh order. A supervisor that is not there is skipped.
"""

import argparse
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import trial
from tests.bench.figures import Figures
from tests.bench.peers.circus import Circus
from tests.bench.peers.contract import Peer, Room
from tests.bench.peers.hermesd import EAGER, Hermesd
from tests.bench.peers.pm2 import Pm2
from tests.bench.peers.runit import Runit
from tests.bench.peers.s6 import S6
from tests.bench.peers.supervisord import Supervisord
from tests.bench.peers.tools import Missing, Tools
from tests.bench.trial import Trial

MAKERS: dict[str, Callable[[Room], Peer]] = {
    "hermesd": lambda room: Hermesd(room, "hermesd", EAGER),
    "hermesd-default": lambda room: Hermesd(room, "hermesd-default", {}),
    "supervisord": Supervisord,
    "circus": Circus,
    "pm2": Pm2,
    "s6": S6,
    "runit": Runit,
}
"""By name; the first one is what ratios are taken against."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench survival", description=__doc__)
    add = parser.add_argument
    add("--gateways", type=int, nargs="+", default=[1, 50, 200], metavar="N", help="numbers of children")
    add("--alone", type=int, nargs="*", default=[500], metavar="N", help="the same for hermesd alone")
    add("--supervisors", nargs="+", choices=MAKERS, default=list(MAKERS), help="who takes part (default all)")
    add("--rounds", type=int, default=9, help="of each command and crash (default 9)")
    add("--starts", type=int, default=3, help="cold starts (default 3)")
    add("--idle", type=float, default=60.0, metavar="SECONDS", help="of watching processor time (default 60)")
    add("--rest", type=float, default=65.0, metavar="SECONDS", help="of calm before that (default 65)")
    add("--tools", type=Path, help="where the others are installed and looked for (default: scratch)")
    add("--seed", type=int, default=random.randrange(2**32), help="order of everything")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Measures and prints."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # by way of every clean-up
    print(f"seed {options.seed}, {options.rounds} rounds, {options.starts} cold starts", flush=True)
    sizes = sorted({*options.gateways, *options.alone})
    figures = Figures(options.supervisors, sizes)
    order = random.Random(options.seed)
    try:
        with tempfile.TemporaryDirectory(prefix="bench") as scratch:
            tools = Tools(options.tools or Path(scratch) / "tools")
            for size in sizes:
                names = options.supervisors if size in options.gateways else ["hermesd"]
                print(f"N={size}: {', '.join(names)}", flush=True)
                with _gathered(Path(scratch) / str(size), names, tools) as peers:
                    trial.run(Trial(peers, size, figures, order), options)
    finally:
        print(trial.report(figures))


@contextmanager
def _gathered(directory: Path, names: Sequence[str], tools: Tools) -> Iterator[list[Peer]]:
    """The supervisors that are there, each in a place of its own that is empty afterwards."""
    peers: list[Peer] = []
    with ExitStack() as rooms:
        for name in names:
            room = Room(directory / name, tools)
            rooms.callback(room.close)
            try:
                peers.append(MAKERS[name](room))
            except Missing as missing:
                print(f"{name} is skipped: {missing}", flush=True)
        yield peers
