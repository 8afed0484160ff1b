"""The machine of a soak: fifty scripted gateways and some of the real agent, behind one runtime.

Owns: the program that is both, what each profile's gateway is like, secrets that nobody else may ever show, the
file system that can be full, and the clock that can be set. Must not know what becomes of any of it.
"""

import json
import os
import random
import shlex
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.daemon import Daemon, scripted
from tests.e2e.house import Machine, free_port
from tests.e2e.understudy import home_of
from tests.fakes.model import MODEL, ModelServer

CANARY = "soakcanary"
"""What every secret of the machine contains, and nothing else."""

REAL = ("ana", "ben", "cleo")
DISK_MIB = 2048
ATTEMPTS = 20
"""No disk is made smaller than what is on it, which grows while it is measured."""
POLICY: Mapping[str, float] = {
    "start_limit_s": 90.0,
    "stable_s": 5.0,
    "grace_extra_s": 3.0,
    "kill_retry_s": 0.5,
    "backoff_first_s": 0.5,
    "backoff_limit_s": 15.0,
    "backoff_rare_s": 20.0,
    "backoff_port_s": 10.0,
    "turn_s": 10.0,
    "look_s": 5.0,
    "hung_after_s": 30.0,
    "unwell_after_s": 20.0,
    "unwell_restart_s": 20.0,
    "unwell_restart_limit_s": 120.0,
    "starts_per_hour": 1_000_000,
    "starts_per_day": 1_000_000,
}
"""A policy that shows within minutes what the usual one does in hours."""

_PROGRAM = """#!/bin/sh
case "$*" in
*"gateway run"*) [ -e "$HERMES_HOME/flags" ] && eval "exec {scripted} $(cat "$HERMES_HOME/flags")" ;;
esac
[ "$*" = --version ] && {{ echo "Hermes Agent v0.19.0 (an understudy)"; exit; }}
[ -x {real} ] && HERMES_DISABLE_LAZY_INSTALLS=1 exec {real} "$@"
exit 64
"""

_WELL = ("--ready-after", "0", "--notify", "--heartbeat", "3", "--drain", "--platform", "telegram=connected")


def draw_flags(rng: random.Random) -> tuple[str, ...]:
    """What a gateway is like: most are well, and some of those a little odd."""
    return rng.choices(
        (
            _WELL,
            (*_WELL, "--ready-after", f"{rng.uniform(0.5, 8):.1f}"),
            (*_WELL, "--leak", str(rng.choice((1_000, 10_000, 50_000)))),
            (*_WELL, "--ignore-term"),
            (*_WELL, "--daemon"),
            (*_WELL, "--daemon", "--daemon-ignores-term"),
            (*_WELL, "--flood", "100"),
            (*_WELL, "--exit-after", f"{rng.uniform(5, 300):.1f}", "--code", str(rng.choice((0, 1, 2, 75, 78)))),
            (*_WELL, "--exit-after", f"{rng.uniform(1, 60):.1f}", "--die-by", str(rng.choice((6, 9, 11)))),
            (*_WELL, "--freeze-after", f"{rng.uniform(5, 90):.1f}"),
            (*_WELL, "--deafen-after", f"{rng.uniform(5, 90):.1f}"),
            (*_WELL, "--mute-watchdog-after", f"{rng.uniform(5, 90):.1f}"),
            ("--deadlock-at-start",),
        ),
        weights=(40, 8, 6, 6, 4, 4, 1, 8, 5, 5, 4, 5, 1),
    )[0]


FAULTS = ("--exit-after", "--freeze-after", "--deafen-after", "--deadlock-at-start")
"""Flags of a gateway that does not stay up by itself."""


