"""Logs: searching many bytes beside grep, and following many lines a second beside tail.

The log is that of one agent in the form of hermes-agent 0.19.0, in files of 64 MiB. What is searched is in the
page cache, for grep as for hermesd.
"""

import argparse
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.bench import usage
from tests.e2e.house import CLIENT, Machine

PROFILE = "bencher"
FILE_BYTES = 64 * 2**20
BLOCK_LINES = 10_000
MESSAGES = (
    "inbound message: platform=telegram user={a} chat={b} msg=hello there",
    "response ready: platform=telegram chat={a} time={b} ms api_calls=3 response=512 chars",
    "tool terminal completed ({b}.42s, {a} chars)",
    "API call #{b}: model=some/model in={a} out=811 latency=2.1s",
)
LOGGERS = ("gateway.run", "gateway.run", "tools.terminal_tool", "agent.loop")
RARE = "platform=telegram chat=77777 "
EXPRESSION = r"tool .*\(9[0-9]\.42s, 7777[0-9] chars"
QUIET_S = 1.0


@dataclass(frozen=True)
class Search:
    """One thing looked for, by hermesctl and by a pipeline of the shell."""

    title: str
    ours: Sequence[str]
    theirs: str
    is_in_newest: bool = False
    """Whether the shell needs the newest file only."""


SEARCHES = (
    Search("a rare text", ["--grep", RARE], f"grep -h -F {shlex.quote(RARE)}"),
    Search("an expression", ["--grep", EXPRESSION], f"grep -h -E {shlex.quote(EXPRESSION)}"),
    Search("errors, by level", ["--level", "error"], "grep -h -E '^[0-9-]+ [0-9:,]+ (ERROR|CRITICAL) '"),
    Search("the last 100", ["-n", "100"], "tail -n 100", is_in_newest=True),
)


def write_logs(directory: Path, mebibytes: int) -> int:
    """Writes an agent's log and its older files; returns how many bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    at = datetime.now() - timedelta(days=2)
    total = 0
    for age in reversed(range(max(1, mebibytes * 2**20 // FILE_BYTES))):
        with (directory / (f"agent.log.{age}" if age else "agent.log")).open("w") as file:
            while file.tell() < min(FILE_BYTES, mebibytes * 2**20):
                lines = []
                for _ in range(BLOCK_LINES):
                    at += timedelta(milliseconds=10)
                    lines.append(render(at, rng))
                file.write("".join(lines))
            total += file.tell()
    return total


def render(at: datetime, rng: random.Random) -> str:
    """One line."""
    kind, chance = rng.randrange(len(MESSAGES)), rng.random()
    level = "ERROR" if chance < 0.0005 else "WARNING" if chance < 0.01 else "INFO"
    text = MESSAGES[kind].format(a=rng.randrange(99_999), b=rng.randrange(100))
    when = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03}"
    return f"{when} {level} [20261123_{kind:06}] {LOGGERS[kind]}: {text}\n"


def search(machine: Machine, directory: Path, one: Search, rounds: int) -> str:
    """Times one search both ways, in turn; a row of the table."""
    ours_s, theirs_s = [], []
    paths = sorted(directory.glob("agent.log*"), reverse=True)
    files = " ".join(shlex.quote(str(path)) for path in (paths[-1:] if one.is_in_newest else paths))
    ours = [str(CLIENT), "logs", PROFILE, "--source", "agent", *one.ours]
    ours += [] if "-n" in one.ours else ["--since", "30d"]
    found: tuple[int, int] = (0, 0)
    for _ in range(rounds):
        took_s, lines = timed(ours, machine)
        ours_s.append(took_s)
        other_s, others = timed(["sh", "-c", f"{one.theirs} {files}"], machine)
        theirs_s.append(other_s)
        found = (lines, others)
    mine, other = statistics.median(ours_s), statistics.median(theirs_s)
    return f"{one.title:<20}{mine * 1e3:>10.0f}{other * 1e3:>10.0f}{mine / other:>8.1f}x   {found[0]} / {found[1]}"


def timed(argv: Sequence[str], machine: Machine) -> tuple[float, int]:
    """Seconds that a command took, and lines it wrote."""
    began_s = time.perf_counter()
    done = subprocess.run(argv, env=machine.environment, capture_output=True, check=False)
    return time.perf_counter() - began_s, done.stdout.count(b"\n")


@dataclass(frozen=True)
class Following:
    """What it took to follow."""

    lag_s: float
    """From when a line was written until it was seen, median."""
    lines: int
    load: float
    """Processor seconds a second, of the follower and, for hermesctl, of its daemon and worker."""


def follow(machine: Machine, path: Path, argv: Sequence[str], rate: int, seconds: float) -> Following:
    """Lets a command follow a file that grows."""
    with subprocess.Popen(
        argv, env=machine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as follower:
        assert follower.stdout is not None
        time.sleep(QUIET_S)
        followers = machine.processes()
        before_s = usage.cpu_s(followers)
        seen: list[float] = []
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(rate), str(seconds)]):
            for line in follower.stdout:
                _, mark, sent = line.rpartition(b"sent=")
                if mark:
                    seen.append(time.time() - float(sent.split()[0]))
                if b"the end" in line:
                    break
        after_s = usage.cpu_s(followers)
        follower.terminate()
    return Following(statistics.median(seen), len(seen), (after_s - before_s) / seconds)


WRITER = """
import sys, time
path, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
began = time.time()
with open(path, "a", buffering=1) as file:
    for number in range(int(rate * seconds)):
        while number > (time.time() - began) * rate:
            time.sleep(0.001)
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        file.write(f"{stamp},{int(now % 1 * 1000):03} INFO gateway.run: line {number} sent={now:.6f}\\n")
    file.write(f"{stamp},999 INFO gateway.run: the end sent={time.time():.6f}\\n")
