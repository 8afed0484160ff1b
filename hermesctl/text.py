"""Text that others wrote, made safe and made to fit.

Owns: the one sanitiser, and how many columns a text takes. Whatever reaches a terminal and was not written in
this package goes through `clean`: names, descriptions, logs, agent errors. Must not know where text comes from.
"""

import re
import unicodedata

SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movement
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x90-\x9f]*(?:\x07|\x1b\\|\x9c)"  # titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x90-\x9f]*(?:\x1b\\|\x9c)"  # device and application strings
    r"|\x1b[ -/]+[0-~]"  # character sets
)
"""Complete terminal sequences. What is left of broken ones is shown, not obeyed.

No string of one holds what begins another, or a line of beginnings would be read as often as it has any.
"""

SPACES = str.maketrans({"\t": "    ", "\n": " ", "\r": " ", "\v": " ", "\f": " ", "\x85": " "})

UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINERS = frozenset("\u200c\u200d")
"""Needed inside words of some scripts and inside emoji; they reorder and hide nothing."""

DELETE = "\x7f"
"""The first unsafe character that JSON lets through."""

ELLIPSIS = "…"

LEAST_ROOM = 20
"""Columns that a folded text has, however narrow the terminal is."""


def clean(text: str) -> str:
    """One line that a terminal shows as it is.

    Complete terminal sequences vanish, white space becomes spaces, and whatever else could steer a terminal,
    reorder or hide text is spelled out as an escape such as `\\x07` or `\\u202e`.
    """
    if text.isascii() and text.isprintable():
        return text
    spaced = SEQUENCES.sub("", text.replace("\r\n", "\n")).translate(SPACES)
    return "".join(_escape(char) if is_unsafe(char) else char for char in spaced)


def is_unsafe(char: str) -> bool:
    """Whether a character could do anything but take up room."""
    return unicodedata.category(char) in UNSAFE_CATEGORIES and char not in JOINERS


def escape_unsafe(text: str) -> str:
    """JSON text whose unsafe characters are written as `\\uXXXX`, which means the same to a parser."""
    if text.isascii() and DELETE not in text:
        return text
    return "".join(_json_escape(char) if char >= DELETE and is_unsafe(char) else char for char in text)


def width(text: str) -> int:
    """How many columns a cleaned text takes."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def shorten(text: str, columns: int) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if width(text) <= columns:
        return text
    kept, used = [], 0
    for char in text:
        used += _char_width(char)
        if used > columns - 1:
            break
        kept.append(char)
    return "".join(kept) + (ELLIPSIS if columns > 0 else "")


def fold(text: str, columns: int | None, indent: int) -> str:
    """A sentence, cleaned, in as many lines of a terminal as it needs; those after the first are indented.

    The first is taken to begin there, too. A word is never broken, for it may be a path. Not for commands: what is
    to be pasted stays in one line.
    """
    room = max((columns or 0) - indent, LEAST_ROOM)
    if columns is None or width(text) <= room:
        return text
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(lines[-1]) + 1 + width(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return f"\n{' ' * indent}".join(lines)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """The text with spaces up to that many columns, after it or, for numbers, before it."""
    space = " " * (columns - width(text))
    return space + text if right else text + space


def _escape(char: str) -> str:
    number = ord(char)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _char_width(char: str) -> int:
    if char in JOINERS or unicodedata.combining(char) or "\ufe00" <= char <= "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def size(count: int) -> str:
    """A number of bytes for people, in units of a thousand."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < (1000 if unit == "B" else 999.5):
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
