"""`hermesctl profile delete`: a profile goes to the trash, or for good.

Owns: the plan that is shown, the question and the result. Must not touch a profile's files: the daemon does.
"""

import click

from hermesctl import deletion_view as view
from hermesctl.commands.trash import kept_until
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.options import Command, name_argument
from hermesctl.progress import follow
from hermesctl.selection import DEFAULT
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import profiles_pb2 as v1


@click.command(cls=Command)
@name_argument
@click.option("-y", "--yes", "is_confirmed", is_flag=True, help="Do not ask.")
@click.option("--purge", "is_purge", is_flag=True, help="Remove its data for good.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Show what would go, and change nothing.")
@click.pass_obj
def delete(session: Session, name: str, is_confirmed: bool, is_purge: bool, is_dry_run: bool) -> None:
    """Stop the gateway and remove profile and command; the data go to the trash."""
    name = session.select(name)
    if name.strip().lower() == DEFAULT:
        raise HermesError(
            "PROFILE_NAME_INVALID",
            "cannot delete the default profile",
            why="it is the directory that all other profiles lie in",
        )
    if is_dry_run:
        plan = _plan(session, name, is_purge=is_purge)
        session.renderer.single("DeletionPlan", plan, name=plan.profile.name, text=lambda: view.plan_page(plan))
        return
    if not is_confirmed:
        name = _confirm(session, name, is_purge=is_purge)
    _delete(session, name, is_purge=is_purge)


def _delete(session: Session, name: str, *, is_purge: bool) -> None:
    request = v1.DeleteProfileRequest(profile=name, purge=is_purge)
    done = follow(session, session.client.profiles.DeleteProfile(request))
    told = f"✓ deleted {clean(done.profile)}{' for good' if is_purge else ''}  {elapsed(span(done.elapsed))}\n"
    if session.form.is_text and not is_purge and not session.is_quiet:
        told += kept_until(session, done)
    session.renderer.single("Operation", done, name=done.id, text=lambda: "" if session.is_quiet else told)


def _plan(session: Session, name: str, *, is_purge: bool) -> v1.DeletionPlan:
    return session.client.profiles.PlanDeletion(v1.PlanDeletionRequest(profile=name, purge=is_purge))


def _confirm(session: Session, name: str, *, is_purge: bool) -> str:
    """Shows what goes and has the name typed; returns the name of what was shown.

    Raises:
        HermesError: ARGUMENT_INVALID, nobody is there to ask; DECLINED, something else was typed.
    """
    terminal = session.terminal
    if not terminal.can_ask:
        found = session.client.profiles.GetProfile(v1.GetProfileRequest(profile=name))
        raise usage(
            f"cannot ask whether to delete '{found.name}'",
            why="there is no terminal",
            fixes=[Fix(f"hermesctl profile delete {found.name}{' --purge' if is_purge else ''} --yes")],
        )
    plan = _plan(session, name, is_purge=is_purge)
    shown = plan.profile.name
    terminal.say(view.plan_page(plan))
    typed = terminal.ask(f"Type '{clean(shown)}' to confirm: ")
    if typed is None:
        terminal.say("\n")
    if typed is None or typed.strip() != shown:
        raise HermesError("DECLINED", "nothing was deleted", why="the name was not typed")
    return shown
