"""hermes-agent's files of settings: which key is kept where, and changing them without touching the rest.

Owns: the rules of `hermes config set` (0.18.2 and 0.19.0) for what goes to `.env` and what to `config.yaml`, which
names no `.env` may hold, and how either file is shown. Values are secrets: none may reach a message. Must not know
what a setting does.
"""

import json
import re
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from hermesd.adapters import dotenvfile, steps, yamlfile, yamltext
from hermesd.adapters.agents.hermes_defaults import MARK
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.homefile import read_exactly, replace_exactly
from hermesd.adapters.textfile import invalid
from hermesd.domain.agent import ConfigText
from hermesd.domain.configuration import (
    Change,
    ConfigFile,
    Edit,
    Schema,
    Value,
    coerced,
    differences,
    masked_comment,
    parse_key,
    shown,
    value_at,
)
from hermesd.domain.errors import ArgumentInvalid, ConfigInvalid, Incompatible, NotFound
from hermesd.domain.masking import MARK as MARK_OF_MASK
from hermesd.domain.masking import mask
from hermesd.domain.profile import Home
from hermesd.domain.runtime import Runtime

LIMIT_S = 30.0
"""How long the agent may take to say what its defaults are."""

REDACTED = "REDACTED"
"""Stands for a secret in a file that is handed out."""

_PROGRAM = Path(__file__).with_name("hermes_defaults.py")
_VARIABLES = frozenset(
    (
        "VOICE_TOOLS_OPENAI_KEY FIRECRAWL_API_URL FIRECRAWL_GATEWAY_URL TOOL_GATEWAY_DOMAIN TOOL_GATEWAY_SCHEME "
        "BROWSERBASE_PROJECT_ID FAL_KEY SUDO_PASSWORD"
    ).split()
)
"""Those that neither their ending nor their beginning tells."""

_STEERING = re.compile(
    r"(?:LD|DYLD)_\w+|PYTHON[A-Z]+|NODE_(?:OPTIONS|PATH)|GIT_(?:SSH_COMMAND|EXEC_PATH|SHELL)"
    r"|PATH|SHELL|BROWSER|EDITOR|VISUAL|PAGER|IFS|ENV|BASH_ENV|PROMPT_COMMAND|HERMES_(?:HOME|PROFILE|CONFIG|ENV)"
)
"""What makes programs do something else, which hermes-agent refuses to write too."""

_ALIASES = {"model.api_base": "model.base_url", "api_base": "model.base_url"}
"""Keys that the agent's own command writes under another name."""

_UNMIRRORED = "terminal.cwd"
"""A directory of the profile's that its agent never takes from the variable."""


def is_variable(key: str) -> bool:
    """Whether a key is kept in `.env`, as `hermes config set` has it."""
    name = key.upper()
    return "." not in key and (
        name in _VARIABLES or name.endswith(("_API_KEY", "_TOKEN")) or name.startswith("TERMINAL_SSH")
    )


@lru_cache(8)
def _schema(interpreter: Path, search_path: str) -> Schema:
    """What the defaults of this agent are; an agent is asked once."""
    if not interpreter.exists():
        raise _speechless(interpreter)
    lines: list[str] = []
    ends_at_s = time.monotonic() + LIMIT_S

    def must_end() -> bool:
        if time.monotonic() > ends_at_s:
            raise _speechless(interpreter)
        return False

    with tempfile.TemporaryDirectory(prefix="hermesd-") as nowhere:
        variables = {"HOME": nowhere, "HERMES_HOME": nowhere, "PATH": search_path}
        argv = [str(interpreter), "-P", str(_PROGRAM)]
        try:
            steps.run(argv, variables, is_cancelled=must_end, on_line=lines.append, directory=Path(nowhere))
        except steps.StepFailed as failure:
            raise _speechless(interpreter) from failure
    said = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    if not said:
        raise _speechless(interpreter)
    return Schema(**json.loads(said[-1]))


def _speechless(interpreter: Path) -> Incompatible:
    return Incompatible(
        f"cannot tell the settings of the agent of {interpreter}: it does not say what its defaults are",
        fixes=["hermesctl runtime install"],
    )


