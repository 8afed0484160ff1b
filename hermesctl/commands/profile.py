"""`hermesctl profile`: create, choose, look at and delete profiles.

Owns: the verbs, their questions and results. Must not touch a profile's files: the daemon does.
"""

import click

from hermesctl import profile_view as view
from hermesctl.commands.profile_create import create
from hermesctl.commands.trash import kept_until, trash
from hermesctl.completion import scripts
from hermesctl.errors import ExitCode, Fix, HermesError, usage
from hermesctl.gateway_view import is_up
from hermesctl.options import Group, name_argument, profile_argument, shell_argument
from hermesctl.progress import follow
from hermesctl.selection import DEFAULT, Selection, by_variables
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import profiles_pb2 as v1

BACK = "-"
"""Stands for the sticky default before the present one, as `cd -` does for a directory."""


@click.pass_context
def overview(context: click.Context) -> None:
    """Shows the chosen profile when no verb is given."""
    if context.invoked_subcommand is not None:
        return
    session: Session = context.obj
    chosen = session.selection()
    found = _find(session, chosen)
    session.renderer.single(
        "Profile",
        found,
        name=found.name,
        text=lambda: view.short_page(found, chosen.source, session.terminal),
        extra={"chosen_by": str(chosen.source)},
    )
    if not found.path and chosen.clearing:
        session.warn(f"plain commands cannot go on: {session.runnable(chosen.clearing.command)}")


profile = Group(
    "profile",
    help="Create, choose, look at and delete profiles. Alone, show the chosen one.",
    invoke_without_command=True,
    callback=overview,
)


profile.add_command(create)


@profile.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List the profiles; '*' marks the one that plain commands work on."""
    found = session.client.profiles.ListProfiles(v1.ListProfilesRequest()).profiles
    session.renderer.listing(
        "Profile",
        found,
        view.columns(session.terminal),
        name=lambda one: one.name,
        empty="there is no profile yet: hermesctl profile create NAME",
    )


@profile.command()
@profile_argument
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show one profile."""
    found = _get(session, session.select(name))
    session.renderer.single(
        "Profile", found, name=found.name, text=lambda: view.detail_page(found, session.terminal)
    )


@profile.command()
@profile_argument
@click.option("--clear", "is_clearing", is_flag=True, help="The same as 'use default'.")
@click.pass_obj
def use(session: Session, name: str, is_clearing: bool) -> None:
    """Make a profile what plain commands work on; '-' goes back, 'default' ends it."""
    answer = session.client.profiles.UseProfile(_use_request(session, name, is_clearing=is_clearing))
    told = "" if session.is_quiet else view.used(answer)
    session.renderer.single("StickyDefault", answer, name=answer.profile, text=lambda: told)
    stronger = by_variables(session.terminal.environment, session.places.root)
    if stronger and stronger.name != answer.profile:
        session.warn(f"here {stronger.source} goes first, which says {stronger.name}")


@profile.command()
@click.pass_obj
def current(session: Session) -> None:
    """Print the name of the chosen profile, without asking the daemon."""
    chosen = session.selection()
    session.renderer.single(
        "Selection",
        {"name": chosen.name, "chosen_by": str(chosen.source)},
        name=chosen.name,
        text=lambda: f"{clean(chosen.name)}\n",
    )


@profile.command()
@shell_argument
@click.pass_obj
def prompt(session: Session, shell: str) -> None:
    """Print the script that shows the chosen profile in a shell's prompt."""
    session.terminal.write(scripts.prompt(shell))


@profile.command()
@name_argument
@click.argument("new_name", metavar="NEW_NAME")
@click.pass_obj
def rename(session: Session, name: str, new_name: str) -> int:
    """Rename a profile and its command; a gateway that runs comes back by itself."""
    before = _get(session, session.select(name))
    request = v1.RenameProfileRequest(profile=before.name, new_name=new_name)
    done = follow(session, session.client.profiles.RenameProfile(request))
    found = _get(session, new_name)
    text = view.renamed(before, found, elapsed(span(done.elapsed)))
    session.renderer.single("Profile", found, name=found.name, text=lambda: "" if session.is_quiet else text)
    return ExitCode.PARTLY if is_up(before.gateway) and not is_up(found.gateway) else ExitCode.DONE


