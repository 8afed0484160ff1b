"""What a profile is for, in one line.

Owns: how long such a line may be, and what is made of a text that an agent wrote. Must not know where it is kept.
"""

import unicodedata
from dataclasses import dataclass

from hermesd.domain.errors import ArgumentInvalid

LONGEST = 500
"""Characters that a person's description may have: task boards put those of all profiles before a model."""

LONGEST_GENERATED = 280
"""Characters of a description that an agent wrote; hermes-agent 0.19.0 asks its model for no more."""

_ELLIPSIS = "…"


@dataclass(frozen=True)
class Description:
    """What a profile is for, and who says so."""

    text: str = ""
    is_generated: bool = False
    """Whether an agent wrote it rather than a person."""

    @property
    def is_persons(self) -> bool:
        """Whether a person wrote it."""
        return bool(self.text) and not self.is_generated


def parse_description(text: str) -> str:
    """Reads a description as people write it; space around it is forgiven, and empty means none.

    Raises:
        ArgumentInvalid: it is no single line, too long, or holds what no text does.
    """
    line = text.strip()
    rule = f"a description is one line of at most {LONGEST} characters"
    if len(line.splitlines()) > 1:
        raise ArgumentInvalid(f"cannot use this description: it has {len(line.splitlines())} lines", hint=rule)
    if len(line) > LONGEST:
        raise ArgumentInvalid(f"cannot use this description: it has {len(line)} characters", hint=rule)
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in line):
        raise ArgumentInvalid("cannot use this description: it holds a control character", hint=rule)
    return line


def trim_generated(text: str) -> str:
    """What an agent wrote as one line that fits, cut between words; empty if it said nothing."""
    visible = "".join(" " if unicodedata.category(char) in {"Cc", "Cs"} else char for char in text)
    line = " ".join(visible.split())
    if len(line) <= LONGEST_GENERATED:
        return line
    kept = line[:LONGEST_GENERATED]
    whole, _, _ = kept.rpartition(" ")
    return (whole or kept[:-1]).rstrip(" ,;:") + _ELLIPSIS
