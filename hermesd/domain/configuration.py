"""A profile's settings as keys and values, whichever of its files holds them.

Owns: how a key is written, what a word on a command line means as a value, what of a value may be shown, and how
two states of settings differ. Must not know which key is kept where, nor any file.
"""

import difflib
import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hermesd.domain.digests import fingerprint
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.masking import MARK, NO_SECRET, is_secret_name, mask

VERSIONS_KEPT = 50
"""Versions of one file that are kept; the oldest beyond them are removed."""

_ADDRESS_WITH_PASSWORD = re.compile(r"\w+://[^/\s:@]*:[^/\s@]+@")
_NOT_SECRET_NAMES = ("_env", "_tokens")
"""What names a variable, and what is counted."""

_ASSIGNMENT = re.compile(r"""((?P<name>[A-Za-z_][\w-]*)["']?[ \t]*[:=][ \t]*["']?)(?P<value>[^\s"'#]+)""")

LEAST_DIGESTED = 12
"""Characters of a secret whose digest is shown: by that of a shorter one, words could be tried until one fits."""

_ALIKE = 0.85
"""How much two keys have in common of which one is likely a slip, of 1."""

Value = object
"""Whatever YAML can hold: scalars, lists and mappings."""


class ConfigFile(StrEnum):
    """A file of settings."""

    CONFIG = "config.yaml"
    ENV = ".env"


@dataclass(frozen=True)
class Change:
    """One key that is to be set, or taken away where there is no value."""

    key: str
    text: str | None = field(repr=False)
    """As somebody typed it; it may be a secret."""


@dataclass(frozen=True)
class Schema:
    """What an agent's own defaults say."""

    defaults: Mapping[str, Value] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)
    """Keys that the agent also reads from a variable, which has to follow."""


@dataclass(frozen=True)
class Difference:
    """One key whose value is, or would be, another."""

    file: ConfigFile
    key: str
    before: Value = field(default=None, repr=False)
    """`None` where there was none."""
    after: Value = field(default=None, repr=False)


@dataclass(frozen=True)
class Edit:
    """A file as it is to be."""

    file: ConfigFile
    path: Path
    before: bytes | None = field(repr=False)
    """What it has to hold still; `None` where there must be no file."""
    after: bytes = field(repr=False)
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A value as it may be shown."""

    text: str
    """The value; of a secret its length, and its digest if that is no help in guessing."""
    is_secret: bool = False


def parse_key(key: str) -> tuple[str, ...]:
    """The names from the top of the file down.

    Raises:
        ArgumentInvalid: a name is missing.
    """
    names = tuple(key.split("."))
    if not all(names) or not key.isprintable():
        raise ArgumentInvalid(f"'{mask(key)}' is not a key", hint="a key is names joined by dots: model.default")
    return names


def value_at(values: Value, keys: tuple[str, ...]) -> Value:
    """What stands at a key; `None` if nothing does. What is in a list has its number for a name."""
    for name in keys:
        if isinstance(values, Mapping):
            values = values.get(name)
        elif isinstance(values, list) and name.isdecimal() and int(name) < len(values):
            values = values[int(name)]
        else:
            return None
    return values


def coerced(text: str, default: Value) -> str | bool | int | float:
    """A typed word as a value, by the rules of `hermes config set` (0.19.0).

    What is a text by default stays one, so that `approvals.mode off` does not become false.
    """
    if isinstance(default, str):
        return text
    if text.lower() in {"true", "yes", "on"}:
        return True
    if text.lower() in {"false", "no", "off"}:
        return False
    try:
        if text.isascii() and text.isdigit():
            return int(text)
        if text.isascii() and text.replace(".", "", 1).isdigit() and math.isfinite(number := float(text)):
            return number
    except ValueError:  # Python reads no number of more than a few thousand digits
        return text
    return text


def flattened(values: Value, key: str = "") -> Iterator[tuple[str, Value]]:
    """Every single value with its dotted key. What is empty counts as a value."""
    below: Iterator[tuple[object, Value]] | None = None
    if isinstance(values, Mapping):
        below = iter(values.items())
    elif isinstance(values, list):
        below = iter(enumerate(values))
    if below is None or not values:
        if key:
            yield key, values
        return
    for name, value in below:
        yield from flattened(value, f"{key}.{name}" if key else str(name))


def differences(file: ConfigFile, before: Value, after: Value) -> list[Difference]:
    """Every key whose value is another, in the order of the file as it is afterwards, then what is gone."""
    was, now = dict(flattened(before)), dict(flattened(after))
    keys = [*now, *(key for key in was if key not in now)]
    return [
        Difference(file, key, was.get(key), now.get(key))
        for key in keys
        if (key in was) != (key in now) or repr(was.get(key)) != repr(now.get(key))
    ]


def similar_key(defaults: Mapping[str, Value], key: str) -> str:
    """The setting that somebody may have meant by a key that an agent's defaults do not have; empty if none.

    What lies below a default that is empty is anybody's own, as the names of servers are.
    """
    known = dict(flattened(defaults))
    sections = {name.rsplit(".", depth)[0] for name in known for depth in range(1, name.count(".") + 1)}
    free = [name for name, value in known.items() if isinstance(value, Mapping | list)]
    if key in known or key in sections or any(key.startswith(f"{name}.") for name in free):
        return ""
    return next(iter(difflib.get_close_matches(key, known, 1, _ALIKE)), "")


def is_hidden(key: str, value: Value) -> bool:
    """Whether a value is one that nobody should see who did not ask for it.

    By the last name of its key, or by what it looks like itself: a well-known credential, or an address with a
    password in it. `api_key` in YAML is one as `API_KEY` in `.env` is.
    """
    if not isinstance(value, str) or not value:
        return False
    if mask(value) != value or _ADDRESS_WITH_PASSWORD.search(value):
        return True
    names = [name for name in key.split(".") if not name.isdecimal()]
    name = names[-1].lower() if names else ""
    return is_secret_name(name) and not name.endswith(_NOT_SECRET_NAMES) and not NO_SECRET.fullmatch(value)


def shown(key: str, value: Value) -> Shown:
    """A value as it may be shown: of a secret, what tells it from another one."""
    if not is_hidden(key, value):
        return Shown(plain(value))
    secret = str(value)
    length = f"{len(secret)} chars"
    if len(secret) < LEAST_DIGESTED:
        return Shown(f"set · {length}", is_secret=True)
    digest = hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
    return Shown(f"set · {fingerprint(digest)} · {length}", is_secret=True)


def masked_comment(line: str) -> str:
    """A comment without what looks like a secret that somebody switched off: `# api_key: …`."""

    def hide(found: re.Match[str]) -> str:
        return f"{found[1]}{MARK}" if is_hidden(found["name"], found["value"]) else found[0]

    return _ASSIGNMENT.sub(hide, line)


def plain(value: Value) -> str:
    """A value as text, in the words of YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
