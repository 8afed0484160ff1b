"""The program `hermesctl`.

Owns: what concerns the process rather than a command: platform and signals. Must not know commands.
"""

import signal
import sys
from types import FrameType
from typing import NoReturn

from hermesctl import cli
from hermesctl.terminal import Terminal


def main() -> NoReturn:
    """Runs the command line of this process and ends it with the exit code."""
    if sys.platform == "win32":
        sys.exit("hermesctl does not run on Windows; use it inside WSL, where hermesd runs")
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(cli.run(sys.argv[1:], Terminal.of_this_process()))


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise cli.Terminated


if __name__ == "__main__":
    main()
