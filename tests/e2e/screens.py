"""A person at a terminal: a real pseudo terminal, what is typed into it and what it shows.

Owns: the terminal and the one program on it. Must not know which program that is.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_S = 60.0
"""How long a program may take to show something; one that starts an agent takes seconds."""
INSISTING_S = 4.0
"""How long a program may take to end before a person presses the key again."""
CTRL_C, CTRL_D, CTRL_Z, ENTER = "\x03", "\x04", "\x1a", "\r"
_CONTROL = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_=>()][A-Z0-9]?|\x07|\x1b\[?[0-?]*$"
)
"""What moves or colours, and the beginning of such a thing at the end."""
_WHERE_IS_THE_CURSOR, _AT_HOME = b"\x1b[6n", b"\x1b[1;1R"


@dataclass
class Screen:
    """A program on a terminal of its own."""

    process: "subprocess.Popen[bytes]"
    controlling: int
    """The person's end."""
    terminal: int
    """The program's end, kept open so that its settings can be looked at."""
    _seen: bytes = b""
    _read_to: int = 0

    @property
    def tty(self) -> str:
        """The terminal's path."""
        return os.ttyname(self.terminal)

    @property
    def settings(self) -> list[Any]:
        """How the terminal is set: echo, line editing and so on."""
        return termios.tcgetattr(self.terminal)

    @property
    def text(self) -> str:
        """Everything that was ever shown, without colours and movements, up to the last whole character."""
        return _CONTROL.sub(b"", self._seen).decode(errors="ignore")

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self.controlling, keys.encode())

    def enter(self, line: str) -> None:
        """Types a line, with a pause before Enter, which in pasted text is no more than a new line."""
        self.press(line)
        self._read(0.3)
        self.press(ENTER)

    def resize(self, rows: int, columns: int) -> None:
        """Changes the size of the window."""
        fcntl.ioctl(self.controlling, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: str, deadline_s: float = DEADLINE_S) -> str:
        """Waits for a text that was not waited for yet; returns what was shown up to it."""
        end_s = time.monotonic() + deadline_s
        while True:
            fresh = self.text[self._read_to :]
            if text in fresh:
                shown = fresh[: fresh.index(text) + len(text)]
                self._read_to += len(shown)
                return shown
            assert time.monotonic() < end_s, f"waited in vain for {text!r} after:\n{self.text[-3000:]}"
            self._read(0.2)

    def ended(self, deadline_s: float = DEADLINE_S) -> int:
        """Waits for the program's end; its exit code, or the negative number of the signal that ended it."""
        end_s = time.monotonic() + deadline_s
        while self.process.poll() is None:
            assert time.monotonic() < end_s, f"it does not end:\n{self.text[-3000:]}"
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def insist(self, key: str, deadline_s: float = DEADLINE_S) -> int:
        """Presses a key every few seconds until the program ends; returns as `ended` does."""
        end_s, next_s = time.monotonic() + deadline_s, 0.0
        while self.process.poll() is None and time.monotonic() < end_s:
            if time.monotonic() >= next_s:
                self.press(key)
                next_s = time.monotonic() + INSISTING_S
            self._read(0.1)
        return self.ended(0.0)

    def _read(self, seconds: float) -> None:
        """Reads what is shown within this time, and answers where a program asks the terminal something."""
        if select.select([self.controlling], [], [], seconds)[0]:
            data = os.read(self.controlling, 1 << 16)
            if _WHERE_IS_THE_CURSOR in data:
                os.write(self.controlling, _AT_HOME)
            self._seen += data


@contextmanager
def screen(argv: Sequence[str | Path], environment: Mapping[str, str], directory: Path) -> Iterator[Screen]:
    """Runs a program on a new terminal of 100 columns, as the leader of a session; it is ended at last."""
    controlling, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = subprocess.Popen(
        ["setsid", "--ctty", *argv],  # the same process in the end
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**environment, "TERM": "xterm"},
        cwd=directory,
    )
    try:
        yield Screen(process, controlling, terminal)
    finally:
        os.close(terminal)
        os.close(controlling)  # a hang-up, for whatever else the session holds
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
