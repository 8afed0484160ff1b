"""What the doctor finds, and how bad each of it is.

Owns: severities, thresholds and the sentences about what was seen. Must not know how anything is looked at. No
sentence may hold a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hermesd.domain.conditions import Disk

GIB = 1 << 30
MIB = 1 << 20

LOW_SHARE = 0.10
"""Below this share of a file system that is free, and below the sizes that follow, it is low."""
LOW_BYTES, LAST_BYTES = GIB, 100 * MIB
LOW_FILES, LAST_FILES = 10_000, 1_000

NAMED_AT_MOST = 5


class Severity(StrEnum):
    """How bad a finding is."""

    FINE = "fine"
    WARNING = "warning"
    """Works, but somebody should look at it."""
    ERROR = "error"
    """Does not work, or puts secrets or data at risk."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """What was looked at, a stable word."""
    profile: str
    """Empty for what concerns the whole machine."""
    severity: Severity
    message: str
    fix: str = ""
    """A command that mends it; empty where there is none."""
    is_fixable: bool = False
    is_fixed: bool = False


def judge_disk(disk: Disk) -> tuple[Severity, str] | None:
    """How bad it is that so little is left, and the sentence for it; `None` if enough is."""
    if disk.is_read_only:
        return Severity.ERROR, f"{disk.path} lies on a file system that is read-only"
    for free, total, low, last, what in (
        (disk.free_bytes, disk.total_bytes, LOW_BYTES, LAST_BYTES, f"{disk.free_bytes // MIB} MiB are"),
        (disk.free_files, disk.total_files, LOW_FILES, LAST_FILES, f"room for {disk.free_files} files is"),
    ):
        if total and free < low and free / total < LOW_SHARE:
            severity = Severity.ERROR if free < last else Severity.WARNING
            return severity, f"only {what} left where {disk.path} lies"
    if disk.network_kind:
        kind = disk.network_kind
        return Severity.WARNING, f"{disk.path} lies on a network file system ({kind}), whose locks may not hold"
    return None


def listed(words: Sequence[object]) -> str:
    """Things one after the other, the first few of many."""
    shown = [str(word) for word in words[:NAMED_AT_MOST]]
    if len(words) > NAMED_AT_MOST:
        return f"{', '.join(shown)} and {len(words) - NAMED_AT_MOST} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
