"""Start-up of the client beside bare Python and beside hermes-agent, in one run.

Without --hermes the real agent is installed into a scratch directory first, so that nothing is compared with a
memory.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hermesd.adapters import account
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.domain import environment
from tests.bench.rounds import Command, measure, table
from tests.e2e.house import CLIENT, Machine


def install_agent(directory: Path) -> Path:
    """Installs the newest supported hermes-agent and returns its executable."""
    inherited = account.inherited_environment()
    allowed = environment.for_installer(inherited, account.account())
    installer = PipInstaller(directory, allowed, HermesAgent())
    return installer.install(installer.versions()[0], lambda _: None, lambda: False).executable


def commands(hermes: Path) -> list[Command]:
    """What is compared; the first one is what ratios are taken against."""
    return [
        Command("python -c pass", [sys.executable, "-c", "pass"]),
        Command("hermesctl --version", [str(CLIENT), "--version"]),
        Command("hermesctl profile list", [str(CLIENT), "profile", "list"]),
        Command("hermesctl gateway list", [str(CLIENT), "gateway", "list"]),
        Command("hermes --version", [str(hermes), "--version"]),
        Command("hermes profile list", [str(hermes), "profile", "list"]),
    ]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="counted rounds (default 15)")
    parser.add_argument("--profiles", type=int, default=10, help="profiles in the root (default 10)")
    parser.add_argument("--hermes", type=Path, help="an installed hermes to compare with")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="order of the commands")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Measures and prints."""
    options = parse(arguments)
    print(f"seed {options.seed}, {options.rounds} rounds, {options.profiles} profiles")
    with tempfile.TemporaryDirectory() as scratch:
        machine = Machine(Path(scratch) / "home")
        machine.home.mkdir(mode=0o700)
        hermes = options.hermes or install_agent(Path(scratch) / "runtimes")
        try:
            machine.ok("daemon", "start")
            for number in range(options.profiles - 1):
                machine.ok("profile", "create", f"profile{number:03d}", "--no-alias")
            timings = measure(commands(hermes), machine.environment, rounds=options.rounds, seed=options.seed)
        finally:
            machine.clean_up()
    print(table(timings))
