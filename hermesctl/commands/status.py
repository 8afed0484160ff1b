"""`hermesctl status`: the fleet on one screen. Must not change anything."""

import shlex

import click

from hermesctl import fleet, live
from hermesctl.errors import Fix, usage
from hermesctl.options import Command, watch_option
from hermesctl.session import Session


@click.command(cls=Command)
@watch_option
@click.argument("asked", default="", metavar="")
@click.pass_obj
def status(session: Session, is_watching: bool, asked: str) -> None:
    """Show all gateways, what is wrong and what to do about it."""
    if asked:
        fix = Fix(f"hermesctl gateway status {shlex.quote(asked)}")
        raise usage("'status' shows all gateways, and takes no name", fixes=[fix])
    if is_watching:
        live.watch(session, fleet.FleetBoard(session))
    fleet.show(session, fleet.survey(session))
