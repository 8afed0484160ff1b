"""What a scripted gateway shows of itself while it lives, in the form of hermes-agent 0.19.0.

The other half of `gateway.py`. Owns: the state file, the heartbeat, notifications, and the loop that leaves these
signs until it is disturbed. Must not know the signals of the kernel, or how a gateway ends.
"""

import argparse
import json
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STATE_FILE = "gateway_state.json"
HEARTBEAT_FILE = Path("state") / "gateway.heartbeat"
DRAIN_FILE = ".drain_request.json"
DRAIN_LOOK_S = 0.1
"""How often the request is looked for; the agent takes 1 s."""
FLOOD_EVERY_S = 0.05
LEAK_EVERY_S = 0.1
BEGAN_S = time.time()


def add_flags(add: Callable[..., Any]) -> None:
    """The flags that this module reads."""
    add("--platform", action="append", default=[], metavar="NAME=STATE", help="a platform of the state file")
    add("--heartbeat", type=float, default=0.0, help="write the heartbeat file every so many seconds")
    add("--notify", action="store_true", help="send READY=1 when up, and WATCHDOG=1 as the environment asks for")
    add("--drain", action="store_true", help="obey the drain request")
    add("--deadlock-at-start", action="store_true", help="never report, and never end by itself")
    add("--freeze-after", type=float, help="stop the loop that long after it is up: no sign, no ear for signals")
    add("--deafen-after", type=float, help="lose the first platform that long after it is up; all else goes on")
    add("--deafened-as", default="disconnected", help="the state it has then")
    add("--late-beats", type=float, default=1.0, help="every beat takes that many times longer")
    add("--mute-watchdog-after", type=float, help="send no more WATCHDOG=1 from then on; all else goes on")
    add("--leak", type=int, default=0, help="keep so many more bytes every second")
    add("--flood", type=int, default=0, help="write so many lines to standard output every second")


def home() -> Path | None:
    """The home it serves, if there is one."""
    said = os.environ.get("HERMES_HOME")
    return Path(said) if said else None


def start_time() -> int:
    """Start of this process in clock ticks since boot."""
    return _start_time("self")


