"""The one renderer: what a command found, in the format that was asked for.

Owns: formats and that data is written in one piece. Must not know which command it serves.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from hermesctl.tables import Column, Layout, table
from hermesctl.terminal import Terminal
from hermesctl.text import clean, escape_unsafe

if TYPE_CHECKING:
    from google.protobuf.message import Message

Row = TypeVar("Row", bound="Message | dict[str, Any]")


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"

    @property
    def is_text(self) -> bool:
        """Whether it is for people."""
        return self in {Format.TABLE, Format.WIDE}


class Renderer:
    """Writes results to one terminal in one format."""

    def __init__(self, terminal: Terminal, form: Format, *, has_headers: bool = True) -> None:
        self._terminal = terminal
        self.form = form
        self._has_headers = has_headers

    @property
    def layout(self) -> Layout:
        """How tables are to be written."""
        return Layout(
            columns=self._terminal.columns,
            has_headers=self._has_headers,
            has_colour=self._terminal.has_colour(self._terminal.stdout),
            is_wide=self.form is Format.WIDE,
        )

    def listing(
        self,
        kind: str,
        rows: Sequence[Row],
        columns: Sequence[Column[Row]],
        *,
        name: Callable[[Row], str],
        empty: str,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes several things, or says `empty` on stderr. `extra` joins the JSON beside the items."""
        from hermesctl import shapes  # protobuf takes long to import, and not every command needs it

        if self.form.is_text:
            if rows:
                self._terminal.write(table(rows, columns, self.layout))
            else:
                self._terminal.say(f"{empty}\n")
        elif self.form is Format.NAME:
            self._terminal.write(_names(kind, [name(row) for row in rows]))
        elif self.form is Format.JSONL:
            self._terminal.write("".join(json_line("result", shapes.plain(row)) for row in rows))
        else:
            self._dump(shapes.listing(kind, rows) | dict(extra or {}))

    def single(
        self,
        kind: str,
        item: "Message | dict[str, Any]",
        *,
        name: str,
        text: Callable[[], str],
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes one thing; `text` is how people read it, cleaned. `extra` joins its JSON."""
        from hermesctl import shapes

        if self.form.is_text:
            self._terminal.write(text())
        elif self.form is Format.NAME:
            self._terminal.write(_names(kind, [name]))
        elif self.form is Format.JSONL:
            self._terminal.write(json_line("result", shapes.plain(item) | dict(extra or {})))
        else:
            self._dump(shapes.single(kind, item) | dict(extra or {}))

    def _dump(self, data: dict[str, Any]) -> None:
        is_ascii = not self._terminal.is_unicode
        text = (
            as_yaml(data, is_ascii=is_ascii) if self.form is Format.YAML else as_json(data, 2, is_ascii=is_ascii)
        )
        self._terminal.write(text)


def as_json(data: Any, indent: int | None = None, *, is_ascii: bool = True) -> str:
    """JSON with an end of line; harmless to a terminal whatever the data are."""
    return escape_unsafe(json.dumps(data, ensure_ascii=is_ascii, indent=indent)) + "\n"


def json_line(kind: str, data: Mapping[str, Any]) -> str:
    """One line of a stream of JSON; `kind` says what the line is."""
    return as_json({"type": kind} | dict(data))


def as_yaml(data: dict[str, Any], *, is_ascii: bool = True) -> str:
    """YAML; harmless to a terminal whatever the data are."""
    import yaml

    text: str = yaml.safe_dump(data, allow_unicode=not is_ascii, sort_keys=False, width=1000)
    if is_ascii or escape_unsafe(text) == text:
        return text
    return as_yaml(data)


def _names(kind: str, names: Sequence[str]) -> str:
    return "".join(f"{kind.lower()}/{clean(name)}\n" for name in names)