@dataclass
class Stage:
    """One machine. `prepare` it once; then its daemon may be started and ended at will."""

    daemon: Daemon
    rng: random.Random
    real: Path | None
    """The executable of the real agent, if there is one."""
    gateways: int
    is_mounted: bool = False
    """Whether the home is a file system of its own, that can be full."""
    names: tuple[str, ...] = ()
    """Every name that scripted profiles may ever have."""
    reals: tuple[str, ...] = ()
    _secrets: int = field(default=0)

    @property
    def machine(self) -> Machine:
        """Where it is."""
        return self.daemon.machine

    @property
    def clock(self) -> Path:
        """How far ahead the daemon's wall clock is."""
        return self.machine.home / "clock"

    def prepare(self, model: ModelServer) -> None:
        """Makes profiles and settings, starts the daemon, and has it use the program."""
        self.set_clock(0.0)
        self.names = tuple(f"bot{number:02}" for number in range(self.gateways + 8))
        for name in self.names[: self.gateways]:
            home_of(self.machine, name).mkdir(mode=0o700, parents=True)
            self.furnish(name)
        if self.real is not None:
            self.reals = REAL
            for name in REAL:
                self._furnish_real(name, model)
        self.daemon.write_settings({}, POLICY)
        self.daemon.program = (str(Path(__file__).with_name("daemon_program.py")), str(self.clock))
        self.daemon.start()
        added = self.machine.ok("runtime", "add", str(self._write_program()), "-o", "name")
        self.machine.ok("runtime", "use", added.strip().rpartition("/")[2])

    def furnish(self, name: str) -> None:
        """Gives a scripted profile a bot, a secret and a behaviour of its own, unless it brought them along."""
        home = home_of(self.machine, name)
        if not token_of(self.machine, name):
            self._secrets += 1
            token = f"{1_000_000 + self._secrets}:{CANARY}{self._secrets:025}"
            env = f"TELEGRAM_BOT_TOKEN={token}\nPORTAL_PASSWORD={CANARY}-{self._secrets}\n"
            _replace(home / ".env", env)
        _replace(home / "flags", shlex.join(draw_flags(self.rng)))

    def set_clock(self, ahead_s: float) -> None:
        """Sets the daemon's wall clock, now."""
        if not self.clock.exists():
            self.clock.write_bytes(struct.pack("d", ahead_s))
        with self.clock.open("r+b") as file:
            file.write(struct.pack("d", ahead_s))

    def resize(self, mib: int = 0) -> None:
        """Makes the disk so large; with 0, so small that nothing more fits."""
        for _ in range(ATTEMPTS):
            size = f"{mib}m" if mib else f"{_used_kib(self.machine.home)}k"
            command = ["mount", "-o", f"remount,size={size}", str(self.machine.home)]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
            if done.returncode == 0:
                return
        raise OSError(done.stderr)

    def _write_program(self) -> Path:
        """The program that both kinds of gateways run, in what looks like the real agent's installation."""
        place = self.machine.home / "understudy"
        (place / "bin").mkdir(parents=True)
        real = self.real or Path("/nowhere")
        if self.real is not None:
            (place / "lib").symlink_to(real.resolve().parent.parent / "lib")
            (place / "bin" / "python").symlink_to(real.with_name("python"))
        program = place / "bin" / "hermes"
        program.write_text(_PROGRAM.format(scripted=shlex.join(scripted()), real=shlex.quote(str(real))))
        program.chmod(0o755)
        return program

    def _furnish_real(self, name: str, model: ModelServer) -> None:
        home = home_of(self.machine, name)
        home.mkdir(mode=0o700, parents=True)
        key = f"{CANARY}-key-of-{name}-0123456789"
        lines = {"API_SERVER_ENABLED": "true", "API_SERVER_KEY": key, "API_SERVER_PORT": str(free_port())}
        _replace(home / ".env", "".join(f"{variable}={value}\n" for variable, value in lines.items()))
        told = {"default": MODEL, "provider": "custom", "base_url": model.base_url, "context_length": 131072}
        _replace(home / "config.yaml", json.dumps({"model": told}))


def flags_of(machine: Machine, profile: str) -> Sequence[str]:
    """How the gateway of a profile behaves from its next start on; nothing for the real agent's."""
    try:
        return shlex.split((home_of(machine, profile) / "flags").read_text())
    except FileNotFoundError:
        return ()


def token_of(machine: Machine, profile: str) -> str:
    """Its bot; empty without one."""
    try:
        lines = (home_of(machine, profile) / ".env").read_text().splitlines()
    except FileNotFoundError:
        return ""
    return next((line.partition("=")[2] for line in lines if line.startswith("TELEGRAM_BOT_TOKEN=")), "")


@contextmanager
def disk(directory: Path) -> Iterator[bool]:
    """A file system of its own at a directory, where that may be made; yields whether it could."""
    if os.geteuid() != 0 or sys.platform != "linux":
        yield False
        return
    options = f"size={DISK_MIB}m,mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], check=True)
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def _used_kib(place: Path) -> int:
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize // 1024


def _replace(path: Path, text: str) -> None:
    """As an editor saves, by another file."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(path)
