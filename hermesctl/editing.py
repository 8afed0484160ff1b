"""Letting a person change a text in an editor of theirs.

Owns: which editor, the private copy it works on, and that a text which could not be saved is kept where its person
is told. Must not know what the text is, or where it goes.
"""

import shutil
import tempfile
from pathlib import Path

from hermesctl.errors import ExitCode, Fix, HermesError, usage
from hermesctl.terminal import Program, Terminal

DEFAULT_EDITOR = "vi"
DIRECTORIES = ("/var/tmp", "/tmp")
"""Where copies are made: the first outlives a restart of the machine, as an unsaved text should."""


class Copy:
    """A private copy of a text, which is there until it is dropped."""

    def __init__(self, name: str, data: bytes) -> None:
        """`name` is what the file is called, by which an editor knows what it is."""
        place = next((one for one in DIRECTORIES if Path(one).is_dir()), None)
        self._directory = Path(tempfile.mkdtemp(prefix="hermesctl-", dir=place))
        self.path = self._directory / name
        self.path.touch(mode=0o600)
        self.path.write_bytes(data)

    def read(self) -> bytes:
        """What the person made of it.

        Raises:
            OSError: it is gone.
        """
        return self.path.read_bytes()

    def drop(self) -> None:
        """Removes it with all that the editor left beside it."""
        shutil.rmtree(self._directory, ignore_errors=True)


def edit(terminal: Terminal, copy: Copy, *, instead: str) -> None:
    """Runs the person's editor on a copy; `instead` is a command for those who have no terminal.

    Raises:
        HermesError: ARGUMENT_INVALID, nobody is there; NOT_FOUND with 127, there is no such editor; DECLINED, it
            ended with a failure, by which editors are told to forget a change.
    """
    editor = editor_of(terminal)
    if not editor and not terminal.can_ask:
        raise usage("cannot open an editor", why="there is no terminal", fixes=[Fix(instead)])
    editor = editor or DEFAULT_EDITOR
    words = ("/bin/sh", "-c", f'{editor} "$@"', editor, str(copy.path))  # an editor may have options
    code = terminal.run(Program(words[0], words))
    if code == ExitCode.NO_PROGRAM:
        raise HermesError(
            "NOT_FOUND",
            f"cannot run the editor '{editor}'",
            why="VISUAL and EDITOR name the one to use",
            exit_code=ExitCode.NO_PROGRAM,
        )
    if code != 0:
        raise HermesError("DECLINED", "nothing was changed", why=f"the editor '{editor}' ended with {code}")


def editor_of(terminal: Terminal) -> str:
    """The editor that the person chose; empty if none."""
    named = (terminal.environment.get(variable, "").strip() for variable in ("VISUAL", "EDITOR"))
    return next((editor for editor in named if editor), "")
