"""People at terminals, who do anything that the client can do, to anybody, without an end.

Owns: the command lines, and what may be answered to each. Must not know what happens to the daemon meanwhile: the
weather tells only whether something did.
"""

import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.e2e.callers import directories
from tests.e2e.house import CLIENT
from tests.e2e.soak.stage import CANARY, Stage
from tests.e2e.soak.weather import Weather
from tests.e2e.test_crowd import REFUSALS

LOOK_S, CHANGE_S, HOPELESS_S = 20.0, 300.0, 600.0
"""How long a question and a change may take in calm weather, and anything in any."""

EXPECTED = REFUSALS | {
    "PROFILE_REPLACED",
    "PROFILE_CONFLICT",
    "GATEWAY_CRASHED",
    "GATEWAY_NOT_READY",
    "GATEWAY_STUCK",
    "GATEWAY_MISCONFIGURED",
    "GATEWAY_NOT_RUNNING",
    "TOKEN_IN_USE",
    "PORT_IN_USE",
    "CHANGED_MEANWHILE",
    "PARTIAL",
    "STILL_RUNNING",
}
"""What somebody may be told of gateways that misbehave, and because others do things too."""

CODES = frozenset({0, 1, 3, 4, 5, 6, 7, 10, 11})
"""Exit codes of what was done, refused or tried, in calm weather."""

Draw = Callable[["Person"], Sequence[str]]
Complain = Callable[[str], None]


@dataclass
class Journal:
    """What people did, and how it ended."""

    commands: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, code: int, reason: str, took_s: float) -> None:
        """One command that has ended."""
        with self.lock:
            self.commands[what] += 1
            self.codes[code] += 1
            self.slowest[what] = max(self.slowest.get(what, 0.0), took_s)
            if reason:
                self.reasons[reason] += 1


