"""Commands of the client, warm and cold, beside bare Python and beside hermes-agent, in one run.

Without --hermes the real agent is installed into a scratch directory first, so that nothing is compared with a
memory.
"""

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from hermesd.adapters import account
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.domain import environment
from tests.bench import usage
from tests.bench.rounds import Command, measure, table
from tests.e2e.house import CLIENT, Machine

ALIAS = "bencher"
"""The one profile of the bench that has an alias."""

INTERRUPTED = 130
TAB = b"hermesctl\0hermesctl profile show \0\0"
"""What the script of a shell sends at a Tab after these words."""


def install_agent(directory: Path) -> Path:
    """Installs the newest supported hermes-agent and returns its executable."""
    inherited = account.inherited_environment()
    allowed = environment.for_installer(inherited, account.account())
    installer = PipInstaller(directory, allowed, HermesAgent())
    return installer.install(installer.versions()[0], lambda _: None, lambda: False).executable


def commands(hermes: Path, machine: Machine) -> list[Command]:
    """What is compared; the first one is what ratios are taken against."""
    client, alias = str(CLIENT), str(machine.home / ".local" / "bin" / ALIAS)
    cold = ["env", "HERMESCTL_NO_WARM=1", client]
    nowhere = ["env", "HERMESD_ROOT=/nonexistent", client]
    return [
        Command("python -c pass", [sys.executable, "-c", "pass"]),
        Command("python -IS -c pass", [sys.executable, "-IS", "-c", "pass"]),
        Command("hermesctl profile list", [client, "profile", "list"]),
        Command("hermesctl gateway list", [client, "gateway", "list"]),
        Command("hermesctl gateway status X", [client, "gateway", "status", ALIAS], codes=(3,)),
        Command("hermesctl --help", [client, "--help"]),
        Command("hermesctl profile show nope", [client, "profile", "show", "nope"], codes=(4,)),
        Command("hermesctl __complete", [client, "__complete", "bash"], said=TAB),
        Command("alias profile list", [alias, "profile", "list"]),
        Command("alias gateway status", [alias, "gateway", "status"], codes=(3,)),
        Command("cold: profile list", [*cold, "profile", "list"]),
        Command("no daemon: --help", [*nowhere, "--help"]),
        Command("no daemon: --version", [*nowhere, "--version"]),
        Command("alias --version of the agent", [alias, "-V"]),
        Command("hermes --version", [str(hermes), "--version"]),
        Command("hermes profile list", [str(hermes), "profile", "list"]),
        Command("hermes gateway status", [str(hermes), "gateway", "status"]),
    ]


def interruption_s(machine: Machine) -> float:
    """Seconds from Ctrl-C on a command that follows a log to its end with 130."""
    following = subprocess.Popen(
        [str(CLIENT), "events", "-f"],
        env=machine.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    began = time.perf_counter()
    following.send_signal(signal.SIGINT)
    code = following.wait()
    taken = time.perf_counter() - began
    assert code == INTERRUPTED, code
    return taken


def pool(machine: Machine) -> list[psutil.Process]:
    """The zygote and its workers."""
    daemon = psutil.Process(json.loads(machine.ok("daemon", "status", "-o", "json"))["pid"])
    return [one for one in daemon.children(recursive=True) if "hermesctl.warm" in one.cmdline()]


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
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    print(f"seed {options.seed}, {options.rounds} rounds, {options.profiles} profiles")
    with tempfile.TemporaryDirectory() as scratch:
        machine = Machine(Path(scratch) / "home")
        machine.home.mkdir(mode=0o700)
        hermes = options.hermes or install_agent(Path(scratch) / "runtimes")
        try:
            machine.ok("daemon", "start")
            machine.ok("runtime", "add", str(hermes))
            machine.ok("profile", "create", ALIAS)
            for number in range(options.profiles - 2):
                machine.ok("profile", "create", f"profile{number:03d}", "--no-alias")
            listed = commands(hermes, machine)
            timings = measure(listed, machine.environment, rounds=options.rounds, seed=options.seed)
            interruptions = [interruption_s(machine) for _ in range(options.rounds)]
            memory = usage.memory(pool(machine))
        finally:
            machine.clean_up()
    print(table(timings))
    print(f"Ctrl-C to the end of a command: {statistics.median(interruptions) * 1e3:.1f} ms")
    print(f"warm clients: {memory.pss:.1f} MiB PSS, {memory.rss:.1f} MiB RSS")
