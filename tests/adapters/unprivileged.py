"""Work done without privileges, for what the system refuses to everybody but root.

Owns: becoming nobody, in a child process. Must not know what is refused.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NOBODY = 65534

PROLOGUE = f"""
import encodings.ascii, os, sys
from pathlib import Path
from hermesd.adapters import atomic, homeinspector, homes, places, processlook, store
from hermesd.adapters.agents import hermes_foreign, hermes_ports
from hermesd.domain.errors import HermesError
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
given = Path(sys.argv[1])
"""
"""Everything is imported first: nobody may not be allowed to read the interpreter's directory."""

CATCHING = """
try:
    {statement}
except HermesError as error:
    print(error.reason, error.metadata["path"], error.message)
"""


def said_by_nobody(program: str, given: Path) -> str:
    """What a program prints that a person without rights runs on `given`, which everybody must be able to reach.

    Skips where tests have no privileges to give up.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    environment = {"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", PROLOGUE + program, str(given)]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def failure_as_nobody(statement: str, given: Path) -> tuple[str, str, str]:
    """Reason, path and message of the failure that a statement about `given` raises for such a person."""
    reason, path, message = said_by_nobody(CATCHING.format(statement=statement), given).rstrip("\n").split(" ", 2)
    return reason, path, message


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """A directory that everybody can reach and read and only its owner can write; pytest's own are private."""
    with tempfile.TemporaryDirectory(prefix="hermesd-test-") as made:
        directory = Path(made).resolve()
        directory.chmod(0o755)
        yield directory
