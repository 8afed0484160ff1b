"""`hermesctl env`: which variables the processes of a profile get, and where from.

Owns: what is left out of the caller's own, which only the caller can tell, and how it is shown. No value of the
caller's is sent or shown. Must not know the rules.
"""

from typing import Any

import click

from hermesctl.commands.agent import foreign_of, textual
from hermesctl.options import Group
from hermesctl.session import Session
from hermesctl.shapes import word
from hermesctl.tables import Column
from hermesd.v1 import environments_pb2 as v1

HIDDEN = "…"
"""Stands for a value that is not shown."""

PURPOSES = {"gateway": v1.ENVIRONMENT_PURPOSE_GATEWAY, "command": v1.ENVIRONMENT_PURPOSE_COMMAND}

REASONS = {
    "steering": "it says to some hermes program what it is set to",
    "bot": "it is a bot's",
    "key": "it is a key, and environment.inherit_keys is false",
    "foreign": "its value is a secret of another profile",
}
"""Why a command does not inherit a variable, for people."""

COLUMNS: list[Column[dict[str, Any]]] = [
    Column("NAME", lambda one: one["name"]),
    Column("ORIGIN", lambda one: one["origin"]),
    Column("VALUE", lambda one: _told(one)),
]

env = Group("env", help="Look at the environment of gateways and commands.")


@env.command()
@click.option("--for", "purpose", type=click.Choice(list(PURPOSES)), default="gateway", help="What gets it.")
@click.pass_obj
def effective(session: Session, purpose: str) -> None:
    """Show the variables of the gateway, or of a command, and where they come from.

    What may be secret is never shown, and what a profile's `.env` says is read by the agent itself.
    """
    names: list[str] = []
    if purpose == "command":
        session.terminal.need_own_process()  # which has the values of its variables
        names = textual(session.terminal.environment_names)
    request = v1.DescribeEnvironmentRequest(
        profile=session.select(), purpose=PURPOSES[purpose], environment_names=names
    )
    told = session.client.environments.DescribeEnvironment(request)
    session.renderer.listing(
        "EnvironmentVariable",
        _rows(session, told),
        COLUMNS,
        name=lambda one: str(one["name"]),
        empty="there is no variable",
    )


def _told(row: dict[str, Any]) -> str:
    reason = row["left_out"]
    return f"left out: {REASONS.get(reason, reason)}" if reason else row["value"] or HIDDEN


def _rows(session: Session, told: v1.DescribeEnvironmentResponse) -> list[dict[str, Any]]:
    foreign = foreign_of(told.foreign_secrets).names(session.terminal.environment)
    rows = [_row(one, foreign) for one in told.variables]
    rows += [
        {
            "name": one.name,
            "origin": "caller",
            "value": None,
            "left_out": word(v1.EnvironmentRemoval.DESCRIPTOR, one.why),
        }
        for one in told.removed
    ]
    return sorted(rows, key=lambda row: str(row["name"]))


def _row(one: v1.EnvironmentVariable, foreign: set[str]) -> dict[str, Any]:
    origin = word(v1.EnvironmentOrigin.DESCRIPTOR, one.origin)
    is_left_out = origin == "caller" and one.name in foreign
    return {
        "name": one.name,
        "origin": origin,
        "value": one.value or None,
        "left_out": "foreign" if is_left_out else None,
    }
