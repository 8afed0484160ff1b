"""A gateway as a program, which behaves as its flags say; run as `python -I gateway.py --flag…`.

Owns: everything a gateway may do to a supervisor, from obeying to hiding its children. What it shows of itself
while it lives is in `gateway_signs.py`, what it does with its bots in `gateway_bots.py`; besides these it imports
only the journal's format. Arguments it does not know are ignored, so it can stand behind the agent's command line.
It prints `up` when its signals are in place and everything it starts has started.

Like the agent: SIGTERM ends it with 1, or with 0 if a planned stop of this process was announced; SIGINT with 0;
SIGUSR1 with 75.
"""

import argparse
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # isolated, it would not find its other half
from tests.fakes import gateway_bots, gateway_signs
from tests.fakes.gateway_signs import Loop, Report, start_time

PLANNED_STOP_FILE = ".gateway-planned-stop.json"
EXIT_RESTART = 75
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
FOR_EVER_S = 86_400.0
"""Longer than any test."""


def main() -> None:
    """Does what the flags say, in the order of their help."""
    flags = parse_flags()
    if flags.clear_environment and os.environ:
        arguments = [a for a in sys.argv[1:] if a != "--clear-environment"]
        os.execve(sys.executable, [sys.executable, "-I", __file__, *arguments], {})
    if flags.comm:
        Path("/proc/self/comm").write_text(flags.comm)
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    gateway_bots.enter_host(flags.host_lock)
    if flags.deadlock_at_start:
        gateway_signs.freeze()
    loop = Loop(flags, Report(dict(words.split("=", 1) for words in flags.platform)))
    loop.report.say("starting")
    for number in range(flags.lines):
        print(f"line {number}")
    if flags.daemon:
        fork_daemon(flags)
    gateway_bots.use(flags)
    if flags.writes:
        threading.Thread(target=write_for_ever, args=(flags.writes, flags.journal), daemon=True).start()
    if flags.tells:
        os.write(flags.tells, b".")
        os.close(flags.tells)
    if flags.ready_after is not None:
        finish_if_signalled(loop, flags.ready_after)
        loop.report.say("running")
    loop.start()
    print("up", flush=True)
    if flags.run:
        subprocess.Popen(["/bin/sh", "-c", flags.run], preexec_fn=unblock)
    finish_if_signalled(loop, FOR_EVER_S if flags.exit_after is None else flags.exit_after)
    if flags.die_by:
        die_by(flags.die_by)
    sys.exit(flags.code)


def parse_flags() -> argparse.Namespace:
    """The flags; unknown arguments are ignored."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add = parser.add_argument
    add("--clear-environment", action="store_true", help="begin again without any environment variable")
    add("--comm", default="", help="take this command name, at most 15 bytes")
    add("--lines", type=int, default=0, help="write that many lines to standard output")
    add("--daemon", action="store_true", help="leave a daemon behind that keeps every descriptor")
    add("--daemon-clears-environment", action="store_true", help="it has no environment variable")
    add("--daemon-ignores-term", action="store_true", help="it ignores SIGTERM")
    add(
        "--writes",
        type=float,
        default=0.0,
        help="write database, memory and a skill every so many seconds, for ever",
    )
    add("--journal", default="", help="a file to which each write is added once it is durable")
    add("--tells", type=int, default=0, help="a descriptor to say on that it is up")
    add("--run", default="", help="start a command of the shell once it is up, as an agent's tool")
    add("--ready-after", type=float, help="say `running` in the state file after that many seconds; else never")
    add("--exit-after", type=float, help="end after that many seconds; else wait for a signal")
    add("--code", type=int, default=0, help="end with this code when the time is over")
    add("--die-by", type=int, default=0, help="end by this signal when the time is over")
    add("--term-code", type=int, help="end with this code on SIGTERM, whatever was announced")
    add("--ignore-term", action="store_true", help="ignore SIGTERM")
    gateway_signs.add_flags(add)
    gateway_bots.add_flags(add)
    flags, _ = parser.parse_known_args()
    return flags


def finish_if_signalled(loop: Loop, seconds: float) -> None:
    """Lets the loop turn that long, and ends the program if a signal says so meanwhile."""
    deadline_s = time.monotonic() + seconds
    while (left_s := deadline_s - time.monotonic()) > 0:
        received = signal.sigtimedwait(HANDLED, min(left_s, loop.turn()))
        if received is not None:
            obey(loop, received.si_signo)


def obey(loop: Loop, number: int) -> None:
    """Does what a signal asks for."""
    if number == signal.SIGTERM and not loop.flags.ignore_term:
        obey_term(loop)
    if number == signal.SIGINT:
        loop.report.say("stopped")
        sys.exit(0)
    if number == signal.SIGUSR1:
        loop.report.say("stopped", exit_reason="restart requested", restart_requested=True)
        sys.exit(EXIT_RESTART)


def obey_term(loop: Loop) -> None:
    """Ends as the agent does on SIGTERM: an unannounced one leaves the state as it is."""
    is_planned, code = was_stop_planned(), loop.flags.term_code
    if is_planned:
        loop.report.say("stopped")
    sys.exit((0 if is_planned else 1) if code is None else code)


def was_stop_planned() -> bool:
    """Whether a stop of this very process was announced; the announcement is used up."""
    home = os.environ.get("HERMES_HOME")
    if not home:
        return False
    marker = Path(home) / PLANNED_STOP_FILE
    try:
        planned = json.loads(marker.read_text())
    except FileNotFoundError:
        return False
    marker.unlink()
    return bool(planned["target_pid"] == os.getpid() and planned["target_start_time"] == start_time())


def write_for_ever(every_s: float, journal: str) -> None:
    """Works as the agent does: by the path of its home, and making whatever directory is not there."""
    home = Path(os.environ["HERMES_HOME"])
    for number in range(sys.maxsize):
        word = f"{os.getpid()}-{number}"
        for directory in (home / "memories", home / "skills" / "live"):
            directory.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(home / "state.db", timeout=30)) as database, database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE IF NOT EXISTS messages (word TEXT)")
            database.execute("INSERT INTO messages VALUES (?)", (word,))
        with (home / "memories" / "MEMORY.md").open("a") as memory:
            memory.write(f"{word}\n")
        draft = home / "skills" / "live" / f".{word}"
        draft.write_text(word)
        draft.replace(home / "skills" / "live" / "SKILL.md")
        if journal:
            with Path(journal).open("a") as told:
                told.write(f"{word} {home}\n")
        time.sleep(every_s)


def fork_daemon(flags: argparse.Namespace) -> None:
    """Leaves a process of its own session behind, of whom nobody is the parent; returns when it is there."""
    speaks_as = gateway_bots.speaker(flags)
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        os.waitpid(child, 0)
        os.read(reading, 1)
        os.close(reading)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if flags.daemon_ignores_term else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    environment = {} if flags.daemon_clears_environment else dict(os.environ)
    os.set_inheritable(writing, True)
    words = ["--tells", str(writing), "--writes", str(flags.writes), "--journal", flags.journal]
    words += ["--uses-bots", flags.uses_bots, "--uses-as", speaks_as]
    words += ["--ignore-term"] if flags.daemon_ignores_term else []
    os.execve(sys.executable, [sys.executable, "-I", __file__, *words], environment)


def unblock() -> None:
    """A tool hears signals, whatever its gateway does."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def die_by(number: int) -> None:
    """Ends by a signal, leaving no core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main()
