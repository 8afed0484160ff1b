"""The secrets of a home, by the files that hold them.

Owns: which files those are, by the ownership table, and what in them is a secret. Values must not reach a message.
Must not know what a secret is looked for in.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hermesd.adapters import jsontext, yamlfile
from hermesd.adapters.dotenvfile import parse_env
from hermesd.domain.archive import Secret
from hermesd.domain.configuration import flattened, is_hidden
from hermesd.domain.errors import HermesError
from hermesd.domain.masking import is_secret
from hermesd.domain.ownership import Owner, owner_of
from hermesd.domain.profile import Home

CONFIG = "config.yaml"
MOST_FILES = 5000
"""Files of one home that are read; a login of WhatsApp has hundreds."""

MOST_BYTES = 1 << 20
"""Of each: no file of keys is larger."""

_OF_SECRETS = frozenset({Owner.SECRETS, Owner.CHANNELS})
_WRAPPERS = frozenset({"data", "value", "private", "secret"})
"""Names that say nothing by themselves: of what stands around them they are the value."""


def read_secrets(home: Home) -> list[Secret]:
    """Every secret value of a home. Never raises: what cannot be read holds none that is known."""
    found = []
    for number, path in enumerate(_files(home)):
        if number == MOST_FILES:
            break
        name = "/".join(path.relative_to(home.path).parts)
        for key, value in _values(path):
            found.append(Secret(home.name.text, name, key, value))
    return found


def _files(home: Home) -> Iterator[Path]:
    """Those that may hold some, the settings first. No link to a directory is followed."""
    is_root = home.name.is_default
    yield home.path / CONFIG
    for directory, names, files in os.walk(home.path):
        way = Path(directory).relative_to(home.path).parts
        names[:] = [one for one in names if owner_of((*way, one), is_root=is_root) in _OF_SECRETS]
        for name in files:
            owner = owner_of((*way, name), is_root=is_root)
            if owner in _OF_SECRETS or (owner is Owner.SETTINGS and name.endswith(".json")):
                yield Path(directory, name)


def _values(path: Path) -> Iterator[tuple[str, str]]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            return
        text = path.read_bytes().decode(errors="surrogateescape").removeprefix("\ufeff")
        if path.name == CONFIG:
            yield from _of_settings(text, path)
        elif path.suffix == ".json":
            yield from _of_document(jsontext.parse(text, is_strict=False))
        else:
            yield from ((name, value) for name, value in parse_env(text).items() if is_secret(name, value))
    except (OSError, ValueError, RecursionError, HermesError):
        return


def _of_settings(text: str, path: Path) -> Iterator[tuple[str, str]]:
    for key, value in flattened(yamlfile.parse_yaml(text, path)):
        if isinstance(value, str) and is_hidden(key, value):
            yield key, value


def _of_document(document: object) -> Iterator[tuple[str, str]]:
    for key, value in flattened(document):
        names = [name for name in key.split(".") if not name.isdecimal()]
        telling = next((name for name in reversed(names) if name.lower() not in _WRAPPERS), "")
        if isinstance(value, str) and is_secret(telling, value):
            yield key, value
