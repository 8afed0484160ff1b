"""hermesd with a wall clock that somebody else can set: `python daemon_program.py OFFSET`.

OFFSET is a file of one double, the seconds that the clock is ahead; whoever writes it sets the clock at once.
Owns: what this process reads as the time of day by `time.time` and `time.time_ns`. File times and `datetime.now`
stay right, so the daemon also sees clocks that disagree. Everything else is hermesd unchanged.
"""

import mmap
import struct
import sys
import time
from pathlib import Path


def set_up(offset_file: Path) -> None:
    """Replaces the clock before anybody has kept the old one."""
    with offset_file.open("rb") as file:
        offset = mmap.mmap(file.fileno(), struct.calcsize("d"), prot=mmap.PROT_READ)
    real, real_ns = time.time, time.time_ns

    def ahead_s() -> float:
        (seconds,) = struct.unpack("d", offset[:])
        return float(seconds)

    time.time = lambda: real() + ahead_s()
    time.time_ns = lambda: real_ns() + int(ahead_s() * 1e9)


if __name__ == "__main__":
    set_up(Path(sys.argv.pop(1)))
    from hermesd.__main__ import main

    sys.exit(main())
