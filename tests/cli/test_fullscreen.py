"""The whole terminal, held by this process. How Ctrl-Z and an end give it back is shown in e2e/test_top.py."""

import fcntl
import os
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

import pytest

from hermesctl.fullscreen import END, FullScreen
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.fast, pytest.mark.cli]


@dataclass
class Person:
    """Who sits at the other end."""

    fd: int
    terminal: TextIO

    def see(self) -> str:
        """What was written since the last time."""
        seen = b""
        while select.select([self.fd], [], [], 0.05)[0]:
            seen += os.read(self.fd, 1 << 16)
        return seen.decode()

    def resize(self, rows: int, columns: int) -> None:
        """Changes the window."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def settings(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self.terminal.fileno())


@pytest.fixture
def person() -> Iterator[Person]:
    """At a terminal of 80 columns and 24 lines."""
    controlling, terminal = os.openpty()
    with open(terminal, "r+b", buffering=0, closefd=True) as raw:  # noqa: PTH123 - a descriptor
        person = Person(controlling, raw)  # type: ignore[arg-type]
        person.resize(24, 80)
        yield person
    os.close(controlling)


@pytest.fixture
def screen(person: Person) -> FullScreen:
    """Their terminal, not held yet."""
    fd = person.terminal.fileno()
    return FullScreen(person.terminal, person.terminal, lambda text: _write(fd, text))


def _write(fd: int, text: str) -> None:
    os.write(fd, text.encode())


def test_everything_is_as_it_was_afterwards(person: Person, screen: FullScreen) -> None:
    """Settings of the terminal, signals, the cursor and the first screen, whatever happens inside."""
    before, numbers = person.settings, (signal.SIGTSTP, signal.SIGWINCH)
    handlers = [signal.getsignal(number) for number in numbers]
    with pytest.raises(KeyboardInterrupt):
        _interrupted(person, screen)
    assert person.settings == before
    assert [signal.getsignal(number) for number in numbers] == handlers
    assert signal.set_wakeup_fd(-1) == -1
    seen = person.see()
    assert seen.startswith("\x1b[?1049h")
    assert seen.endswith("\x1b[?25h\x1b[?1049l")


def _interrupted(person: Person, screen: FullScreen) -> None:
    before = person.settings
    with screen:
        assert person.settings != before
        assert not person.settings[3] & (termios.ECHO | termios.ICANON)
        assert person.settings[3] & termios.ISIG
        raise KeyboardInterrupt


def test_keys_come_one_by_one(person: Person, screen: FullScreen) -> None:
    """Those that are no letters by name, others as they are; none is none."""
    with screen:
        assert screen.wait(0.0) == []
        os.write(person.fd, b"c\x1b[A\x1bOB\x1b[6~ \x1b[5~\x1b[H\x1b[F\x1b[24~\xc3\xa9\x1b")
        found: list[str] = []
        deadline_s = time.monotonic() + DEADLINE_S
        while "escape" not in found and time.monotonic() < deadline_s:
            found += screen.wait(0.2)
    named = ["c", "up", "down", "page down", "space", "page up", "home", "last", "\x1b[24~", "é", "escape"]
    assert found == named


def test_a_terminal_that_hangs_up_is_a_key_too(person: Person, screen: FullScreen) -> None:
    """So that whoever shows something ends."""
    ending, other = os.pipe()
    os.close(other)
    with screen:
        kept, screen._input = screen._input, ending
        assert screen.wait(1.0) == [END]
        screen._input = kept
    os.close(ending)


def test_only_what_changed_is_written(person: Person, screen: FullScreen) -> None:
    """Line by line; after a change of the window everything is."""
    with screen:
        screen.draw(["one", "two", "three"])
        assert "one" in person.see()
        screen.draw(["one", "TWO", "three"])
        assert person.see() == "\x1b[2;1H\x1b[2KTWO"
        screen.draw(["one", "TWO", "three"])
        assert person.see() == ""
        screen.draw(["one"])
        assert person.see() == "\x1b[2;1H\x1b[2K\x1b[3;1H\x1b[2K"
        person.resize(10, 40)
        assert screen.size == (40, 10)
        screen.draw(["one"])
        assert person.see() == "\x1b[2J\x1b[1;1H\x1b[2Kone"
        person.resize(0, 0)
        assert screen.size == (80, 24)


def test_another_thread_ends_the_waiting(person: Person, screen: FullScreen) -> None:
    """Any number of times, before or meanwhile."""
    with screen:
        for _ in range(100_000):
            screen.wake()
        while screen.wait(0.0) or select.select([screen._woken], [], [], 0)[0]:
            pass
        threading.Timer(0.05, screen.wake).start()
        began_s = time.monotonic()
        assert screen.wait(20.0) == []
        assert time.monotonic() - began_s < 10
