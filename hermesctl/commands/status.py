"""`hermesctl status`: the fleet on one screen. Must not change anything."""

import click

from hermesctl import fleet, live
from hermesctl.options import Command, watch_option
from hermesctl.session import Session


@click.command(cls=Command)
@watch_option
@click.pass_obj
def status(session: Session, is_watching: bool) -> None:
    """Show all gateways, what is wrong and what to do about it."""
    if is_watching:
        live.watch(session, fleet.FleetBoard(session))
    fleet.show(session, fleet.survey(session))
