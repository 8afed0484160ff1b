"""The whole of the caller's terminal, for a command that shows a picture and takes keys.

Owns: keys one by one, the second screen that terminals have, and that the first one and every setting are back
whatever ends or stops the command. Must not know what is shown. A part of the door that `terminal.py` is; only a
process of the caller's own may open it, for signals and settings are that process's.
"""

import os
import re
import select
import signal
import termios
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from types import FrameType, TracebackType
from typing import Any, Self, TextIO

END = "end"
"""The key of a terminal that is gone."""

_NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down",
    "\x1b[5~": "page up", "\x1b[6~": "page down",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home",
    "\x1b[F": "last", "\x1bOF": "last", "\x1b[4~": "last",
    "\x1b": "escape", " ": "space",
}  # fmt: skip
"""Keys that are no letters, as terminals of the xterm kind send them."""

_KEY = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
_OPENED = "\x1b[?1049h\x1b[?25l"
_CLOSED = "\x1b[?25h\x1b[?1049l"
_USUAL = (80, 24)
"""The size of a terminal that does not say."""

_READ_BYTES = 1024


class FullScreen:
    """The terminal while it is ours. Ctrl-C stays an interrupt; Ctrl-Z gives the terminal back until we go on."""

    def __init__(self, stdin: TextIO, stdout: TextIO, write: Callable[[str], None]) -> None:
        self._input = stdin.fileno()
        self._output = stdout.fileno()
        self._write = write
        self._shown: list[str] = []
        self._shown_size = (0, 0)
        self._woken, self._waker = -1, -1
        self._is_stopping = False
        self._before: list[Any] = []
        """How the terminal was set."""
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as ending:
            self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            ending.callback(os.close, self._woken)
            ending.callback(os.close, self._waker)
            ending.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False))
            ending.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, _notice))
            if signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:  # as where nobody could let it go on
                ending.callback(signal.signal, signal.SIGTSTP, signal.signal(signal.SIGTSTP, self._notice_stop))
            self._before = termios.tcgetattr(self._input)
            ending.callback(self._close)
            self._open()
            self._ending = ending.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        with suppress(OSError):
            found = os.get_terminal_size(self._output)
            if found.columns and found.lines:
                return found.columns, found.lines
        return _USUAL

    def draw(self, lines: Sequence[str]) -> None:
        """Shows these lines from the top, none wider or more than there is room for; writes only what changed."""
        size = self.size
        if size != self._shown_size:
            self._shown, self._shown_size = [], size
            parts = ["\x1b[2J"]
        else:
            parts = []
        for row in range(max(len(lines), len(self._shown))):
            line = lines[row] if row < len(lines) else ""
            if row >= len(self._shown) or self._shown[row] != line:
                parts.append(f"\x1b[{row + 1};1H\x1b[2K{line}")  # erased first: behind a full line nothing may be
        self._shown = list(lines)
        if parts:
            self._write("".join(parts))

    def wait(self, seconds: float) -> list[str]:
        """Keys that were pressed, waiting so long for one; returns early, perhaps with none, if it is woken."""
        ready, _, _ = select.select([self._input, self._woken], [], [], max(seconds, 0.0))
        if self._woken in ready:
            with suppress(BlockingIOError):
                os.read(self._woken, _READ_BYTES)
        if self._is_stopping:
            self._stop()
            return []
        return self._keys() if self._input in ready else []

    def wake(self) -> None:
        """Ends a `wait`; any thread may."""
        with suppress(BlockingIOError):  # it is awake
            os.write(self._waker, b"w")

    def _keys(self) -> list[str]:
        try:
            data = os.read(self._input, _READ_BYTES)
        except OSError:  # the terminal hung up
            data = b""
        if not data:
            return [END]
        return [_NAMES.get(key, key) for key in _KEY.findall(data.decode("utf-8", "replace"))]

    def _open(self) -> None:
        settings = termios.tcgetattr(self._input)
        settings[3] &= ~(termios.ICANON | termios.ECHO)
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._input, termios.TCSADRAIN, settings)
        self._shown_size = (0, 0)
        self._write(_OPENED)

    def _close(self) -> None:
        """Gives the terminal back as it was; one that is gone needs nothing."""
        with suppress(OSError):
            self._write(_CLOSED)
        with suppress(termios.error):
            termios.tcsetattr(self._input, termios.TCSAFLUSH, self._before)  # keys for us are none for the shell

    def _notice_stop(self, number: int, _: FrameType | None) -> None:
        """Notes that Ctrl-Z was pressed, perhaps in the midst of a picture, and wakes as any signal does."""
        self._is_stopping = True

    def _stop(self) -> None:
        """Stops as any program does, and goes on with a fresh picture."""
        self._is_stopping = False
        self._close()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        self._open()


def _notice(number: int, _: FrameType | None) -> None:
    """A window that changed its size wakes whoever waits, by the descriptor for that."""
