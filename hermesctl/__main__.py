"""The program `hermesctl`.

Owns: what concerns the process rather than a command: platform and signals. Must not know commands.
"""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from hermesctl import UNSUPPORTED, cli
from hermesctl.terminal import Terminal


def main() -> NoReturn:
    """Runs the command line of this process and ends it with the exit code."""
    if sys.platform == "win32":
        sys.exit(UNSUPPORTED)
    signal.signal(signal.SIGTERM, _terminate)
    terminal = Terminal.of_this_process()
    # A thread of grpc that still works while this process becomes another program would complain on stderr. Read
    # when grpc is imported, and no part of the environment that the terminal has noted.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.exit(cli.run(sys.argv[1:], terminal))


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise cli.Terminated


if __name__ == "__main__":
    main()
