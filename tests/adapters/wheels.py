"""A package index of one package, made by hand: a `hermes-agent` that only knows its version.

Owns: the smallest wheel that pip installs, and the lock file that pins it. Must not know the installer.
"""

import base64
import hashlib
import os
import zipfile
from pathlib import Path

CODE = """\
import sys

def main():
    print("Hermes Agent v{said} (2026.7.20)")
    return 0 if sys.argv[1:] == ["--version"] else 2
"""


class Index:
    """A directory with wheels and lock files."""

    def __init__(self, directory: Path) -> None:
        self.wheels = directory / "wheels"
        self.locks = directory / "locks"
        self.wheels.mkdir(parents=True)
        self.locks.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """All that pip gets: it asks nobody else and reads nobody's configuration."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }

    def offer(self, version: str, *, says: str = "", requires: str = "") -> None:
        """Adds a version; `says` is what it answers instead of its own version."""
        wheel = self.wheels / f"hermes_agent-{version}-py3-none-any.whl"
        _write_wheel(wheel, version, says or version, requires)
        self.lock(version, hashlib.sha256(wheel.read_bytes()).hexdigest())

    def lock(self, version: str, digest: str) -> None:
        """Writes a lock file, which also names a package that does not belong on this system."""
        (self.locks / f"hermes-agent-{version}.txt").write_text(
            f"hermes-agent=={version} \\\n    --hash=sha256:{digest}\n"
            f"pywin32==1 ; sys_platform == 'win32' \\\n    --hash=sha256:{'0' * 64}\n"
        )


def _write_wheel(path: Path, version: str, says: str, requires: str) -> None:
    info = f"hermes_agent-{version}.dist-info"
    requirement = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        "hermes_stub.py": CODE.format(said=says),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: hermes-agent\nVersion: {version}\n{requirement}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nhermes = hermes_stub:main\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
