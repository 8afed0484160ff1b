"""A terminal made of strings.

Owns: what was written, said, asked and executed. Must not touch the streams of the test's process.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hermesctl.terminal import Program, Terminal
from tests.fakes.contract import NOW_S


class Executed(BaseException):
    """The client became another program."""

    def __init__(
        self, executable: str, argv: Sequence[str], environment: Mapping[str, str], directory: str = ""
    ) -> None:
        super().__init__(executable)
        self.directory = directory
        self.executable = executable
        self.argv = list(argv)
        self.environment = dict(environment)


class Raw:
    """What lies below a stream of text, for those who want its bytes."""

    def __init__(self, screen: "Screen") -> None:
        self._screen = screen

    def read(self, most: int = -1) -> bytes:
        """What is left to read; surrogates stand for bytes that are no text."""
        return self._screen.read().encode("utf-8", "surrogateescape")[: most if most >= 0 else None]

    def write(self, data: bytes) -> None:
        """Adds to what was written."""
        self._screen.write(data.decode("utf-8", "surrogateescape"))

    def flush(self) -> None:
        """Nothing waits."""


class Screen(io.StringIO):
    """A stream that may be a terminal, in an encoding."""

    def __init__(self, text: str = "", *, is_tty: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(text)
        self._is_tty = is_tty
        self._encoding = encoding

    @property
    def buffer(self) -> Any:
        """Its bytes."""
        return Raw(self)

    def isatty(self) -> bool:
        return self._is_tty

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


class FakeTerminal(Terminal):
    """A caller's terminal for one command, at a fixed moment."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        columns: int | None = None,
        answers: str = "",
        is_asking: bool | None = None,
        encoding: str = "utf-8",
        code: int | None = None,
        running: Callable[[Sequence[str]], int] | None = None,
    ) -> None:
        """`columns` None means that no stream is a terminal; `is_asking` overrides that for questions.

        `code` is how programs end that are waited for; `None` where none can be run. `running` stands for what
        they do, such as an editor.
        """
        self.running = running
        is_tty = columns is not None
        self.code = code
        self.ran: list[tuple[list[str], set[str]]] = []
        """Programs that were waited for, and the names of their variables."""
        can_ask = is_tty if is_asking is None else is_asking
        self.output = Screen(is_tty=is_tty, encoding=encoding)
        self.talk = Screen(is_tty=can_ask, encoding=encoding)
        sized = {"COLUMNS": str(columns)} if is_tty else {}
        super().__init__(
            stdin=Screen(answers, is_tty=can_ask),
            stdout=self.output,
            stderr=self.talk,
            environment={"TERM": "xterm", "LANG": "C.UTF-8", **sized, **environment},
            environment_names=[],
            working_directory=Path("/home/ana/desk"),
            pid=7,
            replace=self.replaced,
            attend=self.attended,
            now_s=lambda: float(NOW_S),
            monotonic_s=lambda: 0.0,
        )
        self.environment_names = list(self.environment)
        self.is_left = False
        """Whether whoever read stdout has gone."""

    @property
    def has_reader(self) -> bool:
        """Whether somebody reads what is written."""
        return not self.is_left

    def replaced(self, program: Program) -> NoReturn:
        """Stands for the end of the client."""
        environment = program.environment_of(self.environment)
        raise Executed(program.executable, program.argv, environment, program.working_directory)

    def attended(self, program: Program, is_talk: bool) -> int:
        """The program writes one line and ends as the test says."""
        self.ran.append((list(program.argv), set(program.environment_of(self.environment))))
        if self.running is not None:
            return self.running(program.argv)
        if self.code is None:
            raise FileNotFoundError(2, "No such file or directory", program.executable)
        (self.talk if is_talk else self.output).write(f"({' '.join(program.argv)})\n")
        return self.code

    def discard_output(self) -> None:
        """There is no file to let go of."""
