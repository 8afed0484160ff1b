"""`hermesctl terminal`: commands that run on somebody's terminal. Must not open one; see `agent.py`."""

import click

from hermesctl.gateway_view import moment
from hermesctl.options import Group
from hermesctl.session import Session
from hermesctl.tables import Column
from hermesctl.terminal import Terminal
from hermesd.v1 import terminals_pb2 as v1

terminal = Group("terminal", help="Look at commands that run on somebody's terminal.")


@terminal.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List the commands that still run; -p limits them to one profile."""
    request = v1.ListTerminalsRequest(profile=session.profile.name)
    session.renderer.listing(
        "Terminal",
        session.client.terminals.ListTerminals(request).terminals,
        _columns(session.terminal),
        name=lambda one: one.id,
        empty="no command runs on a terminal",
    )


def _columns(terminal: Terminal) -> list[Column[v1.Terminal]]:
    return [
        Column("ID", lambda one: one.id),
        Column("PROFILE", lambda one: one.profile),
        Column("VERB", lambda one: one.verb),
        Column("PID", lambda one: str(one.pid), is_number=True),
        Column("TTY", lambda one: one.tty.removeprefix("/dev/")),
        Column("STARTED", lambda one: moment(terminal, one.started_at)),
        Column("DIRECTORY", lambda one: one.working_directory),
    ]
