"""Making, cloning and deleting profiles of two sizes beside hermes-agent's own commands, in one interleaved run.

Commands are timed whole, from start to exit; the API from the call to the end of its operation, which is durable.
Clones are of everything in a profile, beside two plain copies of its home, one of them flushed as ours is.
Without --hermes the real agent is installed into a scratch directory first.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hermesctl.client import Client
from hermesctl.client.places import Places
from tests.bench.figures import Figures, Measure
from tests.bench.startup import install_agent
from tests.e2e.callers import Caller
from tests.e2e.house import CLIENT, Machine

CREATE = Measure("create, ms", digits=1, has_most=True)
DELETE = Measure("delete, ms", digits=1, has_most=True)

CLONE = Measure("clone, ms", digits=1, has_most=True)

NAMES = ("API", "hermesctl", "hermes", "cp -a", "cp -a, sync")
KIBI = b"\0" * 1024
IN_ONE_DIRECTORY = 500


@dataclass(frozen=True)
class Way:
    """A way to make and to delete a profile."""

    name: str
    create: Callable[[str], object]
    delete: Callable[[str], object]
    clone: Callable[[str, str], object]
    """Everything of a profile as another one."""


def ways(machine: Machine, hermes: Path, caller: Caller) -> list[Way]:
    """All of them, each with profiles of its own."""

    def command(*words: str | Path) -> None:
        argv = [str(word) for word in words]
        subprocess.run(argv, env=machine.environment, capture_output=True, check=True)

    def by(name: str, program: Path) -> Way:
        return Way(
            name,
            lambda profile: command(program, "profile", "create", profile, "--no-alias"),
            lambda profile: command(program, "profile", "delete", profile, "--yes"),
            lambda source, profile: command(
                program, "profile", "create", profile, "--no-alias", "--clone-all", "--clone-from", source
            ),
        )

    return [
        Way(
            "API",
            lambda name: caller.done(caller.create(name)),
            lambda name: caller.done(caller.delete(name)),
            lambda source, name: caller.done(caller.clone(source, name)),
        ),
        by("hermesctl", CLIENT),
        by("hermes", hermes),
    ]


def copies(profiles: Path, source: str, figures: Figures, mebibytes: int) -> None:
    """Plain copies of a home, which are no profiles: of two moments, with locks and all."""
    target = profiles / ".hermesd" / "copy"
    for name, flush in (("cp -a", ()), ("cp -a, sync", ("sync", "-f", str(profiles)))):
        os.sync()
        began = time.perf_counter()
        subprocess.run(["cp", "-a", str(profiles / source), str(target)], check=True)
        if flush:
            subprocess.run(flush, check=True)
        figures.add(CLONE, mebibytes, name, (time.perf_counter() - began) * 1e3)
        shutil.rmtree(target)


def fill(home: Path, files: int, mebibytes: int) -> None:
    """Gives a home that many files of that size together."""
    for number in range(files):
        path = home / "workspace" / str(number // IN_ONE_DIRECTORY) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(KIBI * max(mebibytes * 1024 // files, 1))


def play(
    machine: Machine, found: Sequence[Way], figures: Figures, size: tuple[int, int], order: random.Random
) -> None:
    """One round: a profile is made, filled, cloned and deleted each way."""
    mebibytes, files = size
    profiles = machine.root / "profiles"

    def timed(measure: Measure, name: str, work: Callable[[], object]) -> None:
        os.sync()  # what was just written is not of the deed
        began = time.perf_counter()
        work()
        figures.add(measure, mebibytes, name, (time.perf_counter() - began) * 1e3)

    for way in order.sample(list(found), len(found)):
        name = f"bench-{way.name.lower()}"
        timed(CREATE, way.name, partial(way.create, name))
        fill(profiles / name, files, mebibytes)
        timed(CLONE, way.name, partial(way.clone, name, f"{name}-clone"))
        timed(DELETE, way.name, partial(way.delete, name))
        way.delete(f"{name}-clone")
    found[0].create("bench-copied")
    fill(profiles / "bench-copied", files, mebibytes)
    copies(profiles, "bench-copied", figures, mebibytes)
    found[0].delete("bench-copied")
    shutil.rmtree(machine.root / "profiles" / ".hermesd" / "trash")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench lives", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=9, help="of the smallest size (default 9); a third of larger ones"
    )
    parser.add_argument("--size", type=int, default=2048, help="MiB in the large profile (default 2048)")
    parser.add_argument("--files", type=int, default=20_000, help="files in the large profile (default 20000)")
    parser.add_argument("--hermes", type=Path, help="an installed hermes to compare with")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="order of everything")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Measures and prints; N is what the profile holds, in MiB."""
    options = parse(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sizes = ((1, 100), (options.size, options.files))
    figures = Figures(NAMES, [mebibytes for mebibytes, _ in sizes])
    order = random.Random(options.seed)
    print(f"seed {options.seed}, {options.rounds} rounds, N in MiB")
    with tempfile.TemporaryDirectory(prefix="bench") as scratch:
        machine = Machine(Path(scratch) / "home")
        machine.home.mkdir(mode=0o700)
        hermes = options.hermes or install_agent(Path(scratch) / "runtimes")
        try:
            machine.ok("daemon", "start")
            with Client(Places.locate(machine.environment).read_record()) as client:
                found = ways(machine, hermes, Caller(client))
                for size, rounds in zip(sizes, (options.rounds, max(options.rounds // 3, 1)), strict=True):
                    for _ in range(rounds):
                        play(machine, found, figures, size, order)
        finally:
            machine.clean_up()
    for measure in (CREATE, CLONE, DELETE):
        print(figures.table(measure))
