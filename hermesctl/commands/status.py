"""`hermesctl status`: the fleet on one screen. Must not change anything."""

import click

from hermesctl import fleet
from hermesctl.options import Command
from hermesctl.session import Session


@click.command(cls=Command)
@click.pass_obj
def status(session: Session) -> None:
    """Show all gateways, what is wrong and what to do about it."""
    fleet.show(session, fleet.survey(session))