"""


def main(arguments: Sequence[str]) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench logs", description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024, help="how much is searched (default 1024)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (default 3)")
    parser.add_argument("--rate", type=int, default=5000, help="lines a second that are followed (default 5000)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long they are (default 10)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        machine = Machine(Path(scratch) / "home")
        machine.home.mkdir(mode=0o700)
        try:
            machine.ok("daemon", "start")
            machine.ok("profile", "create", PROFILE, "--no-alias")
            directory = machine.root / "profiles" / PROFILE / "logs"
            print_searches(machine, directory, options)
            print_following(machine, directory / "agent.log", options)
        finally:
            machine.clean_up()


def print_searches(machine: Machine, directory: Path, options: argparse.Namespace) -> None:
    """Searches and prints."""
    total = write_logs(directory, options.mebibytes)
    print(f"searching {total / 2**20:.0f} MiB: ms, medians of {options.rounds}; lines found by each")
    print(f"{'':<20}{'hermesctl':>10}{'shell':>10}{'ratio':>9}")
    for one in SEARCHES:
        print(search(machine, directory, one, options.rounds), flush=True)


def print_following(machine: Machine, path: Path, options: argparse.Namespace) -> None:
    """Follows and prints."""
    print(f"following {options.rate} lines a second for {options.seconds:.0f} s: ms, medians; lines seen by each")
    print(f"{'':<20}{'hermesctl':>10}{'tail -F':>10}{'ratio':>9}")
    ours = [str(CLIENT), "logs", PROFILE, "-f", "-n", "0", "--source", "agent"]
    theirs = ["tail", "-n", "0", "-F", str(path)]
    mine, other = (follow(machine, path, argv, options.rate, options.seconds) for argv in (ours, theirs))
    print(f"{'lag':<20}{compared(mine.lag_s * 1e3, other.lag_s * 1e3)}   {mine.lines} / {other.lines}")
    print(f"{'processor, ms per s':<20}{compared(mine.load * 1e3, other.load * 1e3)}", flush=True)


def compared(ours: float, theirs: float) -> str:
    """Two figures and their ratio, which below a tenth says nothing."""
    return f"{ours:>10.1f}{theirs:>10.1f}{ours / max(theirs, 0.1):>8.1f}x"
