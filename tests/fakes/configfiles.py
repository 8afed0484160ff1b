"""Files of settings in memory, one `key=value` a line.

Passes the suite of `tests/contracts/test_config_files.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hermesd.domain.agent import ConfigText
from hermesd.domain.configuration import (
    Change,
    ConfigFile,
    Edit,
    Schema,
    Value,
    coerced,
    differences,
    plain,
    shown,
    value_at,
)
from hermesd.domain.errors import ArgumentInvalid, ChangedMeanwhile, ConfigInvalid, HermesError, NotFound
from hermesd.domain.profile import Home
from hermesd.domain.runtime import Runtime


class MemoryConfigFiles:
    """Keeps what a test puts into `files`, by path."""

    def __init__(self) -> None:
        self.files: dict[Path, bytes] = {}
        self.known_schema = Schema()
        self.before_write: Callable[[Edit], None] = lambda edit: None
        """What happens just before a file is replaced; it may raise."""
        self.refusal: HermesError | None = None
        """What `schema` raises."""

    def schema(self, runtime: Runtime, environment: Mapping[str, str]) -> Schema:
        """What is set."""
        if self.refusal is not None:
            raise self.refusal
        return self.known_schema

    def read(self, home: Home, file: ConfigFile) -> ConfigText:
        """What is in `files`."""
        path = home.path / file
        return ConfigText(path, self.files.get(path))

    def values(self, file: ConfigFile, data: bytes, path: Path) -> Mapping[str, Value]:
        """Line by line."""
        found: dict[str, Value] = {}
        for line in data.decode().splitlines():
            key, mark, value = line.partition("=")
            if not mark:
                raise ConfigInvalid(f"cannot use {path}: it is not understood")
            found[key] = value
        return found

    def masked(self, file: ConfigFile, data: bytes, path: Path) -> str:
        """Each line with its value as it may be shown."""
        return _text(
            {key: shown(key, value).text for key, value in self.values(file, data, path).items()}
        ).decode()

    def file_of(self, key: str) -> ConfigFile:
        """By whether it is written in capital letters."""
        return ConfigFile.ENV if key.isupper() else ConfigFile.CONFIG

    def plan(self, home: Home, schema: Schema, changes: Sequence[Change]) -> list[Edit]:
        """`.env` first."""
        edits = []
        for file in (ConfigFile.ENV, ConfigFile.CONFIG):
            own = [change for change in changes if self.file_of(change.key) is file]
            edits += self._plan(home, file, own, schema)
        return edits

    def plan_variables(self, home: Home, changes: Sequence[Change]) -> list[Edit]:
        """All in `.env`, as they are typed."""
        if any("." in change.key for change in changes):
            raise ArgumentInvalid("that is not the name of a variable")
        return self._plan(home, ConfigFile.ENV, changes, None)

    def plan_text(self, home: Home, file: ConfigFile, data: bytes) -> list[Edit]:
        """Whatever can be read."""
        found = self.read(home, file)
        before = self.values(file, found.data or b"", found.path)
        after = self.values(file, data, found.path)
        changed = tuple(differences(file, before, after))
        return [] if found.data == data else [Edit(file, found.path, found.data, data, changed)]

    def write(self, edit: Edit) -> None:
        """Unless it is another by now."""
        self.before_write(edit)
        if self.files.get(edit.path) != edit.before:
            raise ChangedMeanwhile(f"cannot write {edit.path}: somebody changed it meanwhile", path=str(edit.path))
        self.files[edit.path] = edit.after

    def _plan(self, home: Home, file: ConfigFile, changes: Sequence[Change], schema: Schema | None) -> list[Edit]:
        values = dict(self.values(file, self.read(home, file).data or b"", home.path / file))
        for change in changes:
            if change.text is None:
                if change.key not in values:
                    raise NotFound(f"{change.key} is not set")
                del values[change.key]
            elif schema is None or file is ConfigFile.ENV:
                values[change.key] = change.text
            else:
                keys = tuple(change.key.split("."))
                values[change.key] = plain(coerced(change.text, value_at(schema.defaults, keys)))
        return self.plan_text(home, file, _text(values)) if changes else []


def _text(values: Mapping[str, Value]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()
