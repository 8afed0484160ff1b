"""A program that runs on the caller's terminal while this process waits for it.

Owns: who gets which signal meanwhile, and the exit code as a shell tells it. The terminal gives Ctrl-C and Ctrl-Z
to both processes: the program decides what they mean, and this one goes on once it has ended. Must not know
programs.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a program."""

OF_BOTH = (signal.SIGINT, signal.SIGQUIT)
"""What a terminal sends to every process on it."""

PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
"""What is sent to one process, and meant for the program that it waits for."""


def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    executable: str,
    directory: str,
    descriptors: Collection[int],
    is_talk: bool,
) -> int:
    """Runs a program to its end and returns its exit code, 128 and the signal's number if one ended it.

    It gets these descriptors besides the three streams. With `is_talk` its output goes to stderr.

    Raises:
        OSError: the program cannot be executed, or the directory not be entered, whose name it then has.
    """
    with _attended() as attend:
        child = subprocess.Popen(
            list(argv),
            executable=executable,
            env=dict(environment),
            cwd=directory or None,
            stdout=_talk() if is_talk else None,
            pass_fds=sorted(set(descriptors) - {0, 1, 2}),
        )
        attend(child)
        code = child.wait()
    return SIGNALLED - code if code < 0 else code


def _talk() -> int:
    """Where talk goes; nowhere if the caller closed it."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


@contextmanager
def _attended() -> "Iterator[Callable[[subprocess.Popen[bytes]], None]]":
    """Leaves signals to the program that is told to what it yields. What the caller ignores stays ignored by all.

    A program runs before it can be told of, and what comes by then is passed on once it is.
    """
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def leave(number: int, frame: FrameType | None) -> None:
        """The program has got it too."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        if not children:
            early.append(number)
        for child in children:
            child.send_signal(number)

    def attend(child: "subprocess.Popen[bytes]") -> None:
        children.append(child)
        for number in early:
            child.send_signal(number)

    before = {}
    for number in (*OF_BOTH, *PASSED_ON):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, leave if number in OF_BOTH else pass_on)
    try:
        yield attend
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
