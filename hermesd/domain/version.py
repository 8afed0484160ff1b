"""Versions: what a profile's files of settings held before, so that any of them can be had back.

Owns: what is known of one. Must not know what is in it, or where it lies.
"""

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """How a version came to be."""

    FOUND = "found"
    """It was there when hermesd first changed the file."""
    COMMAND = "command"
    """A change through hermesd."""
    REVERT = "revert"
    """An earlier version, taken back through hermesd."""
    ELSEWHERE = "elsewhere"
    """Somebody else wrote the file: the agent, an editor, another tool."""


@dataclass(frozen=True)
class Version:
    """One state of a file."""

    number: int
    """Counted from 1 for each file of a profile; it is never given again."""
    at_s: float
    """When it was kept, seconds since the epoch."""
    origin: Origin
    size_bytes: int
