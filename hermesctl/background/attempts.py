"""One attempt to start a daemon.

Owns: the daemon's process as it is set off, in each way: what it gets of us, and how its failure is told. Must not
know who else tries, nor when it serves.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hermesctl.background.managers import Answer, Manager
from hermesctl.background.surroundings import look
from hermesctl.background.ways import (
    UMASK,
    UNIT,
    Plan,
    Way,
    choose,
    daemon_environment,
    scope_words,
    service_words,
)
from hermesctl.client.places import Places, start_ticks_of
from hermesctl.errors import Fix, HermesError

COMMAND = (sys.executable, "-m", "hermesd")
TAIL_LINES = 10
TAIL_BYTES = 8192
UNIT_LIMIT_S = 60.0
"""How long a manager may take to start a unit that tells when it is ready."""
STATE_CHECK_S = 0.5
"""How often a manager is asked what became of a unit."""
ENDED_STATES = frozenset({"failed", "inactive"})

DETACHING = (
    "import os, sys\n"
    "print(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, setsid=True,"
    " file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)]))"
)
"""What an interpreter does that starts a program in a session of its own and ends at once, so that the program is
nobody's child: a command that becomes the agent would otherwise give the agent a child it never started."""


@dataclass
class Attempt:
    """A daemon that was set off and may or may not come to serve."""

    places: Places
    offset: int
    """How much had been printed before."""
    pid: int | None = None
    """The daemon's process, if it was started by us."""
    start_ticks: int | None = None
    manager: Manager | None = None
    """Who started it if we did not."""
    unit: str = ""
    _seen_s: float = field(default=0.0, repr=False)

    @property
    def has_ended(self) -> bool:
        """Whether it has come to nothing."""
        if self.manager is None:
            return self.pid is None or self.start_ticks is None or start_ticks_of(self.pid) != self.start_ticks
        if time.monotonic() - self._seen_s < STATE_CHECK_S:
            return False
        self._seen_s = time.monotonic()
        return self.manager.properties(self.unit, "ActiveState").get("ActiveState") in ENDED_STATES

    def failure(self, why: str = "") -> HermesError:
        """What is known of its end; `why` is what the manager said, if anything."""
        fixes = []
        if self.manager is not None and self.unit == UNIT:
            fixes = _unit_fixes(self.manager)
            why = why or f"{UNIT} ended as soon as it was started"
        said = [] if why else _tail(self.places.output_file, self.offset)
        why = why or "; ".join(said) or "it ended without a word"
        return HermesError("DAEMON_ABSENT", "hermesd did not start", why=why, fixes=fixes)


def begin(places: Places, environment: Mapping[str, str]) -> Attempt:
    """Sets a daemon off.

    Raises:
        HermesError: DAEMON_ABSENT, it cannot be done here or was refused; NOT_PERMITTED.
    """
    plan = choose(look(places, environment))
    environment = {**environment, "HOME": str(places.home)}  # not the one that an agent gave its tools
    attempt = Attempt(places, _size(places.output_file), manager=plan.manager)
    name = f"hermesd-{places.state.name}-{secrets.token_hex(4)}"
    match plan:
        case Plan(Way.UNIT, Manager() as manager):
            attempt.unit = UNIT
            _demand(attempt, manager.ask("start", UNIT, limit_s=UNIT_LIMIT_S))
        case Plan(Way.SERVICE, Manager() as manager):
            attempt.unit = f"{name}.service"
            words = service_words(manager, name, environment, places.output_file, COMMAND)
            _demand(attempt, manager.run(words, UNIT_LIMIT_S))
        case Plan(Way.SCOPE, Manager() as manager):
            variables = daemon_environment(environment) | dict(manager.address)
            _detach(attempt, scope_words(manager, name, COMMAND), variables)
        case _:
            _detach(attempt, COMMAND, daemon_environment(environment))
    return attempt


def make_directories(places: Places) -> None:
    """Makes what a client needs before there is a daemon.

    Raises:
        HermesError: NOT_PERMITTED, it cannot.
    """
    try:
        places.state.parent.parent.mkdir(parents=True, exist_ok=True)  # shared with other programs
        for directory in (places.state.parent, places.state, places.output_file.parent):
            directory.mkdir(mode=0o700, exist_ok=True)
    except PermissionError as error:
        raise _not_permitted(error) from error


def _detach(attempt: Attempt, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Starts a program that is nobody's child, in the attempt's place."""
    try:
        with open(attempt.places.output_file, "ab", opener=_private) as output:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", DETACHING, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd="/",
                env=environment,
                umask=UMASK,
                start_new_session=True,
                check=False,
            )
    except PermissionError as error:
        raise _not_permitted(error) from error
    if done.returncode != 0:
        raise attempt.failure()
    attempt.manager = None  # a scope only encloses
    attempt.pid = int(done.stdout)
    attempt.start_ticks = start_ticks_of(attempt.pid)


def _demand(attempt: Attempt, answer: Answer | None) -> None:
    """Raises the failure of an attempt that a manager declined."""
    if answer is None:
        raise attempt.failure(f"systemd did not answer within {UNIT_LIMIT_S:.0f} s")
    if answer.code != 0:
        lines = [line for line in answer.err.splitlines() if line.strip()]
        raise attempt.failure(lines[0] if lines else f"systemd refused ({answer.code})")


def _unit_fixes(manager: Manager) -> list[Fix]:
    """What a person can do about a unit that did not start; the system's is for root to start."""
    if manager.uid != os.geteuid():
        return [Fix(f"sudo systemctl start {UNIT}", "it keeps this root, and is the system's")]
    return [Fix(f"systemctl {manager.flag} status {UNIT}", "see what it says")]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _not_permitted(error: PermissionError) -> HermesError:
    return HermesError("NOT_PERMITTED", "cannot start the daemon", why=str(error))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tail(path: Path, offset: int) -> list[str]:
    """The last lines written after `offset`, without the labels: what the daemon said before it ended."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(offset, _size(path) - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    words = (line.strip().removeprefix("error: ").removeprefix("why: ") for line in lines)
    return [line for line in words if line][-TAIL_LINES:]
