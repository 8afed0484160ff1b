"""`hermesctl events`: what happened.

Owns: the list and the stream of events as shown. Must not know what an event means.
"""

import click

from hermesctl.gateway_view import moment
from hermesctl.options import Command
from hermesctl.render import json_line
from hermesctl.session import Session
from hermesctl.shapes import plain, seconds
from hermesctl.tables import EMPTY, Column, Layout, table
from hermesctl.terminal import Terminal
from hermesctl.times import local, rfc3339
from hermesd.v1 import events_pb2 as v1


@click.command(cls=Command)
@click.option("-n", "--lines", type=click.IntRange(0, 10_000), default=20, help="How many. Default: 20.")
@click.option("-f", "--follow", "is_following", is_flag=True, help="Go on with new events until Ctrl-C.")
@click.pass_obj
def events(session: Session, lines: int, is_following: bool) -> None:
    """List what happened, the oldest first; -p limits it to one profile."""
    request = v1.ListEventsRequest(profile=session.profile.name, page_size=max(lines, 1))
    found = list(session.client.events.ListEvents(request).events)
    shown = found if lines else []
    if not is_following:
        session.renderer.listing(
            "Event",
            shown,
            _columns(session.terminal),
            name=lambda one: str(one.token),
            empty="nothing happened yet",
        )
        return
    for event in shown:
        _write(session, event)
    _follow(session, found[-1].token if found else 0)


def _follow(session: Session, token: int) -> None:
    request = v1.WatchEventsRequest(resume_token=token, profile=session.profile.name)
    for answer in session.client.events.WatchEvents(request):
        if answer.HasField("gap"):
            session.warn(f"some events before number {answer.gap.next_token} were dropped")
        else:
            _write(session, answer.event)


def _write(session: Session, event: v1.Event) -> None:
    """Writes one event of a stream."""
    if not session.form.is_text:
        session.terminal.write(json_line("added", plain(event)))
        return
    at_s = seconds(event.at)
    is_exact = session.terminal.columns is None
    when = rfc3339(at_s) if is_exact else local(at_s, session.terminal.now_s())
    columns: list[Column[v1.Event]] = [Column("AT", lambda _: when), *_columns(session.terminal)[1:]]
    session.terminal.write(table([event], columns, Layout(has_headers=False)))


def _columns(terminal: Terminal) -> list[Column[v1.Event]]:
    return [
        Column("AT", lambda one: moment(terminal, one.at)),
        Column("KIND", lambda one: one.kind),
        Column("PROFILE", lambda one: one.profile or EMPTY),
        Column("MESSAGE", lambda one: one.message),
    ]
