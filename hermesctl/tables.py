"""Tables and pages as plain aligned text.

Owns: columns, alignment and what gives way when a terminal is narrow. Must not know messages or streams.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from hermesctl.text import clean, fold, pad, shorten, width

Row = TypeVar("Row")

PAINT = re.compile(r"(\x1b\[[0-9;]*m)")
GAP = "  "
EMPTY = "–"  # noqa: RUF001
NARROWEST = 8
"""Columns a cell keeps, if it has them, when a table is squeezed."""


class Colour(StrEnum):
    """The colours in use, of the sixteen that every terminal has."""

    GREEN = "32"
    YELLOW = "33"
    RED = "31"
    DIM = "2"


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its header and how a row fills it."""

    header: str
    text: Callable[[Row], str]
    is_number: bool = False
    is_wide: bool = False
    """Whether only `-o wide` shows it."""
    least: int = 0
    """Width of a column that shall stand still while its cells change; it gives way as any does."""
    colour: Callable[[Row], Colour | None] | None = None


@dataclass(frozen=True)
class Layout:
    """How a table is written."""

    columns: int | None = None
    """Width of the terminal; `None` for as wide as it gets."""
    has_headers: bool = True
    has_colour: bool = False
    is_wide: bool = False


def paint(text: str, colour: Colour | None, *, has_colour: bool) -> str:
    """The text in a colour, where there is colour."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and has_colour and text.strip() else text


def unpainted(line: str) -> str:
    """A line of ours without its colours."""
    return PAINT.sub("", line)


def cut(line: str, columns: int) -> str:
    """A line of ours, or as much of it as fits, with its colours."""
    if width(unpainted(line)) <= columns:
        return line
    kept, room = [], columns - 1
    for at, part in enumerate(PAINT.split(line)):
        if at % 2:  # a colour
            kept.append(part)
        elif room >= 0:
            is_over = width(part) > room
            kept.append(shorten(part, room + 1) if is_over else part)
            room = -1 if is_over else room - width(part)
    return "".join(kept)


def table(rows: Sequence[Row], columns: Sequence[Column[Row]], layout: Layout) -> str:
    """The rows under their headers, a line each. Cells may hold what others wrote; it is cleaned here."""
    shown = [column for column in columns if layout.is_wide or not column.is_wide]
    cells = [[clean(column.text(row)) for column in shown] for row in rows]
    widths = _widths(shown, cells, layout)
    shown = shown[: len(widths)]
    lines = []
    if layout.has_headers:
        headers = [(shorten(column.header, size), column) for size, column in zip(widths, shown, strict=True)]
        lines.append(
            _line([pad(text, size, right=c.is_number) for size, (text, c) in zip(widths, headers, strict=True)])
        )
    for row, line in zip(rows, cells, strict=True):
        lines.append(_line([_cell(*one, row, layout) for one in zip(line, widths, shown, strict=False)]))
    return "".join(lines)


def fitting(rows: Sequence[Row], most: int, is_urgent: Callable[[Row], bool]) -> list[Row]:
    """So many rows at most, in their order; where not all fit, the first urgent ones and then the first others."""
    if len(rows) <= most:
        return list(rows)
    by_urgency = sorted(range(len(rows)), key=lambda at: not is_urgent(rows[at]))
    return [rows[at] for at in sorted(by_urgency[:most])]


def hidden(count: int) -> str:
    """The line that says how many rows did not fit."""
    return f"… {count} more\n" if count else ""


def page(
    title: str,
    fields: Sequence[tuple[str, str]],
    *,
    label_width: int = 12,
    columns: int | None = None,
    whole: Collection[str] = (),
) -> str:
    """One thing in detail: a title, then a line for each label. Values are cleaned; empty ones left out.

    Of a terminal with `columns`, sentences take several lines, but for what stands at labels that are `whole`.
    """
    indent = len(GAP) + label_width
    lines = [title]
    for label, value in fields:
        if value:
            folded = fold(clean(value), None if label in whole else columns, indent)
            lines.append(f"{GAP}{pad(label, label_width)}{folded}")
    return "".join(f"{line}\n" for line in lines)


def _cell(text: str, size: int, column: Column[Row], row: Row, layout: Layout) -> str:
    padded = pad(shorten(text, size), size, right=column.is_number)
    return paint(padded, column.colour(row) if column.colour else None, has_colour=layout.has_colour)


def _line(cells: Sequence[str]) -> str:
    return GAP.join(cells).rstrip() + "\n"


def _widths(columns: Sequence[Column[Row]], cells: Sequence[Sequence[str]], layout: Layout) -> list[int]:
    """Width of each column that fits; the last ones are left out where even squeezing does not help."""
    widths = [
        max(
            [column.least, width(column.header) if layout.has_headers else 0, *(width(line[at]) for line in cells)]
        )
        for at, column in enumerate(columns)
    ]
    if layout.columns is None or layout.is_wide:
        return widths
    while _total(widths) > layout.columns:
        soft = [at for at, column in enumerate(columns[: len(widths)]) if not column.is_number]
        widest = max(soft, key=lambda at: widths[at])
        if widths[widest] > NARROWEST:
            widths[widest] -= 1
        elif len(widths) > 2:
            widths.pop()
        else:
            break
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)
