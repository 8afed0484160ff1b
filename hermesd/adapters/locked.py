"""Which packages an installation of hermes-agent consists of.

Owns: the lock files, one for each version, in the format of a requirements file with hashes. Must not know how
packages are fetched. What reads that format is large, and imported when somebody installs.
"""

import hashlib
import importlib.resources
import re
from importlib.resources.abc import Traversable

from hermesd.domain.errors import NotFound

_NAME = re.compile(r"hermes-agent-(.+)\.txt")


class Locks:
    """The versions that can be installed, and their packages."""

    def __init__(self, directory: Traversable | None = None) -> None:
        """`directory` is for tests; without it the lock files are those that hermesd came with."""
        self._directory = directory or importlib.resources.files("hermesd.adapters.agents").joinpath("locks")

    def versions(self) -> list[str]:
        """Every version with a lock file, the newest first."""
        from packaging.version import Version

        names = (_NAME.fullmatch(entry.name) for entry in self._directory.iterdir())
        return sorted((name[1] for name in names if name), key=Version, reverse=True)

    def text(self, version: str) -> str:
        """The lock file of a version.

        Raises:
            NotFound: there is none.
        """
        versions = self.versions()
        if version not in versions:
            raise NotFound(
                f"hermes-agent {version} cannot be installed", hint=f"versions that can be: {', '.join(versions)}"
            )
        return self._directory.joinpath(f"hermes-agent-{version}.txt").read_text(encoding="utf-8")


def package_count(text: str) -> int:
    """How many packages of a lock file belong on this system and interpreter."""
    from packaging.requirements import Requirement

    lines = (line.removesuffix("\\").strip() for line in text.splitlines() if line[:1].isalnum())
    markers = (Requirement(line).marker for line in lines)
    return sum(marker is None or marker.evaluate() for marker in markers)


def fingerprint(text: str, python: str) -> str:
    """Tells installations of the same version apart: 8 hexadecimal digits of packages and interpreter."""
    return hashlib.sha256(f"{text}\n{python}".encode()).hexdigest()[:8]
