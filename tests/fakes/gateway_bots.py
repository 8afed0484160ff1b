"""What a scripted gateway does with its bots: it says again and again, into a journal, that it uses them.

Another part of `gateway.py`. Owns: which bots are meant, and when a gateway begins and ends with them. Whoever is
killed says nothing more; a judge (`tests/faults/claim_history.py`) finds who spoke between the words of another.
Must not know who may use a bot.
"""

import argparse
import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fakes.gateway_signs import home, start_time
from tests.faults.claim_history import FREED, HOLDS, Journal

EVERY_S = 0.01
TOKENS = "TELEGRAM_BOT_TOKEN"


def add_flags(add: Callable[..., Any]) -> None:
    """The flags that this module reads."""
    add("--uses-bots", default="", help="say in this file, all the time, that it uses the bots of its `.env`")
    add("--uses-as", default="", help="for whom it speaks; else for itself")
    add("--host-lock", default="", help="end with 0 at once if a living process is in this file; else be in it")


def use(flags: argparse.Namespace) -> None:
    """Begins with its bots, and ends with them when the program does."""
    if not flags.uses_bots or not (bots := tokens()):
        return
    journal, actor = Journal(Path(flags.uses_bots)), speaker(flags)
    journal.say(HOLDS, actor, bots)
    if not (flags.uses_as or flags.daemon):  # what is left behind may still use them
        atexit.register(journal.say, FREED, actor, bots)

    def go_on() -> None:
        while True:
            journal.say(HOLDS, actor, bots)
            time.sleep(EVERY_S)

    threading.Thread(target=go_on, daemon=True).start()


def speaker(flags: argparse.Namespace) -> str:
    """One gateway, with all that it leaves behind."""
    return flags.uses_as or f"{(home() or Path()).name} {os.getpid()} {start_time()}"


def tokens() -> list[str]:
    """The bots of its home."""
    place = home()
    if place is None or not (place / ".env").exists():
        return []
    pairs = (line.partition("=") for line in (place / ".env").read_text().splitlines())
    return [value for name, _, value in pairs if name == TOKENS and value]


def enter_host(path: str) -> None:
    """One gateway per host, as hermes-agent has it from 0.21.4 on: who comes later says so and ends with 0."""
    if not path:
        return
    lock = Path(path)
    if lock.exists() and (owner := lock.read_text()) and Path(f"/proc/{owner.split()[0]}").exists():
        pid, profile = owner.split()
        print(f"This host is already served by the gateway of profile {profile} (PID {pid}); nothing to do.")
        sys.exit(0)
    lock.write_text(f"{os.getpid()} {(home() or Path('nobody')).name}")
