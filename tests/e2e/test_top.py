"""`hermesctl top` at a real terminal, beside a real daemon whose gateways are small programs."""

import json
import os
import re
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.desk import client
from tests.e2e.house import Machine
from tests.e2e.screens import CTRL_C, CTRL_Z, Screen, screen

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

BUSY = "import time\nwhile True:\n    time.sleep(0.01)\n    for _ in range(20000): pass\n"
OPENED, CLOSED = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One with two gateways: `busy` runs, `resting` does not. Nobody changes more of it than the daemon's pid."""
    home = tmp_path_factory.mktemp("home", numbered=True)
    home.chmod(0o700)
    machine = Machine(home)
    machine.settings.parent.mkdir(parents=True)
    commands = {"busy": ["/usr/bin/env", "python3", "-c", BUSY], "resting": ["/bin/sleep", "1000"]}
    with machine.settings.open("w") as settings:
        settings.write('[daemon]\nbackend = "session"\n')
        for name, command in commands.items():
            (machine.root / "profiles" / name).mkdir(parents=True)
            settings.write(f"[profile.{name}]\ncommand = {json.dumps(command)}\n")
    machine.ok("daemon", "start")
    machine.ok("gateway", "start", "busy")
    yield machine
    assert machine.clean_up() == []


@contextmanager
def at_top(machine: Machine, *arguments: str) -> Iterator[Screen]:
    """Somebody who watches, and sees what is used by now."""
    with screen(client("top", *arguments), machine.environment, machine.home) as made:
        made.until("busy")
        made.until("ready")
        yield made


def is_line_by_line(screen: Screen) -> bool:
    """Whether the terminal is as a shell wants it."""
    wanted = termios.ICANON | termios.ECHO
    return bool(screen.settings[3] & wanted == wanted)


def shown(screen: Screen) -> bytes:
    """All that was ever written."""
    return screen._seen


def test_keys_sort_help_and_end(machine: Machine) -> None:
    """And the terminal is as it was."""
    with at_top(machine) as seen:
        assert not is_line_by_line(seen)
        assert OPENED in shown(seen)
        seen.until("by cpu")
        seen.press("m")
        seen.until("by memory")
        seen.press("?")
        seen.until("any key goes back")
        seen.press("x")
        seen.until("q quit")
        seen.resize(12, 60)
        seen.until("1 of 3 gateways up")
        seen.press("q")
        assert seen.ended() == 0
        assert is_line_by_line(seen)
        assert shown(seen).rstrip().endswith(CLOSED)


def test_ctrl_c_gives_the_terminal_back(machine: Machine) -> None:
    """With the exit code of an interrupt."""
    with at_top(machine) as seen:
        seen.press(CTRL_C)
        assert seen.insist(CTRL_C) == 130
        assert is_line_by_line(seen)
        assert shown(seen).rstrip().endswith(CLOSED)


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(machine: Machine) -> None:
    """In a shell, as jobs are."""
    environment = {**machine.environment, "PS1": "prompt> "}
    with screen(["bash", "--norc", "-i"], environment, machine.home) as seen:
        seen.until("prompt>")
        seen.enter(" ".join(client("top", "--sort", "name")))
        seen.until("by name")
        seen.until("ready")
        seen.press(CTRL_Z)
        seen.until("Stopped")
        assert is_line_by_line(seen) or "prompt>" in seen.until("prompt>")
        seen.enter("stty -a | grep -o -e ' icanon' -e ' echo '; fg")
        seen.until("icanon")
        seen.until("by name")
        seen.press("q")
        seen.until("prompt>")
        seen.enter("stty -a | grep -o ' icanon'; echo left $?; exit")
        seen.until("left 0")
        assert shown(seen).count(OPENED) == shown(seen).count(CLOSED) == 2


def test_a_daemon_that_goes_away_is_told_and_found_again(machine: Machine) -> None:
    """Gateways run on; so does the screen."""
    with at_top(machine) as seen:
        machine.ok("daemon", "stop")
        seen.until("trying again")
        machine.ok("daemon", "start")
        seen.until("q quit")
        seen.until("ready")
        seen.press("q")
        assert seen.ended() == 0


def test_what_is_used_is_what_the_kernel_says(machine: Machine) -> None:
    """A program that computes part of the time, and one that does not run, as objects."""
    lines = machine.ok("top", "-n", "2", "--interval", "2s", "-o", "jsonl").splitlines()
    found = {item["profile"]: item for item in json.loads(lines[-1])["items"]}
    usage = found["busy"]["usage"]
    assert 0.01 < usage["cpu_cores"] <= 1.1
    assert (usage["processes"], usage["threads"]) == (1, 1)
    pages = int((Path("/proc") / str(found["busy"]["pid"]) / "statm").read_text().split()[1])
    assert usage["rss_bytes"] == pytest.approx(pages * os.sysconf("SC_PAGE_SIZE"), rel=0.2)
    assert found["resting"]["usage"] is None


def test_plain_tables_move_nothing(machine: Machine) -> None:
    """At a terminal too, for who reads with their ears."""
    with at_top(machine, "--plain", "-n", "2", "--interval", "1s") as seen:
        assert seen.ended() == 0
        assert len(re.findall("of 3 gateways up", seen.text)) == 2
        moved = re.sub(rb"\x1b\[[0-9;]*m", b"", shown(seen))
        assert b"\x1b" not in moved
        assert is_line_by_line(seen)