def _values_of(file: ConfigFile, text: str, path: Path) -> Mapping[str, Value]:
    """What a text of this file sets. Raises `ConfigInvalid`."""
    if file is ConfigFile.ENV:
        return dotenvfile.parse_env(text)
    return yamlfile.parse_yaml(text, path)


def _masked(file: ConfigFile, text: str, path: Path) -> str:
    """The text with what may be shown of each secret in place of it."""
    if file is ConfigFile.ENV:
        return mask(dotenvfile.with_shown(text, lambda name, value: _hidden((name,), value)))
    try:
        return mask(yamltext.with_replaced(text, _hidden))
    except (yamltext.NotEditable, yaml.YAMLError) as error:
        raise invalid(path, "it is not YAML that can be understood") from error


def hide_settings(path: Path, *, is_written: bool) -> list[str]:
    """What nobody else should see in a private copy of `config.yaml`, however short it is, by its key.

    With `is_written`, something else stands there afterwards. Raises `ConfigInvalid` if nobody can tell.
    """
    found: list[str] = []

    def hide(keys: tuple[str, ...], value: str) -> str | None:
        if value == REDACTED or _hidden(keys, value) is None:
            return None
        found.append(".".join(keys))
        return REDACTED

    text = _read(path)[1]
    try:
        after = yamltext.with_replaced(text, hide)
    except (yamltext.NotEditable, yaml.YAMLError) as error:
        raise invalid(path, "it is not YAML that can be understood") from error
    lines = [mask(_masked_line(line)).replace(MARK_OF_MASK, REDACTED) for line in after.splitlines(keepends=True)]
    if "".join(lines) != after:
        found.append("a comment")
    if found and is_written:
        write_atomic(path, "".join(lines).encode())
    return found


def _masked_line(line: str) -> str:
    before, mark, comment = line.partition("#")
    return before + mark + masked_comment(comment) if mark else line


def _hidden(keys: tuple[str, ...], value: str) -> str | None:
    """What is shown instead of a value; `None` if it may be seen."""
    found = shown(".".join(keys), value)
    return found.text if found.is_secret else None


def _sort(
    change: Change,
    schema: Schema,
    variables: dict[str, str | None],
    settings: dict[tuple[str, ...], yamltext.Scalar | None],
) -> None:
    """Puts a change where it belongs."""
    if is_variable(change.key):
        variables[change.key.upper()] = change.text
        return
    key = _ALIASES.get(change.key.strip().lower(), change.key)
    keys = parse_key(key)
    value = None if change.text is None else coerced(change.text, value_at(schema.defaults, keys))
    settings[keys] = value
    mirror = schema.mirrors.get(key)
    if mirror is not None and key != _UNMIRRORED:
        variables[mirror] = None if value is None else str(value)


def _edit_env(home: Path, wanted: Mapping[str, str | None], named: Collection[str]) -> Edit | None:
    """Of the variables that somebody named, those that are to go must be there."""
    path = home / ConfigFile.ENV
    before, text = _read(path)
    written = dotenvfile.names(text)
    for name in wanted:
        if not dotenvfile.NAME.fullmatch(name):
            raise ArgumentInvalid(f"'{mask(name)}' is not the name of a variable")
        if _STEERING.fullmatch(name):
            raise ArgumentInvalid(f"'{name}' cannot be set in {ConfigFile.ENV}: it steers programs")
        if name in named and wanted[name] is None and name not in written:
            raise NotFound(f"{name} is not set in {path}")
    gone = [name for name, value in wanted.items() if value is None and name in written]
    set_ = {name: value for name, value in wanted.items() if value is not None}
    after = dotenvfile.without(text, gone, path) if gone else text
    try:
        after = dotenvfile.with_values(after, set_, path) if set_ else after
    except ValueError as error:
        raise ArgumentInvalid(str(error)) from error
    return _edit(ConfigFile.ENV, path, before, text, after)


