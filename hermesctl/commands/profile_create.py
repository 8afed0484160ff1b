"""`hermesctl profile create`: a new profile, blank or out of another one.

Owns: the verb, which profile is cloned, and its results. Must not decide what a clone holds: the daemon does.
"""

import shlex
from dataclasses import dataclass

import click

from hermesctl import plan_view
from hermesctl import profile_view as view
from hermesctl.commands.gateway import begin_start
from hermesctl.completion import offered
from hermesctl.errors import ExitCode, Fix, HermesError, usage
from hermesctl.options import Command, name_argument, reference
from hermesctl.progress import follow
from hermesctl.report import report
from hermesctl.selection import Source
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.times import elapsed
from hermesd.v1 import profiles_pb2 as v1

KEEP, STRIP, PAUSE = "keep", "strip", "pause"


@dataclass(frozen=True)
class Cloning:
    """What the command line says of cloning."""

    is_clone: bool
    is_everything: bool
    source: str
    channels: str | None
    cron: str | None

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be cloned; a named source says so too."""
        return self.is_clone or self.is_everything or bool(self.source)


def _source_name(_: click.Context, __: click.Parameter, value: str) -> str:
    return reference(value)


@click.command(cls=Command)
@name_argument
@click.option(
    "--clone", "is_clone", is_flag=True, help="Take over settings, keys and persona of the chosen profile."
)
@click.option(
    "--clone-all", "is_everything", is_flag=True, help="Take over all of it: memory, sessions, skills too."
)
@click.option(
    "--clone-from",
    "source",
    default="",
    metavar="NAME",
    callback=_source_name,
    shell_complete=offered.profiles,
    help="The profile to take over from; implies --clone.",
)
@click.option(
    "--channels", type=click.Choice([STRIP, KEEP]), help="Whether a clone has the bot tokens. Default: keep."
)
@click.option("--cron", type=click.Choice([KEEP, PAUSE]), help="What becomes of scheduled jobs. Default: pause.")
@click.option("--model", default="", metavar="MODEL", help="The model it asks.")
@click.option("--description", default="", help="What it is for, one line.")
@click.option("--no-alias", is_flag=True, help="Leave out the command of the same name.")
@click.option("--no-skills", is_flag=True, help="Leave out the bundled skills.")
@click.option("--start", "is_starting", is_flag=True, help="Start its gateway too.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.pass_obj
def create(
    session: Session,
    name: str,
    is_clone: bool,
    is_everything: bool,
    source: str,
    channels: str | None,
    cron: str | None,
    model: str,
    description: str,
    no_alias: bool,
    no_skills: bool,
    is_starting: bool,
    dry_run: bool,
) -> int:
    """Create a profile and the command that runs it.

    It is blank, or a clone of another one: of what other commands would work on, or of what --clone-from names.
    """
    request = v1.CreateProfileRequest(
        profile=name, description=description, no_alias=no_alias, no_skills=no_skills, model=model
    )
    _add_clone(session, request, Cloning(is_clone, is_everything, source, channels, cron))
    if dry_run:
        _show_plan(session, request)
        return ExitCode.DONE
    found = _make(session, request, is_shown=not is_starting or session.form.is_text)
    return _start(session, found.name) if is_starting else ExitCode.DONE


def _add_clone(session: Session, request: v1.CreateProfileRequest, asked: Cloning) -> None:
    """Adds what is to be cloned.

    Raises:
        HermesError: ARGUMENT_INVALID, an option says how to clone and none says that; PROFILE_CONFLICT,
            PROFILE_NAME_INVALID or NOT_PERMITTED as for any choice of a profile.
    """
    if not asked.is_wanted:
        for option, given in (("--channels", asked.channels), ("--cron", asked.cron)):
            if given:
                fix = f"hermesctl profile create {shlex.quote(request.profile)} --clone {option} {given}"
                raise usage(f"'{option}' says how to clone, and nothing is to be cloned", fixes=[Fix(fix)])
        return
    if asked.source:
        request.clone_from = asked.source
    else:
        chosen = session.selection()
        request.clone_from = chosen.name
        if not chosen.is_explicit:
            origin = "" if chosen.source is Source.NONE else f"{chosen.source}; "
            session.say(f"cloning {chosen.name} ({origin}override with --clone-from)")
    everything, settings = v1.CLONE_EXTENT_EVERYTHING, v1.CLONE_EXTENT_SETTINGS
    request.clone_extent = everything if asked.is_everything else settings
    request.strip_channels = asked.channels == STRIP
    request.keep_cron = asked.cron == KEEP


def _plan(session: Session, request: v1.CreateProfileRequest) -> v1.CreationPlan:
    return session.client.profiles.PlanCreation(v1.PlanCreationRequest(profile=request.profile, create=request))


def _show_plan(session: Session, request: v1.CreateProfileRequest) -> None:
    plan = _plan(session, request)
    session.renderer.single(
        "CreationPlan", plan, name=plan.profile, text=lambda: plan_view.page(plan, request.clone_from)
    )


def _make(session: Session, request: v1.CreateProfileRequest, *, is_shown: bool) -> v1.Profile:
    """Makes the profile and shows it; of a clone, what was taken over as well."""
    is_told = session.form.is_text and not session.is_quiet and is_shown
    planned = _plan(session, request) if is_told and request.clone_from else None
    done = follow(session, session.client.profiles.CreateProfile(request))
    found = session.client.profiles.GetProfile(v1.GetProfileRequest(profile=done.profile or request.profile))
    text = view.created(found, elapsed(span(done.elapsed))) if is_told else ""
    if planned is not None:
        steps = [step for step in planned.steps if step.verb != "alias"]
        text = plan_view.heading(planned, request.clone_from) + plan_view.steps(steps) + text
    if is_shown:
        session.renderer.single("Profile", found, name=found.name, text=lambda: text)
    return found


def _start(session: Session, name: str) -> int:
    """Starts the gateway of a profile that was just made; a failure leaves the command partly done."""
    try:
        begin_start(session, name)
    except HermesError as error:
        report(error, session.terminal, is_json=not session.form.is_text, verbosity=session.verbosity)
        return ExitCode.PARTLY
    return ExitCode.DONE
