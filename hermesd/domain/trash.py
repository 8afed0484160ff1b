"""Deleted profiles that can be brought back.

Owns: what is remembered of one, and for how long. Must not know where it lies.
"""

from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.profile import HomeIdentity, ProfileName

DAY_S = 86_400.0


@dataclass(frozen=True)
class TrashNote:
    """What is remembered of a deleted profile beside its data: all that deleting it forgets elsewhere."""

    id: str
    """The id of the operation that deleted it, so that no deletion makes two entries."""
    name: ProfileName
    deleted_at_s: float
    """Seconds since the epoch."""
    profile_id: str = ""
    """Its stable id; empty where nobody noted one."""
    description: str = ""
    aliases: tuple[str, ...] = ()
    """Names of the aliases of ours that it had."""


@dataclass(frozen=True)
class Trashed:
    """A deleted profile as it lies in the trash."""

    note: TrashNote
    path: Path
    identity: HomeIdentity
    """Of its home, which it keeps when it is brought back."""


def restored_aliases(note: TrashNote, name: ProfileName) -> tuple[str, ...]:
    """The aliases it is to have under `name`: the one that had its old name follows the new one."""
    return tuple(name.text if alias == note.name.text else alias for alias in note.aliases)
