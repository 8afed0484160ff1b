"""`hermesctl version`: the versions of everything. Must neither fail because the daemon is down nor start it."""

import click

from hermesctl import __version__
from hermesctl.options import Command
from hermesctl.session import Session
from hermesctl.tables import EMPTY, page
from hermesd.v1 import runtimes_pb2 as v1

PROTOCOL = "hermesd.v1"


@click.command(cls=Command)
@click.pass_obj
def version(session: Session) -> None:
    """Show the versions of client, daemon, protocol and agents."""
    record = session.places.running()
    agents = _agents(session) if record else []
    data = {
        "client": __version__,
        "daemon": record.version if record else None,
        "protocol": PROTOCOL,
        "agents": agents,
    }
    fields = [
        ("hermesctl", __version__),
        ("hermesd", record.version if record else "not running"),
        ("protocol", PROTOCOL),
        ("agents", ", ".join(agents) or EMPTY),
    ]
    session.renderer.single("Version", data, name=__version__, text=lambda: page("versions", fields))


def _agents(session: Session) -> list[str]:
    """The agents the daemon knows, whatever its version; the one in use first."""
    with session.connect(any_version=True) as client:
        found = sorted(
            client.runtimes.ListRuntimes(v1.ListRuntimesRequest()).runtimes, key=lambda one: not one.is_current
        )
    return [f"{runtime.kind} {runtime.version}".rstrip() for runtime in found]
