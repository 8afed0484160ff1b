"""What a profile takes on disk, and what goes with it when it is deleted.

Owns: how that is said and added up. Must not know how it is found out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class DiskPart:
    """An entry of a home."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class DiskUsage:
    """What a home takes on disk."""

    size_bytes: int = 0
    parts: tuple[DiskPart, ...] = ()
    """Its entries, the largest first, those of a size by name. The home's own directory is in none of them."""
    is_partial: bool = False
    """Whether it takes more than that: something was not looked at, or could not be."""

    @classmethod
    def of(cls, own_bytes: int, entries: Mapping[str, int], *, is_partial: bool) -> Self:
        """Adds up what the home's directory itself and its entries take."""
        parts = sorted(
            (DiskPart(*entry) for entry in entries.items()), key=lambda one: (-one.size_bytes, one.name)
        )
        return cls(own_bytes + sum(entries.values()), tuple(parts), is_partial)


@dataclass(frozen=True)
class Leftover:
    """What stays when a profile is deleted or renamed, for it is not hermesd's, and would work for nobody then."""

    message: str
    fix: str = ""
    """Command that takes it away; empty if there is none."""

    def __str__(self) -> str:
        return f"{self.message}: {self.fix}" if self.fix else self.message


@dataclass(frozen=True)
class Holdings:
    """What an agent keeps in a home, all of which goes with it."""

    session_count: int | None = 0
    """Stored conversations; `None` where that cannot be told."""
    job_count: int | None = 0
    """Scheduled jobs; `None` where that cannot be told."""
    secret_count: int = 0
    """Secrets in its `.env`."""
    origin: str = ""
    """Where its distribution came from, without any secret."""
