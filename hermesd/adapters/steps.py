"""Programs that are run to their end, such as the steps of an installation, watched and ended early when asked.

Owns: the child's session, its output line by line, and which end of pip means what to people. Must not know
what is installed.
"""

import os
import re
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hermesd.adapters.lines import LineBuffer
from hermesd.adapters.oserrors import disk_full
from hermesd.domain.errors import Cancelled, HermesError, Incompatible, SourceUnreachable

_POLL_S = 0.2
"""How soon a cancellation is noticed."""

_KEPT_LINES = 200
_SHOWN_LINES = 3
_SHOWN_CHARACTERS = 300
_FULL = re.compile(r"No space left on device|Errno 28\b|Disk quota exceeded|Errno 122\b")
_BROKEN = "after connection broken by "
"""What pip writes before the network's own words, which say more than that it found no package."""

_CREDENTIALS = re.compile(r"://[^/\s@]*@")


class StepFailed(Exception):
    """A program ended with an error: its exit code, below 0 for a signal, and the last lines it wrote."""

    def __init__(self, code: int, lines: Sequence[str]) -> None:
        super().__init__(code)
        self.code = code
        self.lines = list(lines)


def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    lock: int | None = None,
    is_cancelled: Callable[[], bool],
    on_line: Callable[[str], None] = lambda line: None,
    directory: Path | None = None,
) -> None:
    """Runs a program in a session of its own, in a directory or in ours, giving each line it writes to `on_line`.

    The program inherits the descriptor `lock`, so that what outlives us still holds it.

    Raises:
        Cancelled: it was cancelled, and every process of the program is killed; so it is with whatever
            `is_cancelled`, which is asked several times a second, raises itself.
        StepFailed: it ended with an error.
    """
    child = subprocess.Popen(
        argv,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
    )
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    with child:
        try:
            _watch(child, kept, is_cancelled, on_line)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)  # not reaped yet, so the group is still the child's
            raise
    if child.returncode != 0:
        raise StepFailed(child.returncode, kept)


def _watch(
    child: "subprocess.Popen[bytes]",
    kept: "deque[str]",
    is_cancelled: Callable[[], bool],
    on_line: Callable[[str], None],
) -> None:
    """Reads what the child writes until it closes its output."""
    assert child.stdout is not None
    buffer = LineBuffer()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if is_cancelled():
                raise Cancelled("the installation was cancelled")
            if not selector.select(_POLL_S):
                continue
            data = os.read(child.stdout.fileno(), 65_536)
            for line in buffer.feed(data or b"\n"):
                kept.append(line)
                on_line(line)
            if not data:
                return


def explain(failure: StepFailed, directory: Path) -> HermesError:
    """What the failure of a step of the installation into `directory` means."""
    if any(_FULL.search(line) for line in failure.lines):
        return disk_full(directory, action="install into")
    if failure.code < 0:
        return HermesError(f"cannot install into {directory}: the program was ended by signal {-failure.code}")
    if any("ensurepip" in line for line in failure.lines):
        return Incompatible(
            "cannot create an environment: this Python comes without ensurepip",
            hint="on Debian and Ubuntu it is in the package python3-venv",
            fixes=["sudo apt-get install -y python3-venv"],
        )
    broken = [line.partition(_BROKEN)[2] for line in failure.lines if _BROKEN in line]
    return SourceUnreachable(
        f"cannot get the packages: {last_words(broken[-1:] or failure.lines)}",
        hint="check the network; PIP_INDEX_URL and HTTPS_PROXY are honoured",
    )


def last_words(lines: Sequence[str]) -> str:
    """The last errors among the lines, in one line, without what could be a password."""
    errors = [line for line in lines if line.startswith("ERROR:")] or [line for line in lines if line.strip()]
    words = "; ".join(line.removeprefix("ERROR:").strip() for line in errors[-_SHOWN_LINES:])
    printable = "".join(c if c.isprintable() else " " for c in words)
    return _CREDENTIALS.sub("://", printable)[:_SHOWN_CHARACTERS] or "no reason was given"
