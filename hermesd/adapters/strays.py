"""What lies where profiles are, and is none.

Owns: which entries those are and how each is explained; hermes-agent 0.19.0 passes over the same ones. Must not
know what a profile holds.
"""

import errno
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from hermesd.adapters.filenames import readable
from hermesd.domain.layout import STAGING
from hermesd.domain.ports import MOST_IGNORED
from hermesd.domain.profile import DEFAULT, NAME_PATTERN, NAME_RULE, IgnoredEntry, ProfileName


def strays(directory: Path, names: Iterable[str], is_home: Callable[[ProfileName], bool]) -> list[IgnoredEntry]:
    """The entries of a directory that are no homes, in the order of their names, and not our own.

    Raises:
        OSError: the system refuses.
    """
    found: list[IgnoredEntry] = []
    for name in names:
        if name == STAGING or len(found) == MOST_IGNORED:
            continue
        why = _why_no_name(name) or ("" if is_home(ProfileName(name)) else _why_no_directory(directory / name))
        if why:
            found.append(IgnoredEntry(readable(str(directory / name)), why))
    return found


def _why_no_name(name: str) -> str:
    if name == DEFAULT:
        return f"'{DEFAULT}' is the directory above all profiles"
    return "" if NAME_PATTERN.fullmatch(name) else f"a profile's name is {NAME_RULE}"


def _why_no_directory(path: Path) -> str:
    """Why a path that should be a directory is none; empty if it is gone."""
    try:
        if not stat.S_ISLNK(path.lstat().st_mode):
            return "it is not a directory"
        path.stat()
    except FileNotFoundError:
        return "it is a link that leads nowhere" if path.is_symlink() else ""
    except PermissionError:
        return "it leads where hermesd may not look"
    except OSError as error:
        return "it is a link that leads in a circle" if error.errno == errno.ELOOP else "it cannot be looked at"
    return "it is a link to what is not a directory"