@dataclass
class Person:
    """Somebody who does one thing after the other."""

    stage: Stage
    weather: Weather
    rng: random.Random
    journal: Journal
    complain: Complain
    pause_s: float

    def live(self, ending: threading.Event) -> None:
        """Does things until the end."""
        while not ending.wait(self.rng.expovariate(1 / self.pause_s)):
            draws, weights = zip(*VERBS, strict=True)
            (draw,) = self.rng.choices(draws, weights)
            words = draw(self)
            if words[0] == FOLLOWING:
                self._follow(words[1:])
            else:
                self._do(words)

    def name(self) -> str:
        """Somebody who is there, most likely."""
        there = sorted(directories(self.stage.machine))
        return self.rng.choice(there if there and self.rng.random() < 0.95 else [*self.stage.names, "ghost"])

    def scripted(self) -> str:
        """The same, but nobody whose gateway is the real agent's."""
        there = sorted(directories(self.stage.machine).keys() - set(self.stage.reals))
        return self.rng.choice(there or list(self.stage.names))

    def free(self) -> str:
        """A name that nobody has, most likely."""
        there = directories(self.stage.machine)
        return self.rng.choice([one for one in self.stage.names if one not in there] or list(self.stage.names))

    def glob(self) -> str:
        """A pattern that some names match."""
        return self.rng.choice(("bot0*", "bot1*", "bot*3", "bot?5", "*a*", "bot2*"))

    def _do(self, words: Sequence[str]) -> None:
        began_s = time.monotonic()
        process = self._begin(words)
        try:
            out, err = process.communicate(timeout=HOPELESS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            self.complain(f"{words} did not end within {HOPELESS_S:g} s")
            return
        took_s = time.monotonic() - began_s
        self._judge(words, process.returncode, out, err, began_s, took_s)
        self._tidy(words, process.returncode)

    def _follow(self, words: Sequence[str]) -> None:
        """Watches something for a while; Ctrl-C ends it, or the terminal is closed."""
        began_s = time.monotonic()
        process = self._begin(words)
        try:
            out, err = process.communicate(timeout=self.rng.uniform(1, 20))
        except subprocess.TimeoutExpired:
            process.send_signal(self.rng.choice((signal.SIGINT, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)))
            try:
                out, err = process.communicate(timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                process.kill()
                self.complain(f"{words} did not hear Ctrl-C")
                return
        self._check_texts(words, out, err)
        self.journal.note(_title(words), process.returncode, "", time.monotonic() - began_s)

    def _begin(self, words: Sequence[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(CLIENT), *words],
            env={**self.stage.machine.environment, "MY_TOKEN": f"{CANARY}-of-a-shell"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def _judge(self, words: Sequence[str], code: int, out: str, err: str, began_s: float, took_s: float) -> None:
        self._check_texts(words, out, err)
        reason = reason_of(err)
        self.journal.note(_title(words), code, reason, took_s)
        if not self.weather.was_calm(began_s):
            return
        told = f"{' '.join(words)}: exit {code} after {took_s:.1f} s: {out[-400:]} {err[-1500:]}"
        if code not in CODES or (reason and reason not in EXPECTED):
            self.complain(told)
        if took_s > (LOOK_S if words[0] in LOOKS else CHANGE_S):
            self.complain(f"slow: {told}")

    def _check_texts(self, words: Sequence[str], out: str, err: str) -> None:
        """What no answer may ever hold."""
        for bad in (CANARY, "Traceback", "made a mistake"):
            text = out + err if bad == CANARY else err  # logs, and the end of one, quote what gateways print
            if bad in text:
                at = text.index(bad)
                self.complain(f"{' '.join(words)} says {text[max(0, at - 300) : at + 1500]}")

    def _tidy(self, words: Sequence[str], code: int) -> None:
        """Who made a profile furnishes it."""
        if code == 0 and words[:2] == ("profile", "create"):
            try:
                self.stage.furnish(words[2])
            except OSError:  # somebody else was faster, or the disk is full
                return


def reason_of(err: str) -> str:
    """The reason of a failure that was told as JSON; empty for none."""
    lines = [line for line in err.splitlines() if line.startswith("{")]
    if not lines:
        return ""
    try:
        said = json.loads(lines[-1])
    except ValueError:
        return ""
    return str(said.get("error", {}).get("reason", ""))


def _title(words: Sequence[str]) -> str:
    plain = [word for word in words if not word.startswith("-")]
    return " ".join(plain[: 3 if plain[:2] == ["profile", "trash"] else 2 if plain[0] in NOUNS else 1])


NOUNS = frozenset({"profile", "gateway", "claims", "skills", "env", "daemon", "operations", "runtime", "terminal"})
LOOKS = frozenset({"status", "claims", "env", "operations", "terminal", "events", "runtime", "version"})
FOLLOWING = "following"
"""The first word of what has no end."""

_JSON = ("-o", "json")

VERBS: Sequence[tuple[Draw, float]] = (
    (lambda one: ("profile", "create", one.free(), *_JSON), 3),
    (lambda one: ("profile", "create", one.free(), "--start", "--clone-from", one.scripted(), *_JSON), 1),
    (lambda one: ("profile", "create", one.free(), "--clone-all", "--clone-from", one.scripted(), *_JSON), 2),
    (
        lambda one: (
            *("profile", "create", one.free(), "--clone-from", one.scripted()),
            *("--channels", "strip", "--dry-run", *_JSON),
        ),
        1,
    ),
    (lambda one: ("profile", "rename", one.scripted(), one.free(), *_JSON), 4),
    (lambda one: ("profile", "delete", one.scripted(), "--yes", *_JSON), 4),
    (lambda one: ("profile", "delete", one.scripted(), "--yes", "--purge", *_JSON), 1),
    (lambda one: ("profile", "delete", one.scripted(), "--dry-run", *_JSON), 1),
    (lambda one: ("profile", "trash", "restore", one.free(), *_JSON), 4),
    (lambda one: ("profile", "trash", "restore", one.free(), "--name", one.free(), *_JSON), 1),
    (lambda one: ("profile", "trash", "empty", one.free(), "--yes", *_JSON), 1),
    (lambda one: ("profile", "trash", "list", *_JSON), 1),
    (lambda one: ("profile", "use", one.name(), *_JSON), 2),
    (lambda one: ("profile", "use", one.rng.choice(("-", "default")), *_JSON), 1),
    (lambda one: ("profile", "list", *_JSON), 3),
    (lambda one: ("profile", "show", one.name(), *_JSON), 2),
    (lambda one: ("profile", "alias", one.scripted(), "--name", f"my{one.rng.randint(0, 9)}", *_JSON), 1),
    (lambda one: ("profile", "alias", one.scripted(), "--remove", *_JSON), 1),
    (lambda one: ("profile", "describe", one.scripted(), "--text", "a bot", *_JSON), 1),
    (lambda one: ("gateway", "start", one.name(), *_JSON), 12),
    (lambda one: ("gateway", "start", one.name(), "--no-wait", *_JSON), 4),
    (lambda one: ("gateway", "start", one.glob(), *_JSON), 3),
    (lambda one: ("gateway", "start", "--all", *_JSON), 1.5),
    (lambda one: ("gateway", "stop", one.name(), *_JSON), 3),
    (lambda one: ("gateway", "stop", one.glob(), *_JSON), 0.3),
    (lambda one: ("gateway", "restart", one.name(), *_JSON), 5),
    (lambda one: ("gateway", "restart", one.glob(), "--at-once", "2", *_JSON), 0.5),
    (lambda one: ("gateway", "restart", "--all", "--no-wait", *_JSON), 0.2),
    (lambda one: ("gateway", "drain", one.name(), "--timeout", "10s", *_JSON), 1),
    (lambda one: ("gateway", "drain", "--cancel", "--all", *_JSON), 1),
    (lambda one: ("gateway", "disable", one.scripted(), *_JSON), 0.5),
    (lambda one: ("gateway", "enable", "--all", *_JSON), 1),
    (lambda one: ("gateway", "status", one.name(), *_JSON), 4),
    (lambda one: ("gateway", "why", one.name()), 2),
    (lambda one: ("gateway", "list", *_JSON), 3),
    (lambda _: ("status",), 5),
    (lambda one: ("status", *_JSON), 3),
    (lambda one: ("logs", one.glob(), "-n", "200", *one.rng.choice(((), _JSON))), 3),
    (lambda one: ("logs", "--all", "--grep", "flood|up|error", "--since", "5m"), 1),
    (lambda one: ("logs", "--source", "daemon", "-n", "500"), 1),
    (lambda one: ("events", "-n", "500", *_JSON), 3),
    (lambda one: ("events", "--kind", "gateway.exited", "--since", "10m"), 1),
    (lambda one: ("top", "--plain", "-n", "2", "--interval", "1s"), 1),
    (lambda one: ("claims", "list", *_JSON), 2),
    (lambda one: ("claims", "show", one.name(), *_JSON), 1),
    (lambda one: ("env", "effective", "-p", one.name(), *_JSON), 2),
    (lambda one: ("env", "effective", "-p", one.name(), "--for", "command"), 1),
    (lambda one: ("skills", "sync", one.scripted(), *_JSON), 1),
    (lambda one: ("skills", "sync", "--all", *_JSON), 0.2),
    (lambda one: ("doctor", one.scripted(), "--no-agent"), 1),
    (lambda one: ("doctor", "--all", "--no-agent"), 0.2),
    (lambda one: ("doctor", one.scripted(), "--no-agent", "--fix"), 0.5),
    (lambda one: ("operations", "list", *_JSON), 1),
    (lambda _: ("terminal", "list", *_JSON), 0.5),
    (lambda _: ("runtime", "list", *_JSON), 0.5),
    (lambda _: ("daemon", "status", *_JSON), 1),
    (lambda one: ("exec", "-p", one.scripted(), "--", "true"), 1),
    (lambda one: (FOLLOWING, "events", "-f", *one.rng.choice(((), ("-o", "jsonl")))), 2),
    (lambda one: (FOLLOWING, "logs", "-f", "--all"), 1),
    (lambda one: (FOLLOWING, "logs", "-f", one.name()), 1),
    (lambda _: (FOLLOWING, "top", "--plain", "--interval", "1s"), 1),
    (lambda _: (FOLLOWING, "status", "-w"), 1),
)
"""Each with its weight."""
