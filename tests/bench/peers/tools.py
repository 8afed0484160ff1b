"""Programs of the competition: found on this machine, or installed into a directory.

Owns: where they come from. Must not know how any of them is used. What cannot be had is `Missing`, in one line.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

INSTALL_LIMIT_S = 600.0


class Missing(Exception):
    """A program is not there, and why."""


class Tools:
    """Programs in a directory that may be kept from run to run, and on PATH.

    PyPI's go to `venv/`, npm's to `npm/`. Any `bin` or `sbin` below the directory is looked through first, so a
    Debian package can be unpacked there instead of being installed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def program(self, name: str) -> str:
        """A program of the machine.

        Raises:
            Missing: it is not there.
        """
        unpacked = [*self._directory.glob("*/*/bin"), *self._directory.glob("*/*/sbin")]
        path = os.pathsep.join([*map(str, unpacked), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        found = shutil.which(name, path=path)
        if found is None:
            raise Missing(f"{name} is not installed")
        return found

    def from_pypi(self, package: str, program: str) -> str:
        """A program of a Python package, in a virtual environment of its own.

        Raises:
            Missing: it cannot be installed.
        """
        place = self._directory / "venv"
        found = place / "bin" / program
        if not found.exists():
            if not (place / "bin" / "python").exists():
                venv.create(place, with_pip=True)
            _install([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", package], place)
        return str(found)

    def from_npm(self, package: str, program: str) -> str:
        """A program of an npm package.

        Raises:
            Missing: npm is not there, or cannot install it.
        """
        place = self._directory / "npm"
        found = place / "node_modules" / ".bin" / program
        if not found.exists():
            npm = self.program("npm")
            place.mkdir(exist_ok=True)
            (place / "package.json").write_text('{"private": true}\n')
            _install([npm, "install", "--no-audit", "--no-fund", package], place)
        return str(found)


def _install(argv: list[str], place: Path) -> None:
    print(f"installing: {argv[-1]}", file=sys.stderr)
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise Missing(f"{argv[-1]} cannot be installed: {last}")
