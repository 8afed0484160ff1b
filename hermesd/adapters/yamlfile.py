"""YAML files that belong to people: reading them, and setting single values without touching the rest.

Owns: what counts as readable, and that a change is what was meant. A text that cannot be changed safely is
refused, never guessed at. Must not know what the values mean.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hermesd.adapters.textfile import invalid, read_text
from hermesd.adapters.yamltext import NotEditable, Scalar, with_value
from hermesd.adapters.yamltext import without as without_entry
from hermesd.domain.errors import ConfigInvalid

Data = dict[str, Any]
"""What a document holds: keys of the top level and whatever lies below them."""

_MALFORMED = (ValueError, ArithmeticError, AttributeError, LookupError, RecursionError)
"""What PyYAML raises beside its own errors for a malformed date, number or tag, and for bottomless nesting."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Data:
    """The top-level mapping of a file; empty if the file is missing or holds nothing.

    Raises:
        ConfigInvalid: the file cannot be read or parsed, or holds something else than a mapping.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Data:
    """Like `read_yaml`, of a text that was read from `path`.

    Raises:
        ConfigInvalid: the text cannot be parsed or holds something else than a mapping.
    """
    try:
        data = yaml.load(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise invalid(path, error.problem or "it is not YAML", mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, *_MALFORMED) as error:
        raise invalid(path, "it is not YAML that can be understood") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise invalid(path, "it is not a list of settings, each with its name", 1)
    return data


def with_values(text: str, values: Mapping[tuple[str, ...], Scalar], path: Path) -> str:
    """The text with each value set; every byte outside the lines of the changed keys stays as it is.

    A value is named by its keys from the top. A missing key is added behind its siblings, and a parent that is
    a single value becomes a mapping. `path` is only named in errors.

    Raises:
        ConfigInvalid: the text cannot be parsed, or this change needs a person.
    """
    wanted = parse_yaml(text, path)
    for keys, value in values.items():
        try:
            text = with_value(text, keys, value)
        except (NotEditable, yaml.YAMLError) as error:
            raise _by_hand(path) from error
        wanted = _with(wanted, keys, value)
    _check(text, wanted, path)
    return text


def without(text: str, entries: Iterable[tuple[str, ...]], path: Path) -> str:
    """The text without these entries, and without the sections that they leave empty; every other line stays.

    An entry is named by its keys from the top. `path` is only named in errors.

    Raises:
        ConfigInvalid: the text cannot be parsed, or this change needs a person.
    """
    wanted = parse_yaml(text, path)
    for keys in entries:
        wanted = _pruned(wanted, keys)
        try:
            text = without_entry(text, keys)
        except (NotEditable, yaml.YAMLError) as error:
            raise _by_hand(path) from error
    _check(text, wanted, path)
    return text


def _check(text: str, wanted: Data, path: Path) -> None:
    """Refuses a text that does not mean what was wanted, or cannot be told from it, as a number of thousands of
    digits.

    Representations tell 1 from true, keep the order, and of a number that is none say that it equals itself.
    """
    try:
        is_same = repr(parse_yaml(text, path)) == repr(wanted)
    except (ConfigInvalid, ValueError, RecursionError) as error:
        raise _by_hand(path) from error
    if not is_same:
        raise _by_hand(path)


def _pruned(data: Data, keys: tuple[str, ...]) -> Data:
    """The mapping without an entry, and without those above it that held nothing else; others may share it."""
    below = data.get(keys[0])
    if len(keys) == 1:
        return {key: value for key, value in data.items() if key != keys[0]}
    left = _pruned(below, keys[1:]) if isinstance(below, dict) else below
    if left == below:
        return data
    return {key: left if key == keys[0] else value for key, value in data.items() if key != keys[0] or left}


def _by_hand(path: Path) -> Exception:
    return invalid(path, "it is written in a way that hermesd cannot change safely, so it must be edited by hand")


def _with(data: object, keys: tuple[str, ...], value: Scalar) -> Any:
    """The same with a value set in mappings and lists that are copied on the way, for others may share them."""
    if not keys:
        return value
    key, *rest = keys
    if isinstance(data, list):
        number = int(key)
        return [_with(one, tuple(rest), value) if at == number else one for at, one in enumerate(data)]
    mapping = data if isinstance(data, dict) else {}
    return {**mapping, key: _with(mapping.get(key), tuple(rest), value)}
