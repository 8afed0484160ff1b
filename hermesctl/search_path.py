"""Whether the caller's shell finds aliases.

Owns: what stands in the way of one on the caller's PATH, which the daemon cannot know. Must not change anything.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from hermesctl.session import Session
from hermesd.v1 import doctor_pb2 as v1
from hermesd.v1.profiles_pb2 import Profile

CHECK = "path"
FIX = 'export PATH="$HOME/.local/bin:$PATH"'


def check(session: Session, profiles: Iterable[Profile]) -> list[v1.Finding]:
    """What is found for the aliases of these profiles; nothing for a profile that has none."""
    directory = session.places.home / ".local" / "bin"
    path = session.terminal.environment.get("PATH", os.defpath)
    is_searched = os.path.realpath(directory) in {os.path.realpath(one) for one in path.split(os.pathsep) if one}
    return [
        finding
        for profile in profiles
        if profile.aliases
        for finding in _of_profile(profile.name, profile.aliases, directory, path if is_searched else "")
    ]


def _of_profile(profile: str, aliases: Sequence[str], directory: Path, path: str) -> list[v1.Finding]:
    """`path` is empty if it does not lead to the aliases at all."""
    if not path:
        names = " and ".join(f"'{name}'" for name in aliases)
        what = f"{directory} is not on PATH here, so that {names} cannot be called"
        return [_warning(profile, what)]
    hidden = [(name, by) for name in aliases if (by := _hidden_by(name, directory, path))]
    if not hidden:
        text = "its aliases are found on PATH"
        return [v1.Finding(check=CHECK, profile=profile, severity=v1.SEVERITY_FINE, message=text)]
    return [_warning(profile, f"'{name}' runs {by}, which stands before its alias on PATH") for name, by in hidden]


def _hidden_by(name: str, directory: Path, path: str) -> str:
    """The program that is called in place of an alias; empty if the alias is."""
    found = shutil.which(name, path=path)
    is_alias = found is None or os.path.realpath(os.path.dirname(found)) == os.path.realpath(directory)  # noqa: PTH120
    return "" if is_alias or found is None else found


def _warning(profile: str, message: str) -> v1.Finding:
    return v1.Finding(check=CHECK, profile=profile, severity=v1.SEVERITY_WARNING, message=message, fix=FIX)