def notify(message: str) -> None:
    """Tells whoever set NOTIFY_SOCKET, if anybody did and still listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.send(message.encode())
        except OSError:  # as for the agent, a supervisor that is away is no trouble
            return


class Report:
    """The state file."""

    def __init__(self, platforms: Mapping[str, str]) -> None:
        """`platforms` gives the state of each."""
        self.state = ""
        self._platforms = {name: self._entry(state) for name, state in platforms.items()}

    def say(self, state: str, *, exit_reason: str | None = None, restart_requested: bool = False) -> None:
        """Writes the file if there is a home."""
        self.state = state
        if (place := home()) is None:
            return
        content = {
            "pid": os.getpid(),
            "kind": "hermes-gateway",
            "argv": sys.argv,
            "start_time": start_time(),
            "gateway_state": state,
            "exit_reason": exit_reason,
            "restart_requested": restart_requested,
            "active_agents": 0,
            "platforms": self._platforms,
            "updated_at": _now(),
        }
        _write(place / STATE_FILE, content)

    def lose_platform(self, state: str) -> None:
        """The first platform is in that state from now on."""
        name = next(iter(self._platforms))
        self._platforms[name] = self._entry(state)
        self.say(self.state)

    def _entry(self, state: str) -> dict[str, str | None]:
        return {"state": state, "error_code": None, "error_message": None, "updated_at": _now()}


@dataclass
class Chore:
    """Something that is done again and again, or once after a while."""

    every_s: float
    deed: Callable[[], None]
    due_s: float = 0.0
    """By the monotonic clock."""


@dataclass
class Loop:
    """The event loop: it turns while nothing disturbs it, and leaves signs of that."""

    flags: argparse.Namespace
    report: Report
    _chores: list[Chore] = field(default_factory=list)
    _kept: list[bytes] = field(default_factory=list)
    _lines: int = 0
    _is_watchdog_mute: bool = False

    def start(self) -> None:
        """The gateway is up."""
        flags = self.flags
        if flags.notify:
            notify("READY=1\nSTATUS=Hermes Gateway running")
            self._again(_watchdog_s() / 2 * flags.late_beats, self._feed_watchdog)
        if flags.heartbeat:
            beat_every_s = flags.heartbeat * flags.late_beats
            beat()
            self._again(beat_every_s, beat)
        if flags.drain:
            self._again(DRAIN_LOOK_S, self._obey_drain)
        if flags.leak:
            self._again(LEAK_EVERY_S, self._leak)
        if flags.flood:
            self._again(FLOOD_EVERY_S, self._flood)
        self._once(flags.deafen_after, lambda: self.report.lose_platform(flags.deafened_as))
        self._once(flags.mute_watchdog_after, self._mute_watchdog)
        self._once(flags.freeze_after, freeze)

    def turn(self) -> float:
        """Does what is due; returns in how many seconds something else will be."""
        for chore in self._chores:
            if chore.due_s <= time.monotonic():
                chore.deed()
                chore.due_s += chore.every_s
        next_s = min((chore.due_s for chore in self._chores), default=math.inf)
        return max(next_s - time.monotonic(), 0.0)

    def _again(self, every_s: float, deed: Callable[[], None]) -> None:
        self._chores.append(Chore(every_s, deed, time.monotonic() + every_s))

    def _once(self, after_s: float | None, deed: Callable[[], None]) -> None:
        if after_s is not None:
            self._chores.append(Chore(math.inf, deed, time.monotonic() + after_s))

    def _feed_watchdog(self) -> None:
        if not self._is_watchdog_mute:
            notify("WATCHDOG=1")

    def _mute_watchdog(self) -> None:
        self._is_watchdog_mute = True
        notify("STATUS=watchdog unhealthy: event loop progress is late")

    def _obey_drain(self) -> None:
        """A request of another boot or container is none (the agent survives those with its home, not itself)."""
        place = home()
        wanted = "draining" if place is not None and _is_drain_asked(place / DRAIN_FILE) else "running"
        if self.report.state in ("draining", "running") and self.report.state != wanted:
            self.report.say(wanted)

    def _leak(self) -> None:
        self._kept.append(os.urandom(1) * int(self.flags.leak * LEAK_EVERY_S))

    def _flood(self) -> None:
        for _ in range(max(1, int(self.flags.flood * FLOOD_EVERY_S))):
            self._lines += 1
            print(f"flood {self._lines} of {os.getpid()}, as a gateway writes that has lost its mind")
        sys.stdout.flush()


def beat() -> None:
    """Writes the heartbeat file if there is a home."""
    if (place := home()) is None:
        return
    path = place / HEARTBEAT_FILE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    content = {
        "pid": os.getpid(),
        "updated_at": _now(),
        "monotonic": time.monotonic(),
        "start_time": BEGAN_S,
    }
    _write(path, content)


def freeze() -> None:
    """Never returns; signals are blocked, so that only SIGKILL ends the process."""
    while True:
        time.sleep(3600)


def _is_drain_asked(path: Path) -> bool:
    try:
        said = json.loads(path.read_text())
    except FileNotFoundError:
        return False
    except ValueError:
        return True  # that it is there is enough
    epoch = said.get("epoch", "") if isinstance(said, dict) else ""
    return epoch in ("", _epoch())


def _epoch() -> str:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot_id}:{_start_time('1')}"


def _start_time(pid: str) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _watchdog_s() -> float:
    """How long systemd, or who stands in for it, would wait; for ever if it does not say."""
    said = os.environ.get("WATCHDOG_USEC", "")
    return int(said) / 1e6 if said else math.inf


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """As the agent does: to a draft that replaces the file."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, separators=(",", ":"))
    draft.replace(path)
