"""What befalls the machine, one after the other: deaths, pauses, a full disk, too few descriptors, wrong clocks.

Owns: each trouble, and its end. Must not know what must hold meanwhile.
"""

import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from hermesd.adapters import pidfd
from tests.e2e.accidents import cut_power
from tests.e2e.census import members
from tests.e2e.soak.stage import DISK_MIB, Stage, flags_of
from tests.e2e.soak.weather import Weather

ONLY = frozenset(filter(None, os.environ.get("HERMESD_SOAK_TROUBLES", "").split(",")))
"""Names of the only kinds that are made; empty for all."""

DAY_S = 86_400.0
DEADLY = (*3 * (signal.SIGKILL,), signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT)
"""How gateways are ended: mostly without a chance."""
REBOUND_S = 35.0
"""How long a daemon may take to see that its socket was taken away."""


@dataclass
class Troubles:
    """Made one at a time. Of the daemon's process nobody else begins or ends anything."""

    stage: Stage
    weather: Weather
    rng: random.Random
    tell: Callable[[str], None]
    pause_s: float
    may_end_daemon: threading.Event = field(default_factory=threading.Event)
    """Set while the daemon's life may be ended. Only a long life shows a leak."""

    def live(self, ending: threading.Event) -> None:
        """Makes trouble until the end; then everything runs, with room, descriptors and the right time."""
        while not ending.wait(self.rng.expovariate(1 / self.pause_s)):
            kinds = [one for one in KINDS if self._is_possible(one)]
            (kind,) = self.rng.choices(kinds, [one.weight for one in kinds])
            self.tell(f"trouble: {kind.name}")
            if kind.is_of_daemon:
                with self.weather.trouble(kind.name):
                    kind.make(self)
            else:
                self.weather.troubles[kind.name] += 1
                kind.make(self)

    def _is_possible(self, kind: "Kind") -> bool:
        if ONLY and kind.name not in ONLY:
            return False
        if kind.ends_daemon and not self.may_end_daemon.is_set():
            return False
        return self.stage.is_mounted or not kind.needs_disk

    @property
    def _pid(self) -> int:
        assert self.stage.daemon.process is not None
        return self.stage.daemon.process.pid

    def kill_daemon(self) -> None:
        self.stage.daemon.kill()
        time.sleep(self.rng.choice((0.0, 0.0, self.rng.uniform(0, 8))))
        self.stage.daemon.start()

    def end_daemon(self) -> None:
        self.stage.daemon.end()
        self.stage.daemon.start()

    def stop_daemon_by_command(self) -> None:
        self.stage.machine.ctl("daemon", "stop")
        self.stage.daemon.wait()
        self.stage.daemon.start()

    def kill_at_start(self) -> None:
        """The daemon, again and again while it takes up what there is."""
        for _ in range(self.rng.randint(1, 4)):
            self.stage.daemon.kill()
            self.stage.daemon.start()
            time.sleep(self.rng.uniform(0, 0.5))

    def cut_power(self) -> None:
        cut_power(self.stage.daemon)
        self.stage.daemon.start()

    def kill_clients(self) -> None:
        """Workers, the zygote, or all of them; a command that a worker runs is lost with it."""
        found = psutil.Process(self._pid).children(recursive=True)
        warm = [one for one in found if "hermesctl.warm" in _words(one)]
        for process in self.rng.sample(warm, self.rng.randint(min(1, len(warm)), len(warm))):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def pause_daemon(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)
        time.sleep(self.rng.choice((self.rng.uniform(0, 2), self.rng.uniform(2, 20))))
        os.kill(self._pid, signal.SIGCONT)

    def kill_gateways(self) -> None:
        found = members(self.stage.machine)
        count = self.rng.choice((1, 1, 2, 5, len(found) // 2, len(found)))
        for member in self.rng.sample(found, min(count, len(found))):
            pidfd.send(member.process, self.rng.choice(DEADLY))

    def pause_gateways(self) -> None:
        """Some stand still: long enough that they hang, or not."""
        found = members(self.stage.machine)
        paused = self.rng.sample(found, min(self.rng.randint(1, 5), len(found)))
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for member in paused:
                pidfd.send(member.process, number)
            if number == signal.SIGSTOP:
                time.sleep(self.rng.choice((self.rng.uniform(0, 5), self.rng.uniform(20, 60))))

    def fill_disk(self) -> None:
        self.stage.resize()
        try:
            time.sleep(self.rng.uniform(1, 15))
        finally:
            self.stage.resize(DISK_MIB)

    def exhaust_descriptors(self) -> None:
        """So few are left that some of what the daemon does fails."""
        soft, hard = resource.prlimit(self._pid, resource.RLIMIT_NOFILE)
        used = psutil.Process(self._pid).num_fds()
        resource.prlimit(self._pid, resource.RLIMIT_NOFILE, (used + self.rng.choice((0, 1, 3, 10)), hard))
        try:
            time.sleep(self.rng.uniform(1, 15))
        finally:
            resource.prlimit(self._pid, resource.RLIMIT_NOFILE, (soft, hard))

    def set_clock(self) -> None:
        """Hours or years, either way, for a while or for good; where nothing is done, back to what is right."""
        span_s = self.rng.choice((3600.0, DAY_S, 30 * DAY_S, 3650 * DAY_S))
        self.stage.set_clock(self.rng.choice((0.0, self.rng.uniform(-span_s, span_s))))

    def take_socket(self) -> None:
        """As a cleaner of old files does."""
        (self.stage.daemon.places.state / "run" / self.rng.choice(("api.sock", "cmd.sock", "notify.sock"))).unlink(
            missing_ok=True
        )
        time.sleep(REBOUND_S)

    def change_gateways(self) -> None:
        """Some will behave in another way from their next start on."""
        for name in self.rng.sample(self.stage.names, 5):
            if flags_of(self.stage.machine, name):
                with suppress(FileNotFoundError):
                    self.stage.furnish(name)


@dataclass(frozen=True)
class Kind:
    """A trouble of `Troubles`."""

    name: str
    make: Callable[[Troubles], None]
    weight: float
    is_of_daemon: bool = True
    ends_daemon: bool = False
    needs_disk: bool = False


KINDS: Sequence[Kind] = (
    Kind("kill daemon", Troubles.kill_daemon, 6, ends_daemon=True),
    Kind("end daemon", Troubles.end_daemon, 3, ends_daemon=True),
    Kind("daemon stop", Troubles.stop_daemon_by_command, 2, ends_daemon=True),
    Kind("kill daemon at start", Troubles.kill_at_start, 2, ends_daemon=True),
    Kind("power cut", Troubles.cut_power, 1, ends_daemon=True),
    Kind("kill clients", Troubles.kill_clients, 2),
    Kind("pause daemon", Troubles.pause_daemon, 2),
    Kind("kill gateways", Troubles.kill_gateways, 6, is_of_daemon=False),
    Kind("pause gateways", Troubles.pause_gateways, 2, is_of_daemon=False),
    Kind("full disk", Troubles.fill_disk, 2, needs_disk=True),
    Kind("few descriptors", Troubles.exhaust_descriptors, 2),
    Kind("clock", Troubles.set_clock, 2),
    Kind("take socket", Troubles.take_socket, 0.5),
    Kind("change gateways", Troubles.change_gateways, 2, is_of_daemon=False),
)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
