"""Runs targets for as long as they are given: `python -m tests.fuzz [--minutes M] [--seed N] [TARGET...]`.

Owns: the clock, and what is said of a run. A failure is filed in the corpus, and the run goes on with the next
target. An input that takes longer than ten seconds counts as a failure.
"""

import argparse
import random
import signal
import sys
import time
import traceback
from types import FrameType

from tests.fuzz import agentfiles, archives, calls, files, words
from tests.fuzz.target import TARGETS, Target

LIMIT_S = 10
SOURCES = (files, agentfiles, archives, calls, words)


class TooSlow(Exception):
    """An input took too long."""


def _stop(_: int, __: FrameType | None) -> None:
    raise TooSlow


def run(chosen: Target, seed: int, until_s: float) -> bool:
    """Feeds one target until the moment; whether nothing failed."""
    count, slowest_s = 0, 0.0
    while time.monotonic() < until_s:
        data = chosen.made(seed + count)
        began_s = time.monotonic()
        signal.alarm(LIMIT_S)
        try:
            chosen.check(data)
        except Exception:  # noqa: BLE001 - whatever a parser raises is what is looked for
            traceback.print_exc(limit=-4)
            print(f"{chosen.name}: seed {seed + count} fails, kept as {chosen.keep(data)}", flush=True)
            return False
        finally:
            signal.alarm(0)
        slowest_s = max(slowest_s, time.monotonic() - began_s)
        count += 1
    print(
        f"{chosen.name}: seeds {seed} to {seed + count - 1}, {count} inputs, slowest {slowest_s:.2f} s", flush=True
    )
    return True


def main() -> int:
    """The exit code: 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 48))
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _stop)
    chosen = [TARGETS[name] for name in given.targets or TARGETS]
    results = [run(one, given.seed, time.monotonic() + given.minutes * 60) for one in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
