"""`hermesctl profile alias`: commands that call hermesctl for one profile.

Owns: the verb, which of its options go together, and what the caller's own PATH has to do with it. Must not touch
an alias's file: the daemon does.
"""

import os
import shlex
from pathlib import Path

import click

from hermesctl.arguments import PROFILE_NAME
from hermesctl.completion import offered
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.options import Command, profile_argument
from hermesctl.session import Session
from hermesctl.tables import EMPTY, Column
from hermesctl.terminal import Terminal
from hermesctl.text import clean
from hermesd.v1 import aliases_pb2 as v1

COLUMNS: list[Column[v1.Alias]] = [
    Column("NAME", lambda one: one.name),
    Column("PROFILE", lambda one: one.profile),
    Column("MADE BY", lambda one: "hermesd" if one.is_ours else "others"),
    Column("PROBLEM", lambda one: EMPTY if one.has_profile else "no such profile"),
    Column("PATH", lambda one: one.path),
]


@click.command("alias", cls=Command)
@profile_argument
@click.option("--name", "alias_name", default="", metavar="ALIAS", shell_complete=offered.aliases,
              help="What the command is called. Default: as the profile.")  # fmt: skip
@click.option("--remove", "is_removing", is_flag=True, help="Remove it; all of the profile without --name.")
@click.option("--list", "is_listing", is_flag=True, help="List them, of all profiles if none is named.")
@click.pass_obj
def alias(session: Session, name: str, alias_name: str, is_removing: bool, is_listing: bool) -> None:
    """Make, remove and list the commands that call one profile."""
    if is_listing and (is_removing or alias_name):
        raise usage(f"'--list' and '{'--remove' if is_removing else '--name'}' contradict each other")
    if is_listing:
        _list(session, session.select(name) if name or session.profile.name else "")
    elif is_removing:
        _remove(session, session.select(name, is_change=True), alias_name)
    else:
        _create(session, session.select(name, is_change=True), alias_name)


def _list(session: Session, name: str) -> None:
    found = _aliases(session, name)
    session.renderer.listing(
        "Alias",
        found.aliases,
        COLUMNS,
        name=lambda one: one.name,
        empty=f"{clean(name)} has no alias" if name else "there is no alias",
        extra={"directory": found.directory, "is_on_path": _is_on_path(session.terminal, found.directory)},
    )
    if found.aliases and session.form.is_text:
        _warn_of_path(session, found.directory)


def _create(session: Session, name: str, alias_name: str) -> None:
    before = _aliases(session, "")
    wanted = (alias_name or name).strip().lower()
    if PROFILE_NAME.fullmatch(wanted):
        _refuse_program(session.terminal, name, wanted, before.directory)
    made = session.client.aliases.CreateAlias(v1.CreateAliasRequest(profile=name, name=alias_name))
    is_new = all(one.name != made.name for one in before.aliases)
    told = "" if session.is_quiet else _told(made, is_new=is_new)
    session.renderer.single("Alias", made, name=made.name, text=lambda: told)
    if not made.is_ours:
        session.warn(f"others wrote {made.path}, which stays; to make room for hermesctl's: {_removal(made)}")
    _warn_of_path(session, before.directory)


def _remove(session: Session, name: str, alias_name: str) -> None:
    request = v1.RemoveAliasRequest(profile=name, name=alias_name.strip().lower())
    gone = session.client.aliases.RemoveAlias(request).aliases
    told = "".join(f"✓ removed {clean(one.name)}, which called {clean(one.profile)}\n" for one in gone)
    if session.form.is_text:
        session.terminal.write("" if session.is_quiet else told)
    else:
        session.renderer.listing("Alias", gone, COLUMNS, name=lambda one: one.name, empty="")
    for left in () if alias_name else _aliases(session, name).aliases:
        session.warn(f"others wrote {left.path}, which stays; to remove it: {_removal(left)}")


def _told(made: v1.Alias, *, is_new: bool) -> str:
    verb = "✓" if is_new else "✓ already:"
    calls = f" → hermesctl -p {clean(made.profile)}" if made.is_ours else ", for the same profile"
    return f"{verb} {clean(made.name)}{calls}\n  path  {clean(made.path)}\n"


def _removal(found: v1.Alias) -> str:
    return f"rm {shlex.quote(found.path)}"


def _aliases(session: Session, profile: str) -> v1.ListAliasesResponse:
    return session.client.aliases.ListAliases(v1.ListAliasesRequest(profile=profile))


def _refuse_program(terminal: Terminal, profile: str, name: str, directory: str) -> None:
    """Refuses a name that is another program here: the daemon knows only the PATH that it was started with.

    Raises:
        HermesError: ALIAS_TAKEN.
    """
    for entry in _search_path(terminal):
        program = entry / name
        if not _is_same(entry, directory) and program.is_file() and os.access(program, os.X_OK):
            raise HermesError(
                "ALIAS_TAKEN",
                f"cannot make the alias '{name}'",
                why=f"there is {program}",
                fixes=[Fix(f"hermesctl profile alias {profile} --name {name}-agent")],
            )


def _warn_of_path(session: Session, directory: str) -> None:
    if not _is_on_path(session.terminal, directory):
        line = f'export PATH="{directory}:$PATH"'
        session.warn(f"{directory} is not on PATH; add to the start-up file of your shell: {line}")


def _is_on_path(terminal: Terminal, directory: str) -> bool:
    return any(_is_same(entry, directory) for entry in _search_path(terminal))


def _search_path(terminal: Terminal) -> list[Path]:
    """Where a shell of the caller looks for commands; what is not absolute depends on where one is."""
    return [Path(entry) for entry in terminal.environment.get("PATH", "").split(":") if entry.startswith("/")]


def _is_same(entry: Path, directory: str) -> bool:
    return os.path.realpath(entry) == os.path.realpath(directory)
