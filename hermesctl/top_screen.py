"""The live screen of `top`: what it shows and what keys do.

Owns: the picture in a given size, order, place and pause. Must not know terminals or the daemon.
"""

from collections.abc import Callable, Mapping, Sequence

from hermesctl.session import Session
from hermesctl.tables import Colour, Layout, paint, table
from hermesctl.text import clean, shorten, width
from hermesctl.times import local
from hermesctl.top_feed import News
from hermesctl.top_view import Order, Row, Trends, columns, in_order, rows, totals

ORDERS: Mapping[str, Order] = {
    "c": Order.CPU,
    "m": Order.MEMORY,
    "f": Order.DESCRIPTORS,
    "t": Order.THREADS,
    "r": Order.RESTARTS,
    "n": Order.NAME,
}
FOOTER = "q quit · c cpu · m memory · f fds · t threads · r restarts · n name · ? help"
HELP = (
    "hermesctl top",
    "",
    "  c  processor time      m  memory (RSS)     f  descriptors",
    "  t  threads             r  restarts         n  name",
    "     Sorts by it; the same key again turns the order round.",
    "",
    "  up, down, Page Up, Page Down, Home, End    moves through the list",
    "  space                  holds the picture, and lets it go on",
    "  q or Ctrl-C            ends; Ctrl-Z stops, fg goes on",
    "",
    "CPU% is of one core: 150 is one and a half. All is of the gateway's whole",
    "tree of processes; RSS counts what they share once for each of them.",
    "",
    "any key goes back",
)
ROOM_FOR_TRENDS = 95
"""Columns that it takes to draw memory too, beside names in full."""

FRAME_LINES = 4
"""Two lines above the table, its header, and one below."""


class TopScreen:
    """What one person sees, and how they want it."""

    def __init__(self, session: Session, order: Order, *, is_shown: Callable[[str], bool]) -> None:
        """`is_shown` tells which profiles are wanted."""
        self.is_over = False
        self._terminal = session.terminal
        self._is_shown = is_shown
        self._order, self._is_reversed = order, False
        self._first = 0
        self._is_helping = self._is_paused = False
        self._rows: list[Row] = []
        self._trouble = ""
        self._seen_s = 0.0
        self._trends = Trends()
        self._page = 1
        """Rows on the screen."""

    def take(self, news: News) -> None:
        """Takes what is known by now, unless the picture is held."""
        self._trouble = news.trouble
        if self._is_paused:
            return
        shown = [one for one in news.gateways if self._is_shown(one.profile)]
        self._rows = rows(shown, {} if news.trouble else news.samples)
        if not news.trouble:
            self._seen_s = self._terminal.now_s()
            self._trends.add(self._rows)

    def press(self, key: str) -> None:
        """Does what a key says; others do nothing."""
        if key in {"q", "Q", "end"}:
            self.is_over = True
        elif self._is_helping:
            self._is_helping = False
        elif key in {"h", "?"}:
            self._is_helping = True
        elif key == "space":
            self._is_paused = not self._is_paused
        elif key in ORDERS:
            self._is_reversed = self._order is ORDERS[key] and not self._is_reversed
            self._order = ORDERS[key]
        else:
            self._move(key)

    def _move(self, key: str) -> None:
        ways = {"up": -1, "down": 1, "page up": -self._page, "page down": self._page}
        if key in ways:
            self._first += ways[key]
        elif key in {"home", "last"}:
            self._first = 0 if key == "home" else len(self._rows)

    def lines(self, size: tuple[int, int]) -> list[str]:
        """The picture, in columns and rows."""
        across, down = size
        if self._is_helping:
            return [shorten(line, across) for line in HELP[:down]]
        self._page = max(down - FRAME_LINES, 1)
        self._first = max(min(self._first, len(self._rows) - self._page), 0)
        ordered = in_order(self._rows, self._order, is_reversed=self._is_reversed)
        above = [shorten(line, across) for line in (self._heading(), totals(self._rows))]
        listed = self._table(ordered[self._first : self._first + self._page], across)
        blank = [""] * (down - len(above) - len(listed) - 1)
        return [*above, *listed, *blank, self._footer(across)][:down]

    def _heading(self) -> str:
        direction = " (reversed)" if self._is_reversed else ""
        parts = [
            local(self._seen_s, self._terminal.now_s()) if self._seen_s else "",
            f"by {self._order}{direction}",
        ]
        last = min(self._first + self._page, len(self._rows))
        if len(self._rows) > self._page:
            parts.append(f"{self._first + 1} to {last} of {len(self._rows)}")
        parts.append("paused: space goes on" if self._is_paused else "")
        return " · ".join(["hermesctl top", *filter(None, parts)])

    def _table(self, shown: Sequence[Row], across: int) -> list[str]:
        """Cells of names are as wide as the widest of all, so that nothing moves when the list does."""
        if not self._rows:
            return ["no profile yet"]
        widest = max(width(clean(row.gateway.profile)) for row in self._rows)
        has_trends = across >= ROOM_FOR_TRENDS + widest and self._terminal.is_unicode
        wanted = columns(self._terminal, name_width=widest, trends=self._trends if has_trends else None)
        layout = Layout(columns=across, has_colour=self._has_colour)
        return table(shown, wanted, layout).splitlines()

    def _footer(self, across: int) -> str:
        if self._trouble:
            text = shorten(f"◆ {clean(self._trouble)}; trying again", across)
            return paint(text, Colour.YELLOW, has_colour=self._has_colour)
        return paint(shorten(FOOTER, across), Colour.DIM, has_colour=self._has_colour)

    @property
    def _has_colour(self) -> bool:
        return self._terminal.has_colour(self._terminal.stdout)
