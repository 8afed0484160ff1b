"""`hermesctl doctor`: what is wrong with a profile, in hermesd's eyes and then in its agent's.

Owns: the order of the two, what each is told, and the exit code. The agent's doctor runs on the caller's terminal
as if it had been typed, and this process waits for it, for which it must be the caller's own. Must not mend
anything: the daemon does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from hermesctl import doctor_view, search_path
from hermesctl.commands.agent import open_terminal, program_of
from hermesctl.completion import offered
from hermesctl.errors import ExitCode, Fix, HermesError, usage
from hermesctl.options import reference
from hermesctl.session import Session
from hermesctl.terminal import NeedsOwnProcess, Program
from hermesctl.trailing import Trailing
from hermesd.v1 import doctor_pb2 as v1
from hermesd.v1.profiles_pb2 import GetProfileRequest, ListProfilesRequest

VERB = "doctor"
UNABLE = frozenset({"RUNTIME_MISSING", "INCOMPATIBLE"})
"""Why an agent cannot examine anybody, which says nothing of what hermesd found."""


@dataclass(frozen=True)
class Outcome:
    """What became of the agent's own doctor."""

    exit_code: int | None = None
    """`None` if it did not run."""
    why: str = ""
    """Why it did not."""


@click.command(VERB, cls=Trailing, trailing_metavar="[ARGS]...", is_optional=True)
@click.argument(
    "name",
    callback=lambda *given: reference(given[-1]),
    shell_complete=offered.profiles,
    required=False,
    default="",
)
@click.option("--fix", "is_fix", is_flag=True, help="Mend what can be mended without losing anything.")
@click.option("--all", "is_all", is_flag=True, help="The machine and every profile; no agent's doctor runs.")
@click.option("--no-agent", is_flag=True, help="Only hermesd's own checks.")
@click.pass_obj
def doctor(session: Session, name: str, words: tuple[str, ...], is_fix: bool, is_all: bool, no_agent: bool) -> int:
    """Look for what is wrong with a profile; then its agent's own doctor does.

    --fix is hermesd's. What stands behind '--' goes to the agent's doctor, which has a --fix too:
    hermesctl doctor coder --fix -- --fix
    """
    runs_agent = not (is_all or no_agent)
    _refuse_contradictions(session, name, words, is_all=is_all, runs_agent=runs_agent)
    if runs_agent and session.terminal.is_shared:
        raise NeedsOwnProcess
    profile = "" if is_all else session.select(name, is_change=is_fix)
    found = _examine(session, profile, is_fix=is_fix)
    own = ExitCode.FAILED if doctor_view.has_errors(found) else ExitCode.DONE
    if session.form.is_text:
        session.terminal.write(doctor_view.text(session, found))
        outcome = _run_agent(session, profile, words) if runs_agent else Outcome()
        if outcome.why:
            session.warn(f"the agent's own doctor did not run: {outcome.why}")
    else:
        outcome = _run_agent(session, profile, words) if runs_agent else Outcome()
        _write(session, found, outcome)
    return max(own, outcome.exit_code or 0)


def _refuse_contradictions(
    session: Session, name: str, words: Sequence[str], *, is_all: bool, runs_agent: bool
) -> None:
    named = name or session.profile.name
    if is_all and named:
        raise usage(f"'--all' and '{named}' contradict each other", fixes=[Fix("hermesctl doctor --all")])
    if words and not runs_agent:
        raise usage(
            "the agent's own doctor is not run, so there is nobody for what stands behind '--'",
            fixes=[Fix("hermesctl doctor --help")],
        )


def _examine(session: Session, profile: str, *, is_fix: bool) -> list[v1.Finding]:
    """What the daemon finds, and what only the caller's shell knows, by profile, the machine first."""
    client = session.client
    found = list(client.doctor.Examine(v1.ExamineRequest(profile=profile, fix=is_fix)).findings)
    if profile:
        profiles = [client.profiles.GetProfile(GetProfileRequest(profile=profile))]
    else:
        profiles = list(client.profiles.ListProfiles(ListProfilesRequest()).profiles)
    order = {name: at for at, name in enumerate(dict.fromkeys(one.profile for one in found))}
    found += search_path.check(session, profiles)
    return sorted(found, key=lambda one: order.get(one.profile, len(order)))


def _run_agent(session: Session, profile: str, words: Sequence[str]) -> Outcome:
    """The agent's doctor, with these words.

    Raises:
        HermesError: the daemon's reason, if it is none of those for which an agent cannot.
    """
    try:
        program = _program(session, profile, words)
    except HermesError as failure:
        if failure.reason not in UNABLE:
            raise
        return Outcome(why="; ".join(part for part in (failure.message, failure.why) if part))
    try:
        return Outcome(session.terminal.run(program, is_talk=not session.form.is_text))
    except OSError as error:
        return Outcome(why=f"{program.executable} cannot be run ({error.strerror or error})")


def _program(session: Session, profile: str, words: Sequence[str]) -> Program:
    import grpc

    from hermesctl.client import explain

    try:
        return program_of(open_terminal(session, profile=profile, arguments=(VERB, *words)))
    except grpc.RpcError as error:
        raise explain(error) from error


def _write(session: Session, found: Sequence[v1.Finding], outcome: Outcome) -> None:
    agent = {"exit_code": outcome.exit_code, "skipped": outcome.why or None}
    session.renderer.listing("Finding", found, [], name=lambda one: one.check, empty="", extra={"agent": agent})
