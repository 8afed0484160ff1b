"""`hermesctl skills sync`: bundled skills are brought into profiles.

Owns: the verb and its results. All other verbs under `skills` are the agent's and never get here. Must not know
how a skill is decided about.
"""

import click

from hermesctl.agent_words import AGENT_SKILLS_VERBS
from hermesctl.completion import offered
from hermesctl.errors import ExitCode, usage
from hermesctl.options import Group, reference
from hermesctl.progress import follow
from hermesctl.results import exit_code, line, refuse_if_only_failure, warn_of_failures
from hermesctl.session import Session
from hermesd.v1 import skills_pb2 as v1

HELP = f"""Bring bundled skills into profiles.

Everything else under `skills` is the agent's own and runs as it is: {", ".join(sorted(AGENT_SKILLS_VERBS))}.
`hermesctl hermes -- skills --help` says what they do."""

skills = Group("skills", help=HELP)


@skills.command()
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...", shell_complete=offered.names)
@click.option("--all", "is_all", is_flag=True, help="Every profile.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--verify", is_flag=True, help="Look at every copy, also where nothing is known to have changed.")
@click.pass_obj
def sync(session: Session, profiles: tuple[str, ...], is_all: bool, dry_run: bool, verify: bool) -> ExitCode:
    """Add and update the skills that come with hermesd and the agent.

    What you edited or deleted stays so, and a profile that opted out gets none.
    """
    if is_all and (profiles or session.profile.name):
        raise usage("'--all' is every profile, and needs no name")
    names = [reference(name) for name in profiles]
    if session.profile.name:
        for name in names:
            session.profile.set(name)
    if not names and not is_all:
        names = [session.select(is_change=not dry_run)]
    request = v1.SyncSkillsRequest(profiles=names, dry_run=dry_run, verify=verify)
    done = follow(session, session.client.skills.SyncSkills(request))
    if session.form.is_text:
        refuse_if_only_failure(done.results)
    warn_of_failures(session, done.results)
    told = line(done.results)
    said = f"{'Skills to sync' if dry_run else 'Skills synced'}: {told}\n" if told else ""
    session.renderer.single("Operation", done, name=done.id, text=lambda: "" if session.is_quiet else said)
    return exit_code(done)
