"""Files that a command line names to be read: `-` is the input.

Owns: opening them where the caller is, and what it means that they cannot be. Must not know what is in them.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from hermesctl.errors import HermesError, usage
from hermesctl.terminal import Terminal
from hermesctl.text import clean

STDIN = "-"
_REASONS = {errno.EACCES: "NOT_PERMITTED", errno.EPERM: "NOT_PERMITTED"}


@contextmanager
def opened(terminal: Terminal, file: str) -> Iterator[IO[bytes]]:
    """A file that is read, closed with the block; the input stays open.

    Raises:
        HermesError: NOT_FOUND, there is no such file, or it is a directory; NOT_PERMITTED; ARGUMENT_INVALID, it is
            the input and a terminal.
    """
    if file == STDIN:
        if terminal.stdin.isatty():
            raise usage("there is nothing to read", why="the input is a terminal")
        yield terminal.stdin.buffer
        return
    if file.startswith(("/dev/fd/", "/proc/self/")):  # the caller's own, as a shell's <(...) is
        terminal.need_own_process()
    try:
        found = (terminal.working_directory / file).open("rb")
    except OSError as error:
        why = os.strerror(error.errno or errno.EIO).lower()
        raise HermesError(
            _REASONS.get(error.errno or 0, "NOT_FOUND"), f"cannot read {clean(file)}", why=why
        ) from error
    with found:
        yield found
