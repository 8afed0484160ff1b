"""Where in a YAML text a value lies, and the text with another value there.

Owns: positions, indentation and quoting. Works on the parser's events, because those of an alias lie where the
alias is. May produce a text that means something else in odd cases; whoever uses it compares. Must not know files.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_/.:@+~-]*")
_LINE_END = re.compile(r"[\r\n]|\Z")
_INDENT = 2
_BYTE_ORDER_MARK = "\ufeff"
"""Takes no column."""

Scalar = str | bool | int | float
"""What can be set."""


class NotEditable(Exception):
    """The text is of a form that cannot be changed in place."""


@dataclass
class _Node:
    """A value and where it lies: characters from `start` up to `end`, comments and line ends not included."""

    start: int
    end: int
    column: int
    is_mapping: bool = False
    is_sequence: bool = False
    is_flow: bool = False
    is_alias: bool = False
    key: str = ""
    """The text of a scalar, which may be a key."""
    entries: list[tuple["_Node", "_Node"]] = field(default_factory=list)
    """Keys and values of a mapping."""
    items: list["_Node"] = field(default_factory=list)
    """What is in a sequence."""


def with_value(text: str, keys: tuple[str, ...], value: Scalar) -> str:
    """The text with the value at `keys`, counted from the top, set; an item of a list has its number for one.

    Raises:
        NotEditable: the text is of a form that cannot be changed in place, or a list has no such item.
        yaml.YAMLError: the text cannot be parsed.
    """
    node = _parse(text)
    if node is None or node.start == node.end:
        return _with_block(text, len(text), 0, keys, value)
    if not node.is_mapping:
        raise NotEditable
    for depth, key in enumerate(keys):
        child = _child(node, key)
        if child is None:
            return _with_entry(text, node, keys[depth:], value)
        if depth == len(keys) - 1:
            return _with_scalar(text, child, value)
        if not (child.is_mapping or child.is_sequence):
            return _with_mapping(text, node, child, keys[depth + 1 :], value)
        node = child
    raise NotEditable


def with_replaced(text: str, replacement: Callable[[tuple[str, ...], str], str | None]) -> str:
    """The text with other text for some of its scalars; the rest, comments included, stays as it is.

    `replacement` is given the keys from the top and the value as text, and returns `None` for what stays.

    Raises:
        yaml.YAMLError: the text cannot be parsed.
        NotEditable: it has several documents, or is nested too deeply.
    """
    root = _parse(text)
    found = [] if root is None else sorted(_scalars(root, ()), key=lambda one: one[1].start, reverse=True)
    for keys, node in found:
        other = replacement(keys, node.key)
        if other is not None:
            text = text[: node.start] + other + text[node.end :]
    return text


def _scalars(node: _Node, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Node]]:
    """The values that are none of them a collection, with their keys from the top."""
    if node.is_mapping:
        for name, value in node.entries:
            yield from _scalars(value, (*keys, name.key))
    elif node.is_sequence:
        for number, item in enumerate(node.items):
            yield from _scalars(item, (*keys, str(number)))
    elif node.end > node.start and not node.is_alias:
        yield keys, node


def without(text: str, keys: tuple[str, ...]) -> str:
    """The text without the entry at `keys`, counted from the top, and without the sections it leaves empty.

    What stands inside the entry goes with it, comments too; a text that has no such entry stays as it is.

    Raises:
        NotEditable: the text is of a form that cannot be changed in place.
        yaml.YAMLError: the text cannot be parsed.
    """
    mapping = _parse(text)
    doomed: tuple[_Node, int] | None = None
    for key in keys:
        if mapping is None or not mapping.is_mapping:
            return text
        places = [n for n, (name, _) in enumerate(mapping.entries) if name.key == key and not name.is_mapping]
        if not places:
            return text
        if doomed is None or len(mapping.entries) > 1:
            doomed = mapping, places[-1]
        mapping = mapping.entries[places[-1]][1]
    return text if doomed is None else _without_entry(text, *doomed)


def render(value: Scalar) -> str:
    """The value as a YAML scalar, plain where that cannot be read as anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if _PLAIN.fullmatch(value) and not value.endswith(":") and yaml.safe_load(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _parse(text: str) -> _Node | None:
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    root: _Node | None = None
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise NotEditable
                root = _read(next(events), events, text)
    except RecursionError as error:  # nested without end
        raise NotEditable from error
    return root


def _marked(mark: Any) -> int:
    """The position of a mark, which the parser's own types say may be missing."""
    return int(mark.index)


def _read(event: yaml.Event, events: Iterator[yaml.Event], text: str) -> _Node:
    start, end = _marked(event.start_mark), _marked(event.end_mark)
    line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    column = start - line - (text[line : line + 1] == _BYTE_ORDER_MARK)
    node = _Node(start, start + len(text[start:end].rstrip()), column)
    node.is_alias = isinstance(event, yaml.AliasEvent)
    if isinstance(event, yaml.ScalarEvent):
        node.key = event.value
    if isinstance(event, yaml.CollectionStartEvent):
        node.is_flow = bool(event.flow_style)
        node.is_mapping = isinstance(event, yaml.MappingStartEvent)
        node.is_sequence = not node.is_mapping
        _read_children(node, events, text)
    return node


def _read_children(node: _Node, events: Iterator[yaml.Event], text: str) -> None:
    """Reads up to the end of a collection. A block collection ends where its last child does, for the parser
    counts the comments that follow."""
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            if node.is_flow:
                node.end = _marked(event.end_mark)
            return
        child = _read(event, events, text)
        if node.is_mapping:
            key, child = child, _read(next(events), events, text)
            node.entries.append((key, child))
        else:
            node.items.append(child)
        node.end = child.end


def _child(parent: _Node, key: str) -> _Node | None:
    """The value that counts: of a key that is there twice, the last."""
    if parent.is_sequence:
        if not key.isdecimal() or int(key) >= len(parent.items):
            raise NotEditable
        return parent.items[int(key)]
    found = [value for name, value in parent.entries if name.key == key and not name.is_mapping]
    return found[-1] if found else None


def _with_scalar(text: str, old: _Node, value: Scalar) -> str:
    if (old.is_mapping or old.is_sequence) and not old.is_flow:
        raise NotEditable
    space = " " if old.start == old.end else ""
    return text[: old.start] + space + render(value) + text[old.end :]


def _with_entry(text: str, mapping: _Node, keys: tuple[str, ...], value: Scalar) -> str:
    """The text with a new entry behind the last one of a mapping."""
    if not mapping.is_flow:
        return _with_block(text, mapping.end, mapping.entries[0][0].column, keys, value)
    entry = _flow(keys, value)
    if not mapping.entries:
        return text[: mapping.end - 1] + entry + text[mapping.end - 1 :]
    end = mapping.entries[-1][1].end
    return f"{text[:end]}, {entry}{text[end:]}"


def _without_entry(text: str, mapping: _Node, number: int) -> str:
    """The text without one entry: its lines in a block, itself and a comma in a flow."""
    name, value = mapping.entries[number]
    if not mapping.is_flow:
        start = max(text.rfind("\n", 0, name.start), text.rfind("\r", 0, name.start)) + 1
        if text[start : name.start].strip():
            raise NotEditable
        after = _line_end(text, max(value.end, name.end))
        after += 2 if text.startswith("\r\n", after) else 1
        return text[:start] + text[after:]
    if number + 1 < len(mapping.entries):
        return text[: name.start] + text[mapping.entries[number + 1][0].start :]
    start = mapping.entries[number - 1][1].end if number else name.start
    return text[:start] + text[max(value.end, name.end) :]


def _with_mapping(text: str, parent: _Node, old: _Node, keys: tuple[str, ...], value: Scalar) -> str:
    """The text with a mapping of one entry in place of a single value of `parent`."""
    if old.is_sequence or parent.is_sequence:
        raise NotEditable
    if parent.is_flow:
        space = " " if old.start == old.end else ""
        return f"{text[: old.start]}{space}{{{_flow(keys, value)}}}{text[old.end :]}"
    before = text[: old.start]
    if not text[old.end : _line_end(text, old.end)].strip():
        before = before.rstrip(" ")
    column = parent.entries[0][0].column + _INDENT
    return _with_block(before + text[old.end :], len(before), column, keys, value)


def _with_block(text: str, position: int, column: int, keys: tuple[str, ...], value: Scalar) -> str:
    """The text with a block entry in lines of its own, below the line that `position` is in."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [" " * (column + depth * _INDENT) + render(key) + ":" for depth, key in enumerate(keys)]
    block = newline.join(lines) + " " + render(value)
    at = _line_end(text, position)
    if at == len(text) and (not text or text.endswith("\n")):
        return text + block + newline
    return text[:at] + newline + block + text[at:]


def _line_end(text: str, position: int) -> int:
    found = _LINE_END.search(text, position)
    return found.start() if found else len(text)


def _flow(keys: tuple[str, ...], value: Scalar) -> str:
    inner = f"{render(keys[-1])}: {render(value)}"
    for key in reversed(keys[:-1]):
        inner = f"{render(key)}: {{{inner}}}"
    return inner
