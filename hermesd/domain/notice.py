"""What a process says of itself in a datagram, in the form of systemd's `sd_notify`.

Owns: which of its words count. Must not know sockets, or who may speak.
"""

from dataclasses import dataclass

LONGEST_NOTICE = 4096
"""Bytes of a datagram that is looked at; longer ones are none of ours."""

LONGEST_STATUS = 300
"""Characters of a status that are kept."""

_SET = "1"


@dataclass(frozen=True)
class Notice:
    """What one process said at one moment."""

    pid: int
    start_ticks: int
    """Start time of the process that had this pid when the notice was heard."""
    is_ready: bool = False
    """READY=1: its start is complete."""
    is_alive: bool = False
    """WATCHDOG=1: its event loop goes round."""
    is_stopping: bool = False
    """STOPPING=1: it has begun to end, and sends no further beats."""
    status: str | None = None
    """What it says that it is doing, as one printable line; `None` if it does not say."""


def parse_notice(data: bytes, pid: int, start_ticks: int) -> Notice | None:
    """The notice in a datagram of the process; `None` if it says nothing that counts. Never raises."""
    if len(data) > LONGEST_NOTICE:
        return None
    lines = (line.partition("=") for line in data.decode("utf-8", "replace").split("\n"))
    said = {name: value for name, separator, value in lines if separator}
    notice = Notice(
        pid,
        start_ticks,
        is_ready=said.get("READY") == _SET,
        is_alive=said.get("WATCHDOG") == _SET,
        is_stopping=said.get("STOPPING") == _SET,
        status=_one_line(said["STATUS"]) if "STATUS" in said else None,
    )
    return None if notice == Notice(pid, start_ticks) else notice


def _one_line(said: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in said)
    return " ".join(printable.split())[:LONGEST_STATUS]
