"""The only door to the caller's terminal.

Owns: input, output, prompts, size, colour, environment, working directory, and becoming another program. Every
command gets one of these, so that it can run on any process's terminal. Must not know what is said through it.
"""

import io
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self, TextIO, cast

from hermesctl.launch import digests

if TYPE_CHECKING:
    from hermesctl.fullscreen import FullScreen

SYMBOLS = {"●": "*", "◆": "!", "○": "o", "◐": "~", "✓": "+", "✗": "x", "–": "-", "…": ".", "→": ">", "·": "."}  # noqa: RUF001
"""The symbols we use, and what stands for them where they cannot be shown; each is as wide as its symbol."""


class ColourChoice(StrEnum):
    """What the person wants of colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class NeedsOwnProcess(BaseException):
    """The command has done nothing yet and cannot run in a process that is shared."""


@dataclass(frozen=True)
class Foreign:
    """What tells the values that other profiles keep secret; see `launch/digests.py`."""

    salt: bytes = b""
    digests: frozenset[bytes] = frozenset()

    def names(self, variables: Mapping[str, str]) -> set[str]:
        """Names of the variables that have such a value."""
        encoded = ((os.fsencode(name), os.fsencode(value)) for name, value in variables.items())
        return {os.fsdecode(name) for name in digests.foreign(encoded, self.salt, self.digests)}


@dataclass(frozen=True)
class Program:
    """A program to become: what to execute, where, and how its environment differs from the caller's."""

    executable: str
    argv: Sequence[str]
    environment_set: Mapping[str, str] = field(default_factory=dict)
    environment_unset: Sequence[str] = ()
    working_directory: str = ""
    """Absolute path of the directory to change to first; empty for the caller's own."""
    foreign: Foreign = Foreign()
    """Tells which of the caller's variables to remove for their values."""

    def environment_of(self, caller: Mapping[str, str]) -> dict[str, str]:
        """What the program gets of the caller's environment, and what it is told besides."""
        unset = {*self.environment_unset, *self.foreign.names(caller)}
        kept = {name: value for name, value in caller.items() if name not in unset}
        return kept | dict(self.environment_set)


@dataclass(frozen=True)
class ThisProcess:
    """This process as its caller made it, before anything of ours changed it."""

    environment: Mapping[str, str]
    descriptors: frozenset[int]
    """What the caller handed down."""

    @classmethod
    def now(cls) -> Self:
        """To be called first: whatever is opened later is ours."""
        return cls(dict(os.environ), _inheritable_descriptors())

    def become(self, program: Program) -> NoReturn:
        """Becomes another program, with signals as a shell would have left them and descriptors as they came.

        Raises:
            OSError: the program cannot be executed, or the directory not be entered, whose name it then has.
        """
        if program.working_directory:
            os.chdir(program.working_directory)
        for number in _inheritable_descriptors() - self.descriptors:  # of a library that has yet to mark its own
            with suppress(OSError):  # closed meanwhile, by a thread of that library
                os.set_inheritable(number, False)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a child would inherit that
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execve(program.executable, list(program.argv), program.environment_of(self.environment))

    def run(self, program: Program, *, is_talk: bool) -> int:
        """Runs a program as a child on the same terminal, and returns its exit code once it has ended.

        Raises:
            OSError: the program cannot be executed, or the directory not be entered, whose name it then has.
        """
        from hermesctl import child  # takes long to import

        return child.run(
            program.argv,
            program.environment_of(self.environment),
            executable=program.executable,
            directory=program.working_directory,
            descriptors=self.descriptors,
            is_talk=is_talk,
        )


def _needs_own_process(program: Program, is_talk: bool) -> int:
    raise NeedsOwnProcess


