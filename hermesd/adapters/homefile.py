"""A text file of a person's in a home: exactly what it holds, and another text in its place.

Owns: that only what was read is replaced, that the file keeps its mode, and what it means that it cannot be
written. Must not know what the text says.
"""

import stat
from pathlib import Path

from hermesd.adapters.textfile import read_text
from hermesd.adapters.unchanged import write_unchanged
from hermesd.domain.errors import ArgumentInvalid, ProfileNotFound

_MODE = 0o600


def read_exactly(path: Path) -> bytes | None:
    """What a text file holds, byte for byte; `None` where there is none.

    Raises:
        ConfigInvalid: it cannot be read or is not UTF-8.
    """
    text = read_text(path)
    return None if not text and not path.exists() else text.encode()


def replace_exactly(path: Path, before: bytes | None, data: bytes) -> None:
    """Replaces a file that holds `before`, where a link leads if it is one; keeps the mode that somebody gave it.

    Raises:
        ChangedMeanwhile: it holds something else.
        ProfileNotFound: the home is gone; ArgumentInvalid: the file is a link that leads nowhere.
        DiskFull, NotPermitted: it cannot be written.
    """
    try:
        mode = _MODE if before is None else stat.S_IMODE(path.stat().st_mode)
        write_unchanged(path, before, data, mode)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise ArgumentInvalid(
                f"cannot write {path}: it is a link to {path.readlink()}, which is gone"
            ) from error
        raise ProfileNotFound(f"cannot write {path}: the profile's home is gone") from error
