"""`hermesctl events`: what happened.

Owns: the list and the stream of events as shown. Must not know what an event means.
"""

from collections.abc import Sequence

import click

from hermesctl.errors import usage
from hermesctl.gateway_view import moment
from hermesctl.moments import moment_given
from hermesctl.options import Command
from hermesctl.render import Format, json_line
from hermesctl.session import Session
from hermesctl.shapes import plain, seconds
from hermesctl.tables import EMPTY, Column, Layout, table
from hermesctl.terminal import Terminal
from hermesctl.times import local, rfc3339
from hermesctl.watching import Back, EventStream, Item, Lost, newest_token
from hermesd.v1 import events_pb2 as v1

DEFAULT_LINES = 20
MOST_LINES = 10_000
PAGE = 500
"""Events that the daemon lists at once."""

LOOK_S = 1.0
"""How often a stream looks whether somebody still reads it."""


@click.command(cls=Command)
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND",
    help="Only of this kind, such as gateway.exited, or noun, such as gateway. May be repeated.",
)  # fmt: skip
@click.option("--since", metavar="MOMENT", help="Only what happened then or later.")
@click.option("--until", metavar="MOMENT", help="Only what happened before.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, MOST_LINES),
    help=f"Only the last ones. Default: {DEFAULT_LINES}, or all with --since.",
)
@click.option("-f", "--follow", "is_following", is_flag=True, help="Go on with new events until Ctrl-C.")
@click.pass_obj
def events(
    session: Session,
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
    lines: int | None,
    is_following: bool,
) -> None:
    """List what happened, the oldest first; -p limits it to one profile.

    MOMENT is a span such as 10m, 2h or 3d before now, 09:00, 2026-11-23, 2026-11-23T09:00, today or yesterday.
    What is followed goes on when hermesd was restarted.
    """
    if is_following and until is not None:
        raise usage("'--until' and '--follow' exclude each other", why="what is followed has no end")
    if is_following:
        session.terminal.need_own_process()
    if lines is None:
        lines = DEFAULT_LINES if since is None else MOST_LINES
    now_s = session.terminal.now_s()
    request = v1.ListEventsRequest(
        profile=session.profile.name,
        kinds=kinds,
        since=moment_given("--since", since, now_s, "events"),
        until=moment_given("--until", until, now_s, "events"),
    )
    if is_following:
        _follow(session, request, lines)
        return
    session.renderer.listing(
        "Event",
        _history(session, request, lines),
        _columns(session.terminal),
        name=lambda one: str(one.token),
        empty="nothing happened" + (" that fits" if kinds or since or until or session.profile.name else " yet"),
    )


def _history(session: Session, request: v1.ListEventsRequest, lines: int) -> list[v1.Event]:
    """The newest events, oldest first, read page by page."""
    found: list[v1.Event] = []
    while len(found) < lines:
        request.page_size = min(lines - len(found), PAGE)
        page = session.client.events.ListEvents(request).events
        found = [*page, *found]
        if len(page) < request.page_size:
            break
        request.before_token = page[0].token
    return found


def _follow(session: Session, request: v1.ListEventsRequest, lines: int) -> None:
    after = newest_token(session)
    request.before_token = after + 1
    if lines:
        _write(session, _history(session, request, lines))
    stream = EventStream(session, after=after, kinds=list(request.kinds))
    while True:
        _show(session, stream.take(LOOK_S))


def _show(session: Session, items: Sequence[Item]) -> None:
    """Writes what came, in one piece but for what is talk."""
    coming: list[v1.Event] = []
    for item in items:
        if isinstance(item, v1.Event):
            coming.append(item)
            continue
        _write(session, coming)
        coming = []
        _notice(session, item)
    _write(session, coming)


def _notice(session: Session, item: v1.Gap | Lost | Back) -> None:
    match item:
        case Lost():
            session.say("hermesd went away; waiting for it to come back")
        case Back():
            session.say(f"hermesd is back; going on after event {item.after}")
        case _ if session.form.is_text:
            session.warn(f"some events before number {item.next_token} are missing here")
        case _:
            session.terminal.write(json_line("gap", plain(item)))


def _write(session: Session, coming: Sequence[v1.Event]) -> None:
    """Writes events of a stream."""
    if not coming:
        return
    if not session.form.is_text:
        session.terminal.write("".join(json_line("added", plain(event)) for event in coming))
        return
    columns = [Column("AT", lambda one: _time(session.terminal, one)), *_columns(session.terminal)[1:]]
    layout = Layout(has_headers=False, is_wide=session.form is Format.WIDE)
    session.terminal.write(table(coming, columns, layout))


def _time(terminal: Terminal, event: v1.Event) -> str:
    at_s = seconds(event.at)
    return rfc3339(at_s) if terminal.columns is None else local(at_s, terminal.now_s())


def _columns(terminal: Terminal) -> list[Column[v1.Event]]:
    return [
        Column("AT", lambda one: moment(terminal, one.at)),
        Column("KIND", lambda one: one.kind),
        Column("PROFILE", lambda one: one.profile or EMPTY),
        Column("MESSAGE", lambda one: one.message),
        Column("ASKED BY", lambda one: one.facts.get("requester", EMPTY), is_wide=True),
        Column("OPERATION", lambda one: one.facts.get("operation", EMPTY), is_wide=True),
    ]
