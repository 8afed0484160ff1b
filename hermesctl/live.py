"""What is on show, kept up to date for as long as somebody looks.

Owns: when the daemon is asked again, which is when something happened and not more than ten times a second, and
how what changed is shown: in place on a terminal, as changed rows elsewhere. Must not know what is on show.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, NoReturn, Protocol, TypeVar

from hermesctl.render import json_line
from hermesctl.session import Session
from hermesctl.shapes import plain
from hermesctl.tables import cut, unpainted
from hermesctl.text import clean, width
from hermesctl.watching import Back, EventStream, Lost, is_absence, newest_token

if TYPE_CHECKING:
    from google.protobuf.message import Message

PAUSE_S = 0.1
"""How long the daemon is left alone between two questions, however much happens."""

TICK_S = 2.0
"""How often ages move on, without a question."""

REFRESH_S = 60.0
"""How often is asked for what no event tells, such as memory, which the daemon looks at as rarely."""

AWAY = "hermesd went away; this is what it said last. Waiting for it to come back"
SGR = "\x1b["

_Text = Callable[[Sequence["Message"], Sequence["Message"], Mapping[str, "Message"]], str]
"""How rows that were added, modified and deleted are written."""

State = TypeVar("State")
Contravariant = TypeVar("Contravariant", contravariant=True)


class Board(Protocol[State]):
    """What can be on show."""

    def ask(self) -> State:
        """How things are. Raises `grpc.RpcError`."""

    def rows(self, state: State) -> "dict[str, Message]":
        """What there is, by name."""

    def lasting(self, row: "Message") -> "Message":
        """A row without what changes all the time, so that two of them differ if something happened."""

    def screen(self, state: State, height: int) -> str:
        """All of it as text of at most so many lines."""

    def lines(self, rows: "Sequence[Message]", *, has_headers: bool) -> str:
        """Some rows as text."""


class _View(Protocol[Contravariant]):
    """How it is shown."""

    def show(self, state: Contravariant) -> None:
        """How things are now."""

    def tick(self) -> None:
        """Time has passed, or the window has another size."""

    def lose(self) -> None:
        """The daemon is away."""


def watch(session: Session, board: Board[State]) -> NoReturn:
    """Shows the board until Ctrl-C, or nobody reads it any more.

    Raises:
        HermesError: the daemon refuses, or one came back that is of no use.
    """
    session.terminal.need_own_process()
    stream = EventStream(session, after=newest_token(session))
    view = _view(session, board)
    now_s, asked_s, is_due = session.terminal.monotonic_s, float("-inf"), True
    while True:
        if is_due and not stream.is_lost and now_s() - asked_s >= PAUSE_S:
            asked_s = now_s()
            state = _asked(board)
            is_due = state is None
            if state is not None:
                view.show(state)
        items = stream.take(PAUSE_S if is_due else TICK_S)
        if any(isinstance(item, Lost) for item in items):
            view.lose()
        if any(isinstance(item, Back) for item in items) and not session.terminal.can_redraw:
            session.say("hermesd is back")
        is_due = is_due or bool(items) or now_s() - asked_s >= REFRESH_S
        if not items:
            view.tick()


def _asked(board: Board[State]) -> State | None:
    """How things are; `None` if the daemon ended meanwhile, which its stream tells in a moment."""
    import grpc

    try:
        return board.ask()
    except grpc.RpcError as error:
        if is_absence(error):
            return None
        raise


def _view(session: Session, board: Board[State]) -> _View[State]:
    if not session.form.is_text:
        return _Changes(session, board, _json)
    if session.terminal.can_redraw:
        return _Screen(session, board)
    return _Changes(session, board, _Rows(board))


class _Screen(Generic[State]):
    """Redrawn in place."""

    def __init__(self, session: Session, board: Board[State]) -> None:
        self._terminal = session.terminal
        self._board = board
        self._state: State | None = None
        self._is_lost = False
        self._drawn: list[str] = []
        self._columns = 0

    def show(self, state: State) -> None:
        """How things are now."""
        self._state, self._is_lost = state, False
        self._draw()

    def tick(self) -> None:
        """Time has passed, or the window has another size."""
        self._draw()

    def lose(self) -> None:
        """The daemon is away."""
        self._is_lost = True
        self._draw()

    def _draw(self) -> None:
        """Writes what changed, in one piece, so that nothing flickers. The last row is left to the cursor."""
        if self._state is None:
            return
        columns = self._terminal.columns or 80
        notices = [AWAY] if self._is_lost else []
        height = max(self._terminal.rows - 1 - len(notices), 2)
        shown = self._board.screen(self._state, height).splitlines()[:height]
        lines = [cut(line, columns) for line in [*shown, *notices]]
        if (lines, columns) == (self._drawn, self._columns):
            return
        before = self._drawn if columns == self._columns else []
        parts = [f"{SGR}{self._height(columns)}A" if self._drawn else "", "\r"]
        for at, line in enumerate(lines):
            is_there = at < len(before) and before[at] == line
            parts.append("\n" if is_there else f"{line}{SGR}K\n")
        self._terminal.write("".join(parts) + f"{SGR}J")
        self._drawn, self._columns = lines, columns

    def _height(self, columns: int) -> int:
        """Rows that what was drawn takes, in a window that may be narrower by now."""
        return sum(max(1, -(-width(unpainted(line)) // columns)) for line in self._drawn)


class _Changes(Generic[State]):
    """Told row by row, once each time it changes."""

    def __init__(self, session: Session, board: Board[State], text: "_Text") -> None:
        self._session = session
        self._board = board
        self._text = text
        self._told: dict[str, Message] = {}

    def show(self, state: State) -> None:
        """How things are now."""
        rows = self._board.rows(state)
        lasting = {name: self._board.lasting(row) for name, row in rows.items()}
        added = [rows[name] for name in rows if name not in self._told]
        modified = [rows[name] for name in rows if name in self._told and lasting[name] != self._told[name]]
        deleted = {name: row for name, row in self._told.items() if name not in rows}
        self._told = lasting
        if text := self._text(added, modified, deleted):
            self._session.terminal.write(text)

    def tick(self) -> None:
        """Nothing changes with time alone."""

    def lose(self) -> None:
        """The daemon is away."""
        self._session.say("hermesd went away; waiting for it to come back")


class _Rows(Generic[State]):
    """Changes as rows of a table, whose headers come once."""

    def __init__(self, board: Board[State]) -> None:
        self._board = board
        self._has_begun = False

    def __call__(
        self, added: "Sequence[Message]", modified: "Sequence[Message]", deleted: "Mapping[str, Message]"
    ) -> str:
        """The rows, then what is gone."""
        changed = [*added, *modified]
        text = self._board.lines(changed, has_headers=not self._has_begun) if changed else ""
        self._has_begun = self._has_begun or bool(changed)
        return text + "".join(f"{clean(name)}  deleted\n" for name in deleted)


def _json(added: "Sequence[Message]", modified: "Sequence[Message]", deleted: "Mapping[str, Message]") -> str:
    """Changes as JSON, a line each."""
    told = [("added", added), ("modified", modified), ("deleted", deleted.values())]
    return "".join(json_line(kind, plain(row)) for kind, rows in told for row in rows)
