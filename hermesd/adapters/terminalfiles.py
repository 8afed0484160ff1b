"""Records of commands on people's terminals (port `TerminalRecords`): a small file each.

Owns: how a record is spelt, and that what cannot be read is no record. The files must survive the daemon but not
the machine, with which their processes end: so they are not in the database, and nothing waits for the disk.
Must not know which commands still run.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

from hermesd.adapters import jsontext
from hermesd.adapters.oserrors import translating
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.domain.terminal import Terminal

SUFFIX = ".json"


class TerminalFiles:
    """The records below one directory, which must exist and be private."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def all(self) -> list[Terminal]:
        """Every record, the oldest first. What a daemon left that died while writing is removed."""
        with translating(self._directory, "read"):
            found = [self._read(file) for file in self._directory.glob(f"*{SUFFIX}")]
        return sorted((one for one in found if one is not None), key=lambda one: (one.started_at_s, one.id))

    def save(self, terminal: Terminal) -> None:
        """Makes a record."""
        path = self._path(terminal.id)
        with translating(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(terminal), file)

    def forget(self, terminal_id: str) -> None:
        """Removes a record; gone already is fine."""
        path = self._path(terminal_id)
        with translating(path, "remove"):
            path.unlink(missing_ok=True)

    def _path(self, terminal_id: str) -> Path:
        return self._directory / f"{terminal_id}{SUFFIX}"

    def _read(self, file: Path) -> Terminal | None:
        try:
            return _parse(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, OverflowError):
            file.unlink(missing_ok=True)
            return None


def _parse(text: str) -> Terminal:
    fields = jsontext.parse(text)
    return Terminal(
        id=fields["id"],
        profile=ProfileName(fields["profile"]["text"]),
        verb=fields["verb"],
        process=ProcessIdentity(**fields["process"]),
        working_directory=fields["working_directory"],
        tty=fields["tty"],
        started_at_s=float(fields["started_at_s"]),
    )
