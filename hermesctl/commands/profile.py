"""`hermesctl profile`: create, choose, look at and delete profiles.

Owns: the verbs, their questions and results. Must not touch a profile's files: the daemon does.
"""

import click

from hermesctl import disk_view
from hermesctl import profile_view as view
from hermesctl.commands.profile_alias import alias
from hermesctl.commands.profile_create import create
from hermesctl.commands.profile_delete import delete
from hermesctl.commands.profile_describe import describe
from hermesctl.commands.profile_diff import diff
from hermesctl.commands.profile_export import export
from hermesctl.commands.profile_import import import_
from hermesctl.commands.profile_soul import soul
from hermesctl.commands.trash import trash
from hermesctl.completion import scripts
from hermesctl.errors import ExitCode, Fix, usage
from hermesctl.gateway_view import is_up
from hermesctl.options import Group, name_argument, profile_argument, shell_argument
from hermesctl.progress import follow
from hermesctl.render import Format
from hermesctl.selection import DEFAULT, Selection, by_variables
from hermesctl.session import Session
from hermesctl.shapes import plain, span
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import profiles_pb2 as v1
from hermesd.v1.aliases_pb2 import ListAliasesRequest
from hermesd.v1.claims_pb2 import Claim, ListClaimsRequest
from hermesd.v1.terminals_pb2 import ListTerminalsRequest

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
@click.option("--disk", "is_measuring", is_flag=True, help="Measure what each takes on disk; -o wide does so too.")
@click.pass_obj
def list_(session: Session, is_measuring: bool) -> None:
    """List the profiles; '*' marks the one that plain commands work on."""
    answer = session.client.profiles.ListProfiles(v1.ListProfilesRequest())
    is_measuring = is_measuring or session.form is Format.WIDE
    usages = disk_view.measure_all(session, [one.name for one in answer.profiles if is_measuring])
    empty = "there is no profile yet: hermesctl profile create NAME"
    if session.form.is_text or session.form is Format.NAME:
        columns = view.columns(session.terminal, usages)
        session.renderer.listing("Profile", answer.profiles, columns, name=lambda one: one.name, empty=empty)
    else:
        disks = {name: plain(usage) for name, usage in usages.items()}
        rows = [plain(one) | {"disk": disks.get(one.name)} for one in answer.profiles]
        ignored = {"ignored": [plain(one) for one in answer.ignored]}
        session.renderer.listing("Profile", rows, [], name=lambda one: one["name"], empty=empty, extra=ignored)
    if session.form.is_text:
        for line in view.ignored_lines(answer.ignored):
            session.say(line)


@profile.command()
@profile_argument
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show one profile."""
    found = _get(session, session.select(name))
    usage = disk_view.measure(session, found.name, disk_view.PAGE_LIMIT)
    terminals = session.client.terminals.ListTerminals(ListTerminalsRequest(profile=found.name)).terminals
    claims = _claims(session, found.name)
    aliases = session.client.aliases.ListAliases(ListAliasesRequest(profile=found.name)).aliases
    session.renderer.single(
        "Profile",
        found,
        name=found.name,
        text=lambda: view.detail_page(found, session.terminal, usage, terminals, claims, aliases),
        extra={
            "disk": plain(usage),
            "terminals": [plain(one) for one in terminals],
            "claims": [plain(one) for one in claims],
        },
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
    """Rename a profile and its command; a gateway that runs comes back by itself.

    'default' keeps its name in commands and is shown as NEW_NAME; '' takes that back.
    """
    name = session.select(name)
    if name.strip().lower() == DEFAULT:
        return _show_as(session, new_name)
    before = _get(session, name)
    request = v1.RenameProfileRequest(profile=before.name, new_name=new_name)
    done = follow(session, session.client.profiles.RenameProfile(request))
    found = _get(session, new_name)
    text = view.renamed(before, found, elapsed(span(done.elapsed)))
    session.renderer.single("Profile", found, name=found.name, text=lambda: "" if session.is_quiet else text)
    return ExitCode.PARTLY if is_up(before.gateway) and not is_up(found.gateway) else ExitCode.DONE


for _command in (delete, trash, describe, soul, alias, export, import_, diff):
    profile.add_command(_command)


def _show_as(session: Session, shown: str) -> int:
    """Gives the default profile another name to be shown under: what it is called is not ours to change."""
    request = v1.SetDisplayNameRequest(profile=DEFAULT, display_name=shown)
    found = session.client.profiles.SetDisplayName(request)
    text = "" if session.is_quiet else view.shown_as(found)
    session.renderer.single("Profile", found, name=found.name, text=lambda: text)
    return ExitCode.DONE


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


def _claims(session: Session, name: str) -> list[Claim]:
    """What a profile claims; a platform may have its name too."""
    found = session.client.claims.ListClaims(ListClaimsRequest(about=name)).claims
    return [one for one in found if any(use.profile == name for use in one.uses)]


def _get(session: Session, name: str) -> v1.Profile:
    return session.client.profiles.GetProfile(v1.GetProfileRequest(profile=name))
