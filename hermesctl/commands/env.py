"""`hermesctl env`: keys and tokens in a profile's `.env`, and which variables its processes get, and from where.

Owns: what is left out of the caller's own, which only the caller can tell, and how it is shown. No value of the
caller's environment is sent or shown. Must not know the rules.
"""

import io
from typing import Any

import click

from hermesctl import setting_verbs as verbs
from hermesctl.commands.agent import foreign_of, textual
from hermesctl.completion import offered
from hermesctl.errors import usage
from hermesctl.given import opened
from hermesctl.options import Group, reference
from hermesctl.session import Session
from hermesctl.setting_editing import edit_file
from hermesctl.shapes import word
from hermesctl.tables import Column
from hermesctl.text import clean
from hermesd.v1 import configs_pb2
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

env = Group("env", help="Keys and tokens in .env, and the environment of gateways and commands.")


@env.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List what .env sets. Secrets are shown by their fingerprints."""
    chosen = session.select()
    request = configs_pb2.GetConfigRequest(profile=chosen, file=configs_pb2.CONFIG_FILE_ENV)
    found = session.client.configs.GetConfig(request)
    session.renderer.listing(
        "Setting",
        list(found.settings),
        verbs.COLUMNS,
        name=lambda one: one.key,
        empty=f".env of {chosen} sets nothing",
    )


@env.command()
@click.argument("key")
@click.option("--reveal", "is_revealing", is_flag=True, help="Show a secret as it is; that is recorded.")
@click.option("-y", "--yes", "is_confirmed", is_flag=True, help="With --reveal, do not ask.")
@click.pass_obj
def get(session: Session, key: str, is_revealing: bool, is_confirmed: bool) -> None:
    """Show one variable of .env. A secret is shown by its fingerprint."""
    if is_revealing:
        verbs.reveal(session, key, is_confirmed=is_confirmed, is_variable=True)
    else:
        verbs.show_setting(session, key, is_variable=True)


@env.command("set")
@click.argument("words", nargs=-1, required=True, metavar="KEY=VALUE... | KEY [VALUE]")
@click.pass_obj
def set_(session: Session, words: tuple[str, ...]) -> None:
    """Set variables in .env. Without a value it is asked for, or read from a pipe: so that secrets stay unseen."""
    verbs.update(session, verbs.changes_of(session, words, "env"), are_variables=True)


@env.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.pass_obj
def unset(session: Session, keys: tuple[str, ...]) -> None:
    """Take variables out of .env."""
    changes = [configs_pb2.SettingChange(key=key) for key in keys]
    verbs.update(session, changes, are_variables=True)


@env.command()
@click.pass_obj
def edit(session: Session) -> None:
    """Change .env in $VISUAL, $EDITOR or vi, keys and tokens in clear."""
    edit_file(session, configs_pb2.CONFIG_FILE_ENV)


@env.command("import")
@click.option("-f", "--file", "file", required=True, metavar="FILE", help="What to take; '-' is the input.")
@click.pass_obj
def import_(session: Session, file: str) -> None:
    """Set every variable that a file like .env sets; what else is in .env stays."""
    from dotenv import dotenv_values  # few commands need it

    with opened(session.terminal, file) as found:
        text = found.read(verbs.MOST_FILE_BYTES).decode(errors="replace")
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    changes = [configs_pb2.SettingChange(key=key, value=value) for key, value in values.items() if value]
    if not changes:
        raise usage(f"{clean(file)} sets nothing", why="each line of such a file reads KEY=value")
    verbs.update(session, changes, are_variables=True)


@env.command("copy")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option(
    "--from", "source", required=True, metavar="NAME", shell_complete=offered.profiles, help="Its source."
)
@click.option("--to", "target", default="", metavar="NAME", shell_complete=offered.profiles, help="Its new owner.")
@click.pass_obj
def copy_(session: Session, keys: tuple[str, ...], source: str, target: str) -> None:
    """Give a profile variables of another one, without showing them. A bot of two profiles is named."""
    chosen = session.select(reference(target), is_change=True)
    request = configs_pb2.CopyVariablesRequest(profile=chosen, source=reference(source), names=keys)
    verbs.tell(session, chosen, session.client.configs.CopyVariables(request))


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
