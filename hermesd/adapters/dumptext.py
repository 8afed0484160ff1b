"""The text of a dump.

Owns: its form and its size: what was seen comes first, then the newest lines of the log; where both do not fit,
the log keeps at least a quarter. Must not know where anything comes from.
"""

from collections.abc import Sequence

from hermesd.adapters.processlook import Section
from hermesd.domain.dump import DUMP_LIMIT_BYTES
from hermesd.domain.masking import mask

LINE_CHARACTERS = 4_000
_SPARE_BYTES = 256
"""For the lines that say what is left out."""


def render(
    head: Sequence[str], sections: Sequence[Section], lines: Sequence[str], limit_bytes: int = DUMP_LIMIT_BYTES
) -> bytes:
    """A dump of at most `limit_bytes`; `lines` are the last ones of the log, oldest first."""
    looks = [_bytes(line) for line in head]
    for section in sections:
        looks += [b"\n", _bytes(f"== {section.title}"), *(_bytes(line) for line in section.lines)]
    log = [_bytes(line) for line in lines]
    room = limit_bytes - _SPARE_BYTES
    kept = _fitting(looks, max(room - sum(map(len, log)), room * 3 // 4))
    newest = _fitting(log[::-1], room - sum(map(len, kept)))[::-1]
    if missing := len(looks) - len(kept):
        kept.append(_bytes(f"({missing} more lines left out)"))
    kept += [b"\n", _bytes(f"== last lines of its output: {len(newest)}")]
    if missing := len(log) - len(newest):
        kept.append(_bytes(f"({missing} older lines left out)"))
    return b"".join([*kept, *newest])


def _fitting(lines: Sequence[bytes], room: int) -> list[bytes]:
    """The first ones that fit."""
    kept = []
    for line in lines:
        room -= len(line)
        if room < 0:
            break
        kept.append(line)
    return kept


def _bytes(line: str) -> bytes:
    """One line without anything that a terminal would obey, and without the token that an argument may hold."""
    line = mask(line)
    shown = line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}…"
    text = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return f"{text}\n".encode(errors="replace")
