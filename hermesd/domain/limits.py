"""Ceilings of a gateway's whole process tree: which kinds there are. Must not know who enforces them, or how."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Limit(StrEnum):
    """One kind of ceiling, by its key in the settings file."""

    MEMORY_MAX = "memory_max"
    """Bytes."""
    CPU_QUOTA = "cpu_quota"
    """Percent of one processor."""
    TASKS_MAX = "tasks_max"
    """Processes and threads, a count."""


Limits = Mapping[Limit, int]
"""What is asked for, in the unit of each kind; a kind that is absent has no ceiling."""

NO_LIMITS: Limits = MappingProxyType({})
