"""Whole transcripts: command lines, exit codes, and what went to each stream.

Owns: how a transcript is written and compared. `UPDATE_GOLDEN=1` writes the files anew; read the difference before
you keep it. Must not know what the commands mean.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from hermesctl import __version__
from tests.cli.conftest import Ended

GOLDEN = Path(__file__).parent / "golden"


def transcript(lines: list[str], run: Callable[[str], Ended], home: Path) -> str:
    """What running these command lines one after the other looks like, with volatile text replaced."""
    return "\n".join(_stable(_written(line, run(line)), home) for line in lines)


def compare(name: str, found: str) -> None:
    """Holds a transcript against its file."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found)
    assert found == path.read_text()


def _written(line: str, ended: Ended) -> str:
    streams = [("stdout", ended.out), ("stderr", ended.err)]
    shown = [f"--- {name}\n{_visible(text)}" for name, text in streams if text]
    return f"$ hermesctl {line}\nexit {int(ended.code)}\n" + "".join(shown)


def _visible(text: str) -> str:
    return text.replace("\x1b", "<ESC>").replace("\r", "<CR>")


def _stable(text: str, home: Path) -> str:
    text = text.replace(str(home), "/HOME").replace(__version__, "0.0.0")
    text = re.sub(rf"\b{os.getpid()}\b", "<PID>", text)
    return re.sub(r"hermesd/[0-9a-f]{12}\b", "hermesd/<ROOT>", text)
