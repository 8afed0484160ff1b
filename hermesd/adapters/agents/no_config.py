"""The settings of programs that are no hermes-agent: nobody but their person knows them.

Owns: that each question about them is refused in the same words. Must not touch a file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hermesd.domain.agent import ConfigText
from hermesd.domain.configuration import Change, ConfigFile, Edit, Schema, Value
from hermesd.domain.errors import Incompatible
from hermesd.domain.profile import Home
from hermesd.domain.runtime import Runtime


class NoConfigFiles:
    """Of a program whose settings only its person knows."""

    def schema(self, runtime: Runtime, environment: Mapping[str, str]) -> Schema:
        """Raises `Incompatible`, as all else here does."""
        raise _unknown()

    def read(self, home: Home, file: ConfigFile) -> ConfigText:
        """Refused."""
        raise _unknown()

    def values(self, file: ConfigFile, data: bytes, path: Path) -> Mapping[str, Value]:
        """Refused."""
        raise _unknown()

    def masked(self, file: ConfigFile, data: bytes, path: Path) -> str:
        """Refused."""
        raise _unknown()

    def file_of(self, key: str) -> ConfigFile:
        """Refused."""
        raise _unknown()

    def plan(self, home: Home, schema: Schema, changes: Sequence[Change]) -> list[Edit]:
        """Refused."""
        raise _unknown()

    def plan_variables(self, home: Home, changes: Sequence[Change]) -> list[Edit]:
        """Refused."""
        raise _unknown()

    def plan_text(self, home: Home, file: ConfigFile, data: bytes) -> list[Edit]:
        """Refused."""
        raise _unknown()

    def write(self, edit: Edit) -> None:
        """Refused."""
        raise _unknown()


def _unknown() -> Incompatible:
    return Incompatible(
        "the profile runs a program of its own, whose settings hermesd does not know",
        hint="edit its files with an editor",
    )
