"""Files of secrets, one `KEY=value` a line, read as python-dotenv reads them and changed line by line.

Owns: quoting and where a line lies. Must not know what the keys mean. Values are secrets: none may reach a
message.
"""

import io
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from hermesd.adapters.textfile import invalid, read_text

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a key may be called."""

_BYTE_ORDER_MARK = "\ufeff"
_NEEDS_QUOTES = re.compile(r"[\s'\"#\\]")
_LINE = re.compile(r"(?P<before>\s*(?:export[^\S\r\n]+)?).*?(?P<after>[\r\n]*)", re.DOTALL)


def read_env(path: Path) -> dict[str, str]:
    """Keys and values, without looking up any variable; empty if there is no such file.

    A key that stands there without a value, and a line that cannot be understood, are left out.

    Raises:
        ConfigInvalid: the file cannot be read or is not UTF-8.
    """
    return parse_env(read_text(path))


def parse_env(text: str) -> dict[str, str]:
    """Like `read_env`, of a text."""
    found = {}
    for binding in _bindings(text):
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found


def unclear_lines(text: str) -> list[int]:
    """Numbers, from 1, of the lines that no reader understands and all leave out."""
    return [binding.original.line for binding in _bindings(text) if binding.error]


def names(text: str) -> set[str]:
    """Every key that is written, with a value or without one."""
    return {binding.key for binding in _bindings(text) if binding.key is not None}


def with_values(text: str, values: Mapping[str, str], path: Path) -> str:
    """The text with each value set, replacing the line that counts or adding one; all else stays as it is.

    `path` is only named in errors.

    Raises:
        ConfigInvalid: the text must be edited by hand.
        ValueError: a name or value cannot be written into such a file.
    """
    wanted = parse_env(text) | dict(values)
    for name, value in values.items():
        text = _with_value(text, name, value)
    if parse_env(text) != wanted:
        raise invalid(
            path, "it is written in a way that hermesd cannot change safely, so it must be edited by hand"
        )
    return text


def with_shown(text: str, shown: Callable[[str, str], str | None]) -> str:
    """The text with other values for some keys, for people to look at; `shown` returns `None` for what stays."""
    pieces = []
    for binding in _bindings(text):
        other = None if not binding.key or not binding.value else shown(binding.key, binding.value)
        piece = binding.original.string
        pieces.append(piece if other is None else _replaced(piece, f"{binding.key}={other}"))
    return "".join(pieces)


def without(text: str, keys: Collection[str], path: Path) -> str:
    """The text without the lines of these keys, those that say nothing any more included; all else stays.

    `path` is only named in errors.

    Raises:
        ConfigInvalid: a key is written where it cannot be taken out safely.
    """
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    left = mark + "".join(_left(binding, keys) for binding in _bindings(text))
    lines = (line.lstrip() for line in re.split(r"[\r\n]", left))
    effective = "\n".join(line for line in lines if not line.startswith("#"))
    # What one reader takes for the end of a value, another, which mends such files first, takes for a line.
    if "\0" in effective or any(re.search(rf"{re.escape(name)}\s*=", effective) for name in keys):
        raise invalid(path, "keys run into each other in a line, so it must be edited by hand")
    return left


def _left(binding: Binding, keys: Collection[str]) -> str:
    """What is left of a line: the blank lines and comments that the parser counts to it, or all of it."""
    if binding.key not in keys:
        return binding.original.string
    before = re.match(r"(?:[^\S\r\n]*(?:\r\n|\n|\r))*", binding.original.string)
    return before.group() if before else ""


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text.removeprefix(_BYTE_ORDER_MARK))))


def _with_value(text: str, name: str, value: str) -> str:
    line = f"{name}={_render(name, value)}"
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    pieces = [binding.original.string for binding in _bindings(text)]
    places = [number for number, binding in enumerate(_bindings(text)) if binding.key == name]
    if places:
        pieces[places[-1]] = _replaced(pieces[places[-1]], line)
        return mark + "".join(pieces)
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if pieces and not text.endswith("\n") else ""
    return f"{text}{gap}{line}{newline}"


def _replaced(piece: str, line: str) -> str:
    """A line with another content but its own place, `export` and line end."""
    found = _LINE.fullmatch(piece)
    return f"{found['before']}{line}{found['after']}" if found else line


def _render(name: str, value: str) -> str:
    """The value as hermes-agent writes it.

    It drops what is not ASCII from keys and expands `${`, so such a value would not arrive.
    """
    if not NAME.fullmatch(name):
        raise ValueError("a name is made of letters, digits and underscores")
    if not (value.isascii() and value.isprintable()) or "${" in value:
        raise ValueError(f"the value of {name} has characters that cannot be kept in such a file")
    if not _NEEDS_QUOTES.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