@profile.command()
@name_argument
@click.option("-y", "--yes", "is_confirmed", is_flag=True, help="Do not ask.")
@click.option("--purge", "is_purge", is_flag=True, help="Remove its data for good.")
@click.pass_obj
def delete(session: Session, name: str, is_confirmed: bool, is_purge: bool) -> None:
    """Stop the gateway and remove profile and command; the data go to the trash."""
    name = session.select(name)
    if name.strip().lower() == DEFAULT:
        raise HermesError(
            "PROFILE_NAME_INVALID",
            "cannot delete the default profile",
            why="it is the directory that all other profiles lie in",
        )
    found = _get(session, name)
    if not is_confirmed:
        _confirm(session, found, is_purge=is_purge)
    operation = session.client.profiles.DeleteProfile(v1.DeleteProfileRequest(profile=found.name, purge=is_purge))
    done = follow(session, operation)
    told = f"✓ deleted {clean(found.name)}{' for good' if is_purge else ''}  {elapsed(span(done.elapsed))}\n"
    if session.form.is_text and not is_purge and not session.is_quiet:
        told += kept_until(session, done)
    session.renderer.single("Operation", done, name=done.id, text=lambda: "" if session.is_quiet else told)


profile.add_command(trash)


def _use_request(session: Session, name: str, *, is_clearing: bool) -> v1.UseProfileRequest:
    """What is asked for: a name, typed or by -p, `-` for the one before, or the end of the choice.

    Raises:
        HermesError: ARGUMENT_INVALID, none of them, or a name and --clear; PROFILE_CONFLICT, a name and another.
    """
    named = session.select(name) if name or session.profile.name else ""
    if is_clearing and named:
        raise usage(f"'--clear' and '{named}' contradict each other", fixes=[Fix("hermesctl profile use --clear")])
    if not is_clearing and not named:
        raise usage(
            "'profile use' needs the name of a profile, '-' or --clear", fixes=[Fix("hermesctl profile list")]
        )
    is_back = named == BACK
    return v1.UseProfileRequest(profile="" if is_back else named or DEFAULT, previous=is_back)


def _find(session: Session, chosen: Selection) -> v1.Profile:
    """The chosen profile. A choice that nobody typed may name none, which is then all there is to say of it."""
    if chosen.is_explicit:
        return _get(session, chosen.name)
    import grpc

    from hermesctl.client import explain

    try:
        return _get(session, chosen.name)
    except grpc.RpcError as error:
        failure = explain(error)
        if failure.reason != "PROFILE_NOT_FOUND":
            raise
        return v1.Profile(name=chosen.name, problems=[failure.message])


def _get(session: Session, name: str) -> v1.Profile:
    return session.client.profiles.GetProfile(v1.GetProfileRequest(profile=name))


def _confirm(session: Session, found: v1.Profile, *, is_purge: bool) -> None:
    """Shows what goes and has the name typed.

    Raises:
        HermesError: ARGUMENT_INVALID, nobody is there to ask; DECLINED, something else was typed.
    """
    terminal = session.terminal
    if not terminal.can_ask:
        raise usage(
            f"cannot ask whether to delete '{found.name}'",
            why="there is no terminal",
            fixes=[Fix(f"hermesctl profile delete {found.name}{' --purge' if is_purge else ''} --yes")],
        )
    terminal.say(view.farewell(found, is_purge=is_purge))
    typed = terminal.ask(f"Type '{clean(found.name)}' to confirm: ")
    if typed is None:
        terminal.say("\n")
    if typed is None or typed.strip() != found.name:
        raise HermesError("DECLINED", "nothing was deleted", why="the name was not typed")
