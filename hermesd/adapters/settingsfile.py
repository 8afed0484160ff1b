"""The settings file, written by people in TOML.

Owns: which keys there are, of what type, and what is said of a wrong one. Must not know what a setting does.
"""

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hermesd.domain.errors import ConfigInvalid, HermesError
from hermesd.domain.policy import Policy
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import BackendKind, ProfileSettings, Settings

DAEMON = "daemon"
BACKEND = "backend"
GATEWAY = "gateway"
PROFILE = "profile"
COMMAND = "command"
JITTER = "jitter"
COUNT_KEYS = ("starts_per_hour", "starts_per_day")
POLICY_KEYS = tuple(field.name for field in dataclasses.fields(Policy))


def read_settings(path: Path) -> Settings:
    """The settings in a file; every default if there is no file.

    Raises:
        ConfigInvalid: it cannot be read, or says something that is not understood; metadata `path`, `key`.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise _invalid(path, "", f"it cannot be read ({error.strerror})") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise _invalid(path, "", f"it is not TOML: {error}") from error
    _refuse_unknown(path, "", document, (DAEMON, GATEWAY, PROFILE))
    policy = _policy(path, _table(path, GATEWAY, document.get(GATEWAY, {})))
    profiles = _table(path, PROFILE, document.get(PROFILE, {}))
    backend = _backend(path, _table(path, DAEMON, document.get(DAEMON, {})))
    return Settings(policy, {name: _profile(path, name, profiles[name]) for name in profiles}, backend)


def _backend(path: Path, table: Mapping[str, object]) -> BackendKind:
    _refuse_unknown(path, f"{DAEMON}.", table, (BACKEND,))
    value = table.get(BACKEND, BackendKind.AUTO)
    if value not in list(BackendKind):
        raise _invalid(path, f"{DAEMON}.{BACKEND}", f"it must be one of {', '.join(BackendKind)}")
    return BackendKind(str(value))


def _policy(path: Path, table: Mapping[str, object]) -> Policy:
    _refuse_unknown(path, f"{GATEWAY}.", table, POLICY_KEYS)
    numbers = {key: _number(path, f"{GATEWAY}.{key}", value) for key, value in table.items()}
    if numbers.get(JITTER, 0.0) > 1:
        raise _invalid(path, f"{GATEWAY}.{JITTER}", "it must be a share from 0 to 1")
    counts = {key: _count(path, f"{GATEWAY}.{key}", numbers.pop(key)) for key in COUNT_KEYS if key in numbers}
    times: dict[str, Any] = {**numbers, **counts}
    return Policy(**times)


def _profile(path: Path, name: str, value: object) -> ProfileSettings:
    key = f"{PROFILE}.{name}"
    try:
        is_name = ProfileName.parse(name).text == name
    except HermesError:
        is_name = False
    if not is_name:
        raise _invalid(path, key, "that is not a profile name")
    table = _table(path, key, value)
    _refuse_unknown(path, f"{key}.", table, (COMMAND,))
    return ProfileSettings(_words(path, f"{key}.{COMMAND}", table.get(COMMAND, [])))


def _table(path: Path, key: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _invalid(path, key, "it must be a table")
    return value


def _number(path: Path, key: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    raise _invalid(path, key, "it must be a number, 0 or more")


def _count(path: Path, key: str, number: float) -> int:
    if number >= 1 and number.is_integer():
        return int(number)
    raise _invalid(path, key, "it must be a whole number, 1 or more")


def _words(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and "\0" not in word for word in value):
        raise _invalid(path, key, 'it must be a list of words, such as ["/usr/bin/agent", "serve"]')
    return tuple(value)


def _refuse_unknown(path: Path, prefix: str, table: Mapping[str, object], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            raise _invalid(path, f"{prefix}{key}", f"there is no such setting; there are: {', '.join(known)}")


def _invalid(path: Path, key: str, why: str) -> ConfigInvalid:
    where = f" '{key}' in" if key else ""
    metadata = {"key": key} if key else {}
    return ConfigInvalid(f"cannot use{where} {path}: {why}", path=str(path), **metadata)
