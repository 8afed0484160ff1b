"""Which profile a command works on.

Owns: the order of choices, and what a choice that nobody typed must look like. The daemon is always told a name;
it never chooses. Must not know what is done to the profile, or whether it exists.

The prompts in `completion/` repeat this order in three shells, without a process; a test holds them together.
"""

import os
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hermesctl.arguments import PROFILE_NAME
from hermesctl.errors import Fix, HermesError

DEFAULT = "default"
VARIABLE = "HERMESCTL_PROFILE"
HOME_VARIABLE = "HERMES_HOME"
SPAWN_ID_VARIABLE = "HERMESD_SPAWN_ID"
"""The daemon's mark on every process of a gateway's tree."""
STICKY_BYTES = 256
"""More than any name takes; a longer file holds no name."""


class Source(StrEnum):
    """Where a choice came from, in words for people."""

    ARGUMENT = "named"
    FLAG = "-p"
    VARIABLE = "HERMESCTL_PROFILE"
    HOME = "HERMES_HOME"
    STICKY = "sticky default"
    NONE = "no other choice"


CLEARING = {
    Source.VARIABLE: Fix("unset HERMESCTL_PROFILE"),
    Source.STICKY: Fix("hermesctl profile use --clear"),
}
"""How a choice is taken back that may name nothing."""


@dataclass(frozen=True)
class Selection:
    """The chosen profile."""

    name: str
    source: Source

    @property
    def is_explicit(self) -> bool:
        """Whether the person named it on this command line."""
        return self.source in {Source.ARGUMENT, Source.FLAG}

    @property
    def clearing(self) -> Fix | None:
        """How to take this choice back; `None` if it was typed, or is none."""
        return CLEARING.get(self.source)


def choose(argument: str, flag: str, environment: Mapping[str, str], root: Path) -> Selection:
    """Chooses from the command line's argument and flag (empty if not given), the environment and the root.

    Raises:
        HermesError: PROFILE_CONFLICT, argument and flag disagree; PROFILE_NAME_INVALID, a variable or the sticky
            default holds something else than a name; NOT_PERMITTED, the sticky default is unreadable.
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
    return surroundings(environment, root)


def surroundings(environment: Mapping[str, str], root: Path) -> Selection:
    """What is chosen where nothing is typed.

    Raises:
        HermesError: PROFILE_NAME_INVALID, NOT_PERMITTED: as for `choose`.
    """
    if chosen := by_variables(environment, root):
        return _checked(chosen)
    if sticky := read_sticky(root):
        return _checked(Selection(sticky, Source.STICKY))
    return Selection(DEFAULT, Source.NONE)


def by_variables(environment: Mapping[str, str], root: Path) -> Selection | None:
    """What the environment chooses, whatever the sticky default says; `None` if nothing. It may be no name."""
    if variable := _fold(environment.get(VARIABLE, "")):
        return Selection(variable, Source.VARIABLE)
    if at_home := named_by_home(environment.get(HOME_VARIABLE, ""), root):
        return Selection(at_home, Source.HOME)
    return None


def read_sticky(root: Path) -> str:
    """What the sticky default says, folded as a name is; empty if none is set.

    Raises:
        HermesError: NOT_PERMITTED, the file cannot be read.
    """
    path = root / "active_profile"
    try:
        return _fold(_head(path).decode(errors="replace"))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except PermissionError as error:
        raise HermesError(
            "NOT_PERMITTED",
            "cannot read the sticky default",
            why=f"permission denied: {path}",
            fixes=[Fix(f"ls -l {shlex.quote(str(path))}")],
        ) from error


def named_by_home(home: str, root: Path) -> str:
    """The profile whose home this is exactly; empty if it is none.

    The name in the path counts before the directory it leads to: two links to one directory are two profiles.
    """
    if not home.startswith("/"):
        return ""
    if _is_same(home, root):
        return DEFAULT
    name = Path(home).name
    if _is_name_of_home(name) and _is_same(home, root / "profiles" / name):
        return name
    return next((other for other in homes(root) if _is_same(home, root / "profiles" / other)), "")


def homes(root: Path) -> list[str]:
    """The names of the profiles in the root but `default`, sorted."""
    try:
        with os.scandir(root / "profiles") as entries:
            return sorted(entry.name for entry in entries if _is_name_of_home(entry.name) and entry.is_dir())
    except OSError:  # none, or none that can be looked at
        return []


def _is_name_of_home(name: str) -> bool:
    return name != DEFAULT and PROFILE_NAME.fullmatch(name) is not None


def _is_same(home: str, other: Path) -> bool:
    """Whether both lead to one directory."""
    try:
        return Path(home).is_dir() and other.samefile(home)
    except OSError:  # one of them leads nowhere
        return False


def _fold(text: str) -> str:
    """A name as the daemon reads it: surrounding space and upper case are forgiven."""
    return text.strip().lower()


def _checked(chosen: Selection) -> Selection:
    """Refuses what is no name before anything is done: nobody typed it here, so it must say where it is."""
    if PROFILE_NAME.fullmatch(chosen.name):
        return chosen
    raise HermesError(
        "PROFILE_NAME_INVALID",
        f"'{chosen.name}' is not a profile name",
        why=f"it comes from: {chosen.source}",
        fixes=[CLEARING[chosen.source], Fix("hermesctl profile list")],
    )


def _head(path: Path) -> bytes:
    """The beginning of a plain file; nothing of anything else, for opening a pipe would wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, STICKY_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)
