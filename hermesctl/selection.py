"""Which profile a command works on.

Owns: the order of choices. The daemon is always told a name; it never chooses. Must not know what is done to
the profile, or whether it exists.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hermesctl.arguments import PROFILE_NAME
from hermesctl.errors import HermesError

DEFAULT = "default"
VARIABLE = "HERMESCTL_PROFILE"
STICKY_BYTES = 256
"""More than any name takes; a longer file is no choice."""


class Source(StrEnum):
    """Where a choice came from, in words for people."""

    ARGUMENT = "named"
    FLAG = "-p"
    VARIABLE = "HERMESCTL_PROFILE"
    HOME = "HERMES_HOME"
    STICKY = "sticky default"
    NONE = "no other choice"


@dataclass(frozen=True)
class Selection:
    """The chosen profile."""

    name: str
    source: Source

    @property
    def is_explicit(self) -> bool:
        """Whether the person named it on this command line."""
        return self.source in {Source.ARGUMENT, Source.FLAG}


def choose(argument: str, flag: str, environment: Mapping[str, str], root: Path) -> Selection:
    """Chooses from the command line's argument and flag (empty if not given), the environment and the root.

    Raises:
        HermesError: PROFILE_CONFLICT, argument and flag disagree; NOT_PERMITTED, the sticky default is unreadable.
    """
    if argument and flag and argument.lower() != flag.lower():
        raise HermesError(
            "PROFILE_CONFLICT",
            f"two different profiles are named: '{argument}' and '{flag}' (-p)",
            why="a command works on one profile",
        )
    if argument:
        return Selection(argument, Source.ARGUMENT)
    if flag:
        return Selection(flag, Source.FLAG)
    if variable := environment.get(VARIABLE, "").strip():
        return Selection(variable, Source.VARIABLE)
    if at_home := _named_by_home(environment.get("HERMES_HOME", ""), root):
        return Selection(at_home, Source.HOME)
    if sticky := read_sticky(root):
        return Selection(sticky, Source.STICKY)
    return Selection(DEFAULT, Source.NONE)


def read_sticky(root: Path) -> str:
    """The sticky default; empty if none is set.

    Raises:
        HermesError: NOT_PERMITTED, the file cannot be read.
    """
    path = root / "active_profile"
    try:
        with path.open("rb") as file:
            head = file.read(STICKY_BYTES)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except PermissionError as error:
        raise HermesError(
            "NOT_PERMITTED", "cannot read the sticky default", why=f"permission denied: {path}"
        ) from error
    return head.decode(errors="replace").strip()


def _named_by_home(home: str, root: Path) -> str:
    """The profile whose home this is exactly; empty if it is none."""
    if not home:
        return ""
    path = Path(os.path.realpath(home))
    if path == root:
        return DEFAULT
    is_profile = path.parent == root / "profiles" and PROFILE_NAME.fullmatch(path.name)
    return path.name if is_profile and path.is_dir() else ""
