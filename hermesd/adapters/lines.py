"""Lines of text out of bytes that any program may have written.

Owns: where a line ends, how long it may be, what becomes of bytes that are no text, and reading from the end.
Must not know which files these are.
"""

from collections.abc import Sequence
from pathlib import Path

LINE_LIMIT = 65_536
"""Bytes of a line that are kept; the rest of it is dropped."""
BLOCK_BYTES = 65_536
PIECE_BYTES = 1_048_576


def render_line(line: bytes) -> str:
    """One line without its end, as text; a carriage return there belongs to the end."""
    return line[:LINE_LIMIT].decode(errors="replace").removesuffix("\r")


class LineBuffer:
    """Collects bytes and gives lines once they are complete, holding no more than one bounded line."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        *complete, rest = data.split(b"\n")
        lines = []
        for piece in complete:
            self._hold(piece)
            lines.append(render_line(bytes(self._partial)))
            self._partial.clear()
        self._hold(rest)
        return lines

    def _hold(self, piece: bytes) -> None:
        self._partial += piece[: LINE_LIMIT - len(self._partial)]


def last_lines(data: bytes, lines: int) -> list[str]:
    """The last lines of `data`, which is empty or ends with a line end."""
    every = data.split(b"\n")[:-1]
    return [render_line(line) for line in every[max(len(every) - lines, 0) :]]


def last_bytes(files: Sequence[Path], end: int, lines: int) -> bytes:
    """The end of a text kept in several files, the newest first: at least the last complete `lines` lines.

    Reads backwards in blocks and no further than needed. `end` is where the newest file counts as ended;
    older ones are read whole if at all, and files that do not exist are empty.
    """
    blocks: list[bytes] = []
    newlines = 0
    for index, file in enumerate(files):
        position = end if index == 0 else file.stat().st_size if file.exists() else 0
        while position > 0 and newlines <= lines:
            start = max(position - BLOCK_BYTES, 0)
            block = read_piece(file, start, position - start)
            blocks.append(block)
            newlines += block.count(b"\n")
            position = start
    return b"".join(reversed(blocks))


def read_piece(file: Path, offset: int, size: int = PIECE_BYTES) -> bytes:
    """Up to `size` bytes from `offset` on; nothing if there is no such file."""
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(size)
    except FileNotFoundError:
        return b""
