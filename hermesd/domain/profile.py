"""Profile names, homes and where they lie.

Owns: which names are legal and what identifies a home. Must not know how a directory is read.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hermesd.domain.errors import ArgumentInvalid, ProfileNameInvalid, ProfileRequired

DEFAULT = "default"
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
NAME_RULE = "1 to 64 lower-case letters, digits, '_' or '-', starting with a letter or digit"

DISPLAY_NAME_LENGTH = 64
"""Characters that the name for people may have."""

RESERVED = frozenset({"hermes", DEFAULT, "test", "tmp", "root", "sudo"})
"""Names no profile may be created under (hermes-agent 0.19.0 reserves the same ones)."""


@dataclass(frozen=True, order=True)
class ProfileName:
    """The name of a profile. Obtain one through `parse` or, for a profile to be made, `parse_new`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a name as people write it: surrounding space and upper case are forgiven.

        Raises:
            ProfileRequired: there is nothing to read.
            ProfileNameInvalid: the text is not a name.
        """
        folded = text.strip().lower()
        if not folded:
            raise ProfileRequired("no profile is named", hint="name one with -p NAME")
        if not NAME_PATTERN.fullmatch(folded):
            raise ProfileNameInvalid(f"'{text}' is not a profile name", hint=f"a name is {NAME_RULE}")
        return cls(folded)

    @classmethod
    def parse_new(cls, text: str) -> Self:
        """Reads the name of a profile to be created.

        Raises:
            ProfileRequired: there is nothing to read.
            ProfileNameInvalid: the text is not a name, or is reserved.
        """
        name = cls.parse(text)
        if name.text in RESERVED:
            raise ProfileNameInvalid(
                f"'{name}' is reserved", hint=f"reserved names: {', '.join(sorted(RESERVED))}"
            )
        return name

    @property
    def is_default(self) -> bool:
        """Whether this is the profile that lives in the root itself."""
        return self.text == DEFAULT

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class HomeIdentity:
    """What stays the same when a home is renamed and differs when it is copied."""

    device: int
    inode: int
    birth_ns: int
    """Birth time in nanoseconds since the epoch; 0 where the file system keeps none."""


@dataclass(frozen=True)
class Home:
    """The home directory of one profile, as it was found."""

    name: ProfileName
    path: Path
    identity: HomeIdentity


@dataclass(frozen=True)
class IgnoredEntry:
    """What lies where profiles are, and is none."""

    path: str
    """Absolute; bytes that are no text are spelled out."""
    why: str
    """One sentence, to follow the path."""


def parse_display_name(text: str) -> str:
    """Reads the name that a profile is shown under: one line of what can be seen; empty for none.

    Raises:
        ArgumentInvalid: it is too long, or holds what cannot be seen or steers a terminal.
    """
    name = " ".join(text.split())
    if not name.isprintable():
        raise ArgumentInvalid(
            "the display name holds characters that cannot be seen", hint="write it without them"
        )
    if len(name) > DISPLAY_NAME_LENGTH:
        raise ArgumentInvalid(
            f"the display name has {len(name)} characters", hint=f"it may have {DISPLAY_NAME_LENGTH}"
        )
    return name


def sort_key(name: ProfileName) -> tuple[bool, str]:
    """Orders profiles as people see them: the default first, then by name."""
    return (not name.is_default, name.text)


def closest(name: str, known: Iterable[ProfileName]) -> list[str]:
    """Names that someone who typed `name` may have meant, best first, three at most."""
    return difflib.get_close_matches(name, [str(other) for other in known], n=3, cutoff=0.6)
