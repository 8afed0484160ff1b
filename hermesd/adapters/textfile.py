"""Text files that people edit and agents read: how they are read, and how a damaged one is reported.

Owns: decoding and the words of `ConfigInvalid`. Must not know any format.
"""

import shlex
import stat
from pathlib import Path

from hermesd.domain.errors import ConfigInvalid


def read_text(path: Path) -> str:
    """The whole text, line ends as they are; empty if there is no such file.

    Raises:
        ConfigInvalid: the file cannot be read or is not UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise invalid(path, "it is not a file")  # reading a pipe could take for ever
        data = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise invalid(path, error.strerror or str(error)) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise invalid(path, "it is not UTF-8", line) from error


def invalid(path: Path, why: str, line: int | None = None) -> ConfigInvalid:
    """The failure for a file that a person has to mend; `line` counts from 1."""
    place = {"path": str(path)} | ({"line": str(line)} if line is not None else {})
    where = f"line {line}: " if line is not None else ""
    return ConfigInvalid(f"cannot use {path}: {where}{why}", fixes=[edit_command(path)], **place)


def edit_command(path: Path) -> str:
    """A command that lets a person edit the file."""
    return f"${{EDITOR:-vi}} {shlex.quote(str(path))}"
