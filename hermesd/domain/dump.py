"""Dumps: what was kept of a gateway's process just before it was ended.

Owns: how many are kept and how large one may be. Must not know what is in one.
"""

from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.process import ExitCause

DUMPS_KEPT = 5
"""Dumps of one profile; the oldest beyond them are removed."""

DUMP_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class Dump:
    """One dump: a text file for people."""

    path: Path
    at_s: float
    """When it was taken, seconds since the epoch."""
    cause: ExitCause
    """Why the process was about to be ended."""
    size_bytes: int