def _edit_config(home: Path, wanted: Mapping[tuple[str, ...], yamltext.Scalar | None]) -> Edit | None:
    path = home / ConfigFile.CONFIG
    before, text = _read(path)
    found = yamlfile.parse_yaml(text, path)
    gone = [keys for keys, value in wanted.items() if value is None]
    for keys in gone:
        if not _is_there(found, keys):
            raise NotFound(f"{'.'.join(keys)} is not set in {path}")
    set_ = {keys: value for keys, value in wanted.items() if value is not None}
    after = yamlfile.without(text, gone, path) if gone else text
    left = yamlfile.parse_yaml(after, path)
    if stuck := [".".join(keys) for keys in gone if _is_there(left, keys)]:
        raise invalid(path, f"{', '.join(stuck)} can only be taken out by hand")
    after = yamlfile.with_values(after, set_, path) if set_ else after
    return _edit(ConfigFile.CONFIG, path, before, text, after)


def _is_there(found: Value, keys: tuple[str, ...]) -> bool:
    """Whether a key is written, be it that it says null."""
    parent = value_at(found, keys[:-1])
    return value_at(found, keys) is not None or (isinstance(parent, Mapping) and keys[-1] in parent)


def _edit(file: ConfigFile, path: Path, before: bytes | None, text: str, after: str) -> Edit | None:
    if after == text:
        return None
    changed = differences(file, _values_of(file, text, path), _values_of(file, after, path))
    return Edit(file, path, before, after.encode(), tuple(changed))


def _edit_to(home: Path, file: ConfigFile, data: bytes) -> Edit | None:
    """What makes a file hold these bytes; `None` if it does. What cannot be read gives way to what can."""
    path = home / file
    before, text = _read(path)
    try:
        after = data.decode()
    except UnicodeDecodeError as error:
        raise invalid(path, "it would not be UTF-8") from error
    if after == text:
        return None
    try:
        was = _values_of(file, text, path)
    except ConfigInvalid:
        was = {}
    changed = differences(file, was, _values_of(file, after, path))
    return Edit(file, path, before, data, tuple(changed))


def _read(path: Path) -> tuple[bytes | None, str]:
    data = read_exactly(path)
    return data, (data or b"").decode()


class HermesConfigFiles:
    """`config.yaml` and `.env`."""

    def schema(self, runtime: Runtime, environment: Mapping[str, str]) -> Schema:
        """Asked of the agent's own Python."""
        return _schema(runtime.executable.resolve().with_name("python"), environment.get("PATH", ""))

    def read(self, home: Home, file: ConfigFile) -> ConfigText:
        """Where it is by its name, links followed."""
        return ConfigText(home.path / file, read_exactly(home.path / file))

    def values(self, file: ConfigFile, data: bytes, path: Path) -> Mapping[str, Value]:
        """By the readers of either format."""
        return _values_of(file, data.decode(errors="replace"), path)

    def masked(self, file: ConfigFile, data: bytes, path: Path) -> str:
        """Values by their keys and shapes; in comments, what reads like a setting that was switched off."""
        text = _masked(file, data.decode(errors="replace"), path)
        return "".join(_masked_line(line) for line in text.splitlines(keepends=True))

    def file_of(self, key: str) -> ConfigFile:
        """As `hermes config set` has it."""
        return ConfigFile.ENV if is_variable(key) else ConfigFile.CONFIG

    def plan(self, home: Home, schema: Schema, changes: Sequence[Change]) -> list[Edit]:
        """`.env` first, so that no setting names a variable that is not there yet."""
        variables: dict[str, str | None] = {}
        settings: dict[tuple[str, ...], yamltext.Scalar | None] = {}
        for change in changes:
            _sort(change, schema, variables, settings)
        named = {change.key.upper() for change in changes if is_variable(change.key)}
        edits = [_edit_env(home.path, variables, named), _edit_config(home.path, settings)]
        return [edit for edit in edits if edit is not None]

    def plan_variables(self, home: Home, changes: Sequence[Change]) -> list[Edit]:
        """In `.env`."""
        wanted = {change.key: change.text for change in changes}
        edit = _edit_env(home.path, wanted, wanted.keys())
        return [] if edit is None else [edit]

    def plan_text(self, home: Home, file: ConfigFile, data: bytes) -> list[Edit]:
        """Whatever it says, if it can be read."""
        edit = _edit_to(home.path, file, data)
        return [] if edit is None else [edit]

    def write(self, edit: Edit) -> None:
        """By exchange; where a link leads, if the file is one."""
        replace_exactly(edit.path, edit.before, edit.after)
