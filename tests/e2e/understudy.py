"""A scripted gateway in the place of hermes-agent: hermesd believes that it drives the real one.

Owns: a runtime whose program answers for its version and becomes a scripted gateway, and how the gateway of each
profile behaves. Must not know what a test proves.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.e2e.daemon import Daemon, scripted
from tests.e2e.house import Machine

BEATING = ("--ready-after", "0", "--notify", "--heartbeat", "0.3", "--drain")
"""A gateway that is well, with a heart that beats a hundred times as fast as the agent's."""

TELEGRAM = ("--platform", "telegram=connected")

HASTY: dict[str, float | bool] = {
    "start_limit_s": 2.0,
    "stable_s": 0.5,
    "grace_extra_s": 0.3,
    "kill_retry_s": 0.2,
    "backoff_first_s": 0.2,
    "backoff_limit_s": 20.0,
    "jitter": 0,
    "look_s": 1.0,
    "hung_after_s": 2.5,
    "unwell_after_s": 1.0,
    "unwell_restart_s": 1.0,
    "well_s": 3600.0,
    "starts_per_hour": 1_000_000,
    "starts_per_day": 1_000_000,
}
"""A policy that makes up its mind in seconds. Back-off is as it is everywhere, a second shorter."""

_PROGRAM = """#!/bin/sh
case "$*" in
*--version*) echo "Hermes Agent v0.19.0 (an understudy)" ;;
*"gateway run"*) eval "exec {argv} $(cat "$HERMES_HOME/flags")" ;;
*) exit 64 ;;
esac
"""


def take_the_stage(daemon: Daemon) -> None:
    """Makes the program and has a running daemon use it for every profile."""
    program = daemon.machine.home / "understudy" / "bin" / "hermes"
    program.parent.mkdir(parents=True)
    program.write_text(_PROGRAM.format(argv=shlex.join(scripted())))
    program.chmod(0o755)
    name = daemon.machine.ok("runtime", "add", str(program), "-o", "name").strip().rpartition("/")[2]
    daemon.machine.ok("runtime", "use", name)


def play(daemon: Daemon, parts: Mapping[str, Sequence[str]], **policy: float | bool) -> None:
    """Makes these profiles, whose gateways behave so, and starts the daemon; nothing else is started."""
    for name, flags in parts.items():
        cast(daemon.machine, name, *flags)
    daemon.write_settings({}, HASTY | policy)
    daemon.start()
    take_the_stage(daemon)


def home_of(machine: Machine, profile: str) -> Path:
    """The home of a profile."""
    return machine.root / "profiles" / profile


def cast(machine: Machine, profile: str, *flags: str, has_channel: bool = True) -> None:
    """Makes a profile, if it is not there, and says how its gateway behaves from its next start on."""
    home = home_of(machine, profile)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "flags").write_text(shlex.join(flags))
    if has_channel:
        (home / ".env").write_text(f"TELEGRAM_BOT_TOKEN={sum(profile.encode())}:{profile}-{'A' * 30}\n")
