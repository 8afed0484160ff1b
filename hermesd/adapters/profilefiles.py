"""The files in a home that say what its profile is for and who it is to be: profile.yaml and SOUL.md.

Owns: where hermes-agent (0.18.2 and 0.19.0) and its task boards read them, and that a write changes nothing else
and loses nothing that somebody wrote meanwhile. Any kind of agent may have them. Must not know what runs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from hermesd.adapters.homefile import read_exactly, replace_exactly
from hermesd.adapters.textfile import invalid, read_text
from hermesd.adapters.unchanged import changed
from hermesd.adapters.yamlfile import Data, parse_yaml, with_values
from hermesd.adapters.yamltext import Scalar
from hermesd.domain.description import Description
from hermesd.domain.errors import ChangedMeanwhile
from hermesd.domain.soul import LARGEST, Soul, soul_of

ABOUT = "profile.yaml"
SOUL = "SOUL.md"

_ATTEMPTS = 5
"""How often a change is begun anew because somebody else wrote the file: hermes-agent takes no lock either."""


def description_in(about: Data) -> Description:
    """What profile.yaml says, as hermes-agent takes it: anything but nothing counts as a text or a yes."""
    try:
        text = str(about.get("description") or "").strip()
    except (ValueError, RecursionError):  # a number of thousands of digits, which the agent cannot write either
        text = ""
    return Description(text, bool(text) and bool(about.get("description_auto")))


def read_description(home: Path) -> Description:
    """What a profile is for.

    Raises:
        ConfigInvalid: profile.yaml cannot be read.
    """
    return description_in(parse_yaml(read_text(home / ABOUT), home / ABOUT))


def write_description(home: Path, wanted: Description, *, keeps_persons: bool) -> None:
    """Sets the two keys of profile.yaml. See the port."""
    path = home / ABOUT

    def values(about: Data) -> Mapping[tuple[str, ...], Scalar]:
        found = description_in(about)
        if keeps_persons and found.is_persons and found != wanted:
            raise ChangedMeanwhile(f"cannot write {path}: a person has described the profile", path=str(path))
        if found == wanted:
            return {}
        return {("description",): wanted.text, ("description_auto",): wanted.is_generated}

    write_about(home, values)


def write_about(home: Path, values: Callable[[Data], Mapping[tuple[str, ...], Scalar]]) -> None:
    """Sets keys of profile.yaml; every byte outside of their lines stays.

    `values` is given what the file says, again if somebody changes it meanwhile, and returns what is to be set.

    Raises:
        ChangedMeanwhile: it is changed again and again.
        ConfigInvalid, ArgumentInvalid, ProfileNotFound, DiskFull, NotPermitted: it cannot be read or written.
    """
    path = home / ABOUT
    for _ in range(_ATTEMPTS):
        before = read_exactly(path)
        text = (before or b"").decode()
        wanted = values(parse_yaml(text, path))
        if not wanted:
            return
        try:
            replace_exactly(path, before, with_values(text, wanted, path).encode())
        except ChangedMeanwhile:
            continue
        return
    raise changed(path)


def read_soul(home: Path) -> Soul:
    """The text of SOUL.md; none, of no revision, where there is no such file.

    Raises:
        ConfigInvalid: it cannot be read, is no text, or larger than any may be.
    """
    data = read_exactly(home / SOUL)
    if data is None:
        return Soul()
    if len(data) > LARGEST:
        raise invalid(home / SOUL, f"it has {len(data)} bytes, and may have {LARGEST}")
    return soul_of(data)


def write_soul(home: Path, text: str, revision: str | None) -> Soul:
    """Replaces SOUL.md, where a link leads if it is one; the same text again is no change. See the port."""
    path = home / SOUL
    wanted = soul_of(text.encode())
    for _ in range(_ATTEMPTS):
        before = read_exactly(path)
        found = Soul() if before is None else soul_of(before)
        if revision is not None and found.revision != revision:
            raise changed(path)
        if found == wanted:
            return found
        try:
            replace_exactly(path, before, text.encode())
        except ChangedMeanwhile:
            if revision is not None:
                raise
            continue
        return wanted
    raise changed(path)
