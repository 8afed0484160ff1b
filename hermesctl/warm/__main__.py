"""`python -m hermesctl.warm DIRECTORY`: workers behind a socket in DIRECTORY, until standard input ends."""

import os
import signal
import sys
from pathlib import Path

from hermesctl.warm.request import release_streams
from hermesctl.warm.zygote import Zygote, import_program


def main() -> None:
    """Runs the zygote, and in each process that it forks, a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lifeline = os.dup(sys.stdin.fileno())
    import_program()
    worker = Zygote(Path(sys.argv[1]), lifeline).serve()
    if worker is not None:
        release_streams()
        worker.serve()
        os._exit(0)


if __name__ == "__main__":
    main()
