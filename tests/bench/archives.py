"""Archives: packing a profile and taking it in, beside hermes-agent's own commands, Python's tarfile and tar.

The profile is half text (Python's own sources), four tenths conversations as lines of JSON, and a tenth what no
compressor makes smaller.
Commands are timed whole, from start to exit, in one interleaved run. Ours search all of it for secrets, and judge
every header before they write; the others do not. Memory is what the daemon grew by.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil

from tests.bench.figures import Figures, Measure
from tests.bench.startup import install_agent
from tests.e2e.house import CLIENT, Machine

EXPORT = Measure("export, s", digits=2, has_most=True)
SIZE = Measure("archive, % of the profile", digits=1)
IMPORT = Measure("import, s", digits=2, has_most=True)
GROWTH = Measure("daemon grew by, MiB", digits=1)

NAMES = ("hermesctl", "hermes", "tarfile w:gz", "tar")
SECRETS = 40
FILE_BYTES = 256 * 1024


def fill(home: Path, mebibytes: int, order: random.Random) -> None:
    """Gives a home so much of what profiles hold."""
    text = "".join(path.read_text() for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")))
    words = text.split()
    for number in range(mebibytes * 4):
        kind = number % 10
        path = home / "workspace" / str(number // 100) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == 0:
            path.write_bytes(order.randbytes(FILE_BYTES))
        elif kind < 5:
            path.write_text(_lines(words, order))
        else:
            start = order.randrange(len(text) - FILE_BYTES)
            path.write_text(text[start : start + FILE_BYTES])
    secrets = "".join(f"KEY_{number}_TOKEN={order.randbytes(20).hex()}\n" for number in range(SECRETS))
    (home / ".env").write_text(secrets)


def _lines(words: Sequence[str], order: random.Random) -> str:
    """Messages of a conversation, one a line."""
    made, size = list[str](), 0
    while size < FILE_BYTES:
        start = order.randrange(len(words) - 40)
        content = " ".join(words[start : start + 40])
        made.append(json.dumps({"role": "user", "content": content, "id": order.randbytes(8).hex()}))
        size += len(made[-1]) + 1
    return "\n".join(made)[:FILE_BYTES]


def timed(work: Callable[[], object]) -> float:
    """Seconds that a deed takes; what was written before is not of it."""
    os.sync()
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def packers(machine: Machine, hermes: Path, home: Path) -> dict[str, Callable[[Path], object]]:
    """Ways to make an archive of a home."""
    python = (
        "import sys, tarfile\n"
        "with tarfile.open(sys.argv[1], 'w:gz') as archive: archive.add(sys.argv[2], arcname='bench')\n"
    )
    return {
        "hermesctl": lambda to: run(machine, CLIENT, "profile", "export", "bench", "-q", "-o", to),
        "hermes": lambda to: run(machine, hermes, "profile", "export", "bench", "-o", to),
        "tarfile w:gz": lambda to: run(machine, sys.executable, "-c", python, to, home),
        "tar": lambda to: run(machine, "tar", "czf", to, "-C", home.parent, "bench"),
    }


def takers(machine: Machine, hermes: Path, scratch: Path) -> dict[str, Callable[[Path], object]]:
    """Ways to unpack one."""
    python = "import sys, tarfile\ntarfile.open(sys.argv[1]).extractall(sys.argv[2], filter='data')\n"
    target = scratch / "unpacked"

    def into(*command: object) -> None:
        target.mkdir()
        try:
            run(machine, *command)
        finally:
            shutil.rmtree(target)

    return {
        "hermesctl": lambda of: run(
            machine, CLIENT, "profile", "import", of, "--name", "taken", "--no-alias", "-y"
        ),
        "hermes": lambda of: run(machine, hermes, "profile", "import", of, "--name", "taken"),
        "tarfile w:gz": lambda of: into(sys.executable, "-c", python, of, target),
        "tar": lambda of: into("tar", "xzf", of, "-C", target),
    }


def run(machine: Machine, *words: object) -> None:
    """A command, which must succeed."""
    argv = [str(word) for word in words]
    subprocess.run(argv, env=machine.environment, capture_output=True, check=True)


def play(
    machine: Machine, hermes: Path, scratch: Path, figures: Figures, mebibytes: int, order: random.Random
) -> None:
    """One round: an archive is made and unpacked each way."""
    home = machine.root / "profiles" / "bench"
    whole = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    daemon = psutil.Process(json.loads((machine.state / "daemon.json").read_text())["pid"])
    archive = scratch / "bench.tar.gz"
    pack, take = packers(machine, hermes, home), takers(machine, hermes, scratch)
    for name in order.sample(NAMES, len(NAMES)):
        before = daemon.memory_info().rss
        figures.add(EXPORT, mebibytes, name, timed(partial(pack[name], archive)))
        figures.add(SIZE, mebibytes, name, 100 * archive.stat().st_size / whole)
        figures.add(IMPORT, mebibytes, name, timed(partial(take[name], archive)))
        if name == "hermesctl":
            figures.add(GROWTH, mebibytes, name, (daemon.memory_info().rss - before) / 2**20)
        archive.unlink()
        if (machine.root / "profiles" / "taken").exists():
            run(machine, CLIENT, "profile", "delete", "taken", "--yes", "--purge")


def main(arguments: Sequence[str]) -> None:
    """Measures and prints; N is what the profile holds, in MiB."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench archives", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often (default 3)")
    parser.add_argument("--mebibytes", type=int, nargs="+", default=[32, 256], help="sizes (default 32 256)")
    parser.add_argument("--hermes", type=Path, help="an installed hermes to compare with")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="order and contents")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    figures, order = Figures(NAMES, options.mebibytes), random.Random(options.seed)
    print(f"seed {options.seed}, {options.rounds} rounds, N in MiB")
    with tempfile.TemporaryDirectory(prefix="bench") as scratch:
        machine = Machine(Path(scratch) / "home")
        machine.home.mkdir(mode=0o700)
        hermes = options.hermes or install_agent(Path(scratch) / "runtimes")
        try:
            machine.ok("daemon", "start")
            for mebibytes in options.mebibytes:
                machine.ok("profile", "create", "bench", "--no-alias")
                fill(machine.root / "profiles" / "bench", mebibytes, order)
                for _ in range(options.rounds):
                    play(machine, hermes, Path(scratch), figures, mebibytes, order)
                machine.ok("profile", "delete", "bench", "--yes", "--purge")
        finally:
            machine.clean_up()
    for measure in (EXPORT, SIZE, IMPORT, GROWTH):
        print(figures.table(measure))
