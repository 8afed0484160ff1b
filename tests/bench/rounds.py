"""Timing whole commands against each other.

Owns: how commands are measured: every command once a round in a fresh order, so that a machine whose speed drifts
treats all alike, and the ratio to the first command taken within each round. Must not know what is measured.
"""

import random
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command to time."""

    name: str
    argv: Sequence[str]
    codes: Sequence[int] = (0,)
    """Exit codes of its success."""
    said: bytes = b""
    """Its standard input."""


@dataclass(frozen=True)
class Timing:
    """What was measured of one command."""

    name: str
    median_s: float
    least_s: float
    most_s: float
    ratio: float
    """Median over the rounds of this command's time to the first command's."""


def measure(
    commands: Sequence[Command], environment: Mapping[str, str], *, rounds: int, seed: int
) -> list[Timing]:
    """Times each command once a round, after one round that is not counted.

    Raises:
        AssertionError: a command failed; a failure is never timed.
    """
    order = random.Random(seed)
    taken: dict[str, list[float]] = {command.name: [] for command in commands}
    for number in range(rounds + 1):
        for command in order.sample(list(commands), len(commands)):
            seconds = _time(command, environment)
            if number:
                taken[command.name].append(seconds)
    baseline = taken[commands[0].name]
    return [_timing(command.name, taken[command.name], baseline) for command in commands]


def _time(command: Command, environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command.argv, env=environment, capture_output=True, input=command.said, check=False)
    taken = time.perf_counter() - began
    assert done.returncode in command.codes, (command.name, done.returncode, done.stderr)
    return taken


def _timing(name: str, taken: Sequence[float], baseline: Sequence[float]) -> Timing:
    ratios = [mine / base for mine, base in zip(taken, baseline, strict=True)]
    return Timing(name, statistics.median(taken), min(taken), max(taken), statistics.median(ratios))


def table(timings: Sequence[Timing]) -> str:
    """The timings as aligned text, times in milliseconds."""
    width = max(len(timing.name) for timing in timings)
    lines = [f"{'COMMAND':<{width}}  {'MEDIAN':>8}  {'MIN':>8}  {'MAX':>8}  {'RATIO':>6}"]
    lines += [
        f"{one.name:<{width}}  {one.median_s * 1e3:>6.0f}ms  {one.least_s * 1e3:>6.0f}ms"
        f"  {one.most_s * 1e3:>6.0f}ms  {one.ratio:>6.2f}"
        for one in timings
    ]
    return "\n".join(lines)