@dataclass
class Terminal:
    """The caller's terminal, and what surrounds it."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environment: Mapping[str, str]
    """What commands may read of the caller's environment."""
    environment_names: Collection[str]
    """Names of all variables of the caller's environment."""
    working_directory: Path
    pid: int
    """The process that becomes a program when a command does."""
    replace: Callable[[Program], NoReturn]
    """Lets it; see `become`."""
    attend: Callable[[Program, bool], int] = _needs_own_process
    """Waits for a program to run on this terminal; see `run`."""
    program: str = "hermesctl"
    """How the person can call this program again: its name, or a path where the name is not found."""
    colour_choice: ColourChoice = ColourChoice.AUTO
    is_shared: bool = False
    """Whether this process runs other callers' commands too, so that this one must neither start what outlives it
    nor need a variable that was not handed over."""
    follow: Callable[[str], None] = lambda operation: None
    """Told the id of each operation that a command begins to wait for."""
    now_s: Callable[[], float] = time.time
    monotonic_s: Callable[[], float] = time.monotonic

    @classmethod
    def of_this_process(cls) -> Self:
        """The terminal of this process. A stream that is closed reads as empty and swallows what is written."""
        process = ThisProcess.now()
        stdin = sys.stdin or _nowhere("r")
        stdout, stderr = (stream or _nowhere("w") for stream in (sys.stdout, sys.stderr))
        for stream in (stdout, stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        return cls(
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            environment=process.environment,
            environment_names=list(process.environment),
            working_directory=current_directory(),
            pid=os.getpid(),
            program=program_called(sys.argv[0]),
            replace=process.become,
            attend=lambda program, is_talk: process.run(program, is_talk=is_talk),
        )

    def write(self, text: str) -> None:
        """Sends data to stdout, in one piece.

        Raises:
            OSError: it could not be written. Nothing more will be, lest the end of the process fail too.
        """
        try:
            self.stdout.write(self._encodable(text, self.stdout))
            self.stdout.flush()
        except OSError:
            self.discard_output()
            raise

    def write_exactly(self, data: bytes) -> None:
        """Sends data to stdout as they are.

        Raises:
            OSError: as for `write`.
        """
        try:
            self.stdout.flush()
            self.stdout.buffer.write(data)
            self.stdout.buffer.flush()
        except OSError:
            self.discard_output()
            raise

    def say(self, text: str) -> None:
        """Sends talk to stderr, in one piece. That nobody listens must not change what a command does."""
        with suppress(OSError):
            self.stderr.write(self._encodable(text, self.stderr))
            self.stderr.flush()

    def read_line(self) -> str | None:
        """The next line of input without its end; `None` at the end of input."""
        line = self.stdin.readline()
        return line.rstrip("\r\n") if line else None

    def read_exactly(self, most: int) -> bytes:
        """All of the input as it is, or as much as `most` bytes of it."""
        return self.stdin.buffer.read(most)

    def ask(self, question: str) -> str | None:
        """Asks on stderr and reads the answer; `None` if there is none to come."""
        self.say(question)
        return self.read_line()

    def ask_hidden(self, question: str) -> str | None:
        """Like `ask`, of the terminal itself, which does not show what is typed."""
        from getpass import getpass  # few commands need it

        try:
            return getpass(question, stream=self.stderr)
        except EOFError:
            return None

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer."""
        return self.stdin.isatty() and self.stderr.isatty()

    @property
    def columns(self) -> int | None:
        """Width of stdout in columns; `None` when it is no terminal, and anything fits."""
        return self._columns(self.stdout)

    @property
    def rows(self) -> int:
        """Height of stdout in rows, where it is a terminal."""
        told = self.environment.get("LINES", "")
        if told.isdigit() and int(told) > 0:
            return int(told)
        try:
            return os.get_terminal_size(self.stdout.fileno()).lines or 24
        except OSError:  # a terminal without a size
            return 24

    @property
    def can_redraw(self) -> bool:
        """Whether what was written to stdout can be written over."""
        return self.stdout.isatty() and self.environment.get("TERM") != "dumb"

    @property
    def has_reader(self) -> bool:
        """Whether somebody can still read stdout; `head` leaves once it has enough."""
        gone = select.POLLERR | select.POLLHUP | select.POLLNVAL
        watch = select.poll()
        try:
            watch.register(self.stdout.fileno(), 0)
        except OSError:  # no file
            return True
        return not any(seen & gone for _, seen in watch.poll(0))

    @property
    def stderr_columns(self) -> int | None:
        """Width of stderr in columns; `None` when lines there cannot be redrawn."""
        return None if self.environment.get("TERM") == "dumb" else self._columns(self.stderr)

    @property
    def is_unicode(self) -> bool:
        """Whether our symbols can be shown: the caller's locale says UTF-8, and both outputs can encode them."""
        names = (self.environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
        locale = next((name for name in names if name), "").lower().replace("-", "")
        return "utf8" in locale and _can_encode(self.stdout) and _can_encode(self.stderr)

    @property
    def is_screen(self) -> bool:
        """Whether a person is there who can be shown a picture that changes, and can press keys."""
        is_able = self.environment.get("TERM", "dumb") not in {"", "dumb"}
        return is_able and self.stdin.isatty() and self.stdout.isatty()

    def full_screen(self) -> "FullScreen":
        """The whole terminal, as a context; only a process of the caller's own can have it."""
        from hermesctl.fullscreen import FullScreen  # takes long to import

        return FullScreen(self.stdin, self.stdout, self.write)

    def has_colour(self, stream: TextIO) -> bool:
        """Whether colour goes to this stream."""
        if self.colour_choice is not ColourChoice.AUTO:
            return self.colour_choice is ColourChoice.ALWAYS
        if self.environment.get("NO_COLOR"):
            return False
        if self.environment.get("FORCE_COLOR", "0") not in {"", "0"}:
            return True
        return stream.isatty() and self.environment.get("TERM") != "dumb"

    def need_own_process(self) -> None:
        """Gives a command back that has done nothing yet if this process runs other callers' commands too.

        Raises:
            NeedsOwnProcess: it does.
        """
        if self.is_shared:
            raise NeedsOwnProcess

    def become(self, program: Program) -> NoReturn:
        """Lets the caller's process become another program.

        Raises:
            OSError: the program cannot be executed, or the directory not be entered, whose name it then has.
        """
        self.stdout.flush()
        self.stderr.flush()
        self.replace(program)

    def run(self, program: Program, *, is_talk: bool = False) -> int:
        """Runs a program on this terminal and returns its exit code; with `is_talk` its output goes to stderr.

        Only a process of the caller's own can: a command asks for that before it does anything.

        Raises:
            OSError: the program cannot be executed, or the directory not be entered, whose name it then has.
        """
        self.stdout.flush()
        self.stderr.flush()
        return self.attend(program, is_talk)

    def discard_output(self) -> None:
        """Lets go of a stdout that takes nothing any more."""
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), self.stdout.fileno())

    def _columns(self, stream: TextIO) -> int | None:
        if not stream.isatty():
            return None
        told = self.environment.get("COLUMNS", "")
        if told.isdigit() and int(told) > 0:
            return int(told)
        try:
            return os.get_terminal_size(stream.fileno()).columns or 80
        except OSError:  # a terminal without a size
            return 80

    def _encodable(self, text: str, stream: TextIO) -> str:
        if self.is_unicode:
            return text
        text = text.translate({ord(symbol): plain for symbol, plain in SYMBOLS.items()})
        encoding = stream.encoding or "ascii"
        return text.encode(encoding, "replace").decode(encoding)


def _nowhere(mode: str) -> TextIO:
    """Stands for a stream that the caller closed; it lives as long as the process."""
    return cast("TextIO", open(os.devnull, mode))  # noqa: PTH123


def _inheritable_descriptors() -> frozenset[int]:
    """The descriptors that a program would get which this process becomes."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names are wanted
    except FileNotFoundError:  # a system without /proc keeps what libraries left open
        return frozenset()
    return frozenset(number for number in numbers if _is_inheritable(number))


def _is_inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # closed meanwhile, as the one that the numbers were read from
        return False


def _can_encode(stream: TextIO) -> bool:
    try:
        "".join(SYMBOLS).encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def current_directory() -> Path:
    """This process's working directory."""
    try:
        return Path.cwd()
    except FileNotFoundError:  # removed under us; the agent will say so itself if it minds
        return Path("/")


def program_called(name: str) -> str:
    """How a person who called the program by `name` can call it again."""
    if shutil.which("hermesctl"):
        return "hermesctl"
    called = Path(name)
    return str(called.absolute()) if called.name == "hermesctl" else f"{sys.executable} -m hermesctl"
