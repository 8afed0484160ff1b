"""The settings file, written by people in TOML.

Owns: which keys there are, of what type, and what is said of a wrong one. Must not know what a setting does.
"""

import dataclasses
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hermesd.domain.environment import ACCOUNT_VARIABLES, removal_of
from hermesd.domain.errors import ConfigInvalid, HermesError
from hermesd.domain.limits import Limit
from hermesd.domain.policy import Policy
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import BackendKind, ProfileSettings, Settings
from hermesd.domain.trash import DAY_S

DAEMON = "daemon"
BACKEND = "backend"
WARM_CLIENTS = "warm_clients"
TRASH_DAYS = "trash_days"
MOST_DAYS = 36_500
ENVIRONMENT = "environment"
INHERIT_KEYS = "inherit_keys"
GATEWAYS = "gateways"
GATEWAY = "gateway"
PROFILE = "profile"
COMMAND = "command"
NO_LIMIT = "none"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SIZE = re.compile(f"([1-9][0-9]*)([{''.join(UNITS)}])")
MOST = 1 << 45
"""More than any machine has, and less than what a service manager could not be told."""
JITTER = "jitter"
LOOK = "look_s"
LEAST_LOOK_S = 1.0
"""A look takes time: those wanted more often come so much later than wanted that they prove nothing."""
COUNT_KEYS = ("starts_per_hour", "starts_per_day", "starts_at_once")
SWITCHES = ("restart_hung", "restart_unwell")
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
    except RecursionError as error:
        raise _invalid(path, "", "it is not TOML that can be understood: it is nested too deeply") from error
    _refuse_unknown(path, "", document, (DAEMON, ENVIRONMENT, GATEWAY, PROFILE))
    variables = _table(path, ENVIRONMENT, document.get(ENVIRONMENT, {}))
    policy = _policy(path, _table(path, GATEWAY, document.get(GATEWAY, {})))
    limits = _limits(path, f"{GATEWAY}.", document.get(GATEWAY, {}))
    profiles = _table(path, PROFILE, document.get(PROFILE, {}))
    daemon = _table(path, DAEMON, document.get(DAEMON, {}))
    _refuse_unknown(path, f"{DAEMON}.", daemon, (BACKEND, WARM_CLIENTS, TRASH_DAYS))
    return Settings(
        policy,
        {name: _profile(path, name, profiles[name]) for name in profiles},
        _backend(path, daemon),
        _warm_clients(path, daemon),
        _trash_kept_s(path, daemon),
        _inherits_keys(path, variables),
        _gateway_variables(path, variables),
        limits,
    )


def _backend(path: Path, table: Mapping[str, object]) -> BackendKind:
    value = table.get(BACKEND, BackendKind.AUTO)
    if value not in list(BackendKind):
        raise _invalid(path, f"{DAEMON}.{BACKEND}", f"it must be one of {', '.join(BackendKind)}")
    return BackendKind(str(value))


def _warm_clients(path: Path, table: Mapping[str, object]) -> bool:
    return _switch(path, f"{DAEMON}.{WARM_CLIENTS}", table.get(WARM_CLIENTS, True))


def _inherits_keys(path: Path, table: Mapping[str, object]) -> bool:
    _refuse_unknown(path, f"{ENVIRONMENT}.", table, (INHERIT_KEYS, GATEWAYS))
    return _switch(path, f"{ENVIRONMENT}.{INHERIT_KEYS}", table.get(INHERIT_KEYS, True))


def _gateway_variables(path: Path, table: Mapping[str, object]) -> dict[str, str]:
    """What all gateways are to get, which is no place for a secret: each profile's lies in its own `.env`."""
    prefix = f"{ENVIRONMENT}.{GATEWAYS}"
    found = {}
    for name, value in _table(path, prefix, table.get(GATEWAYS, {})).items():
        key = f"{prefix}.{name}"
        if not VARIABLE.fullmatch(name) or not isinstance(value, str) or "\0" in value:
            raise _invalid(path, key, "it must be a variable with a text")
        if name in ACCOUNT_VARIABLES - {"PATH"} or removal_of(name, inherits_keys=False) is not None:
            raise _invalid(path, key, "it is the account's or one profile's, whose .env is the place for it")
        found[name] = value
    return found


def _trash_kept_s(path: Path, table: Mapping[str, object]) -> float:
    if TRASH_DAYS not in table:
        return Settings().trash_kept_s
    key = f"{DAEMON}.{TRASH_DAYS}"
    days = _number(path, key, table[TRASH_DAYS])
    if days > MOST_DAYS:
        raise _invalid(path, key, f"it must be a number of days from 0 to {MOST_DAYS}")
    return days * DAY_S


def _policy(path: Path, table: Mapping[str, object]) -> Policy:
    _refuse_unknown(path, f"{GATEWAY}.", table, (*POLICY_KEYS, *Limit))
    set_here = {key: table[key] for key in POLICY_KEYS if key in table}
    switches = {key: _switch(path, f"{GATEWAY}.{key}", set_here.pop(key)) for key in SWITCHES if key in set_here}
    numbers = {key: _number(path, f"{GATEWAY}.{key}", value) for key, value in set_here.items()}
    if numbers.get(JITTER, 0.0) > 1:
        raise _invalid(path, f"{GATEWAY}.{JITTER}", "it must be a share from 0 to 1")
    if numbers.get(LOOK, LEAST_LOOK_S) < LEAST_LOOK_S:
        raise _invalid(path, f"{GATEWAY}.{LOOK}", f"it must be a number of seconds, {LEAST_LOOK_S:g} or more")
    counts = {key: _count(path, f"{GATEWAY}.{key}", numbers.pop(key)) for key in COUNT_KEYS if key in numbers}
    values: dict[str, Any] = {**numbers, **counts, **switches}
    return Policy(**values)


def _profile(path: Path, name: str, value: object) -> ProfileSettings:
    key = f"{PROFILE}.{name}"
    try:
        is_name = ProfileName.parse(name).text == name
    except HermesError:
        is_name = False
    if not is_name:
        raise _invalid(path, key, "that is not a profile name")
    table = _table(path, key, value)
    _refuse_unknown(path, f"{key}.", table, (COMMAND, *Limit))
    command = _words(path, f"{key}.{COMMAND}", table.get(COMMAND, []))
    return ProfileSettings(command, _limits(path, f"{key}.", table))


def _limits(path: Path, prefix: str, table: Mapping[str, object]) -> dict[Limit, int | None]:
    return {limit: _limit(path, f"{prefix}{limit}", limit, table[limit]) for limit in Limit if limit in table}


def _limit(path: Path, key: str, limit: Limit, value: object) -> int | None:
    """In the limit's own unit; `None` for none. Bytes may be written with a unit, as 512M."""
    if value == NO_LIMIT:
        return None
    is_size = limit is Limit.MEMORY_MAX
    if is_size and isinstance(value, str) and (size := SIZE.fullmatch(value)):
        value = int(size[1]) * UNITS[size[2]]
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST:
        return value
    unit = 'a number of bytes, or such as "512M" or "2G",' if is_size else "a whole number, 1 or more,"
    raise _invalid(path, key, f'it must be {unit} or "{NO_LIMIT}"')


def _table(path: Path, key: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _invalid(path, key, "it must be a table")
    return value


def _number(path: Path, key: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max:
        return float(value)
    raise _invalid(path, key, "it must be a number, 0 or more")


def _switch(path: Path, key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _invalid(path, key, "it must be true or false")
    return value


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
