"""`hermesctl hermes`: the agent's command line as it was typed, with a daemon or without one.

Owns: what is refused before it reaches the agent, and how to insist. Must interpret nothing else of it.
"""

import click

from hermesctl.arguments import AgentCommand, refuse
from hermesctl.commands.agent import become, run_agent
from hermesctl.errors import HermesError
from hermesctl.session import Session
from hermesctl.trailing import Trailing


@click.command("hermes", cls=Trailing, trailing_metavar="[ARGS]...")
@click.option("--unsafe", "is_unsafe", is_flag=True, help="Pass on commands that work against the daemon, too.")
@click.option(
    "--direct", "is_direct", is_flag=True, help="Without a daemon, in an emergency: nothing is recorded."
)
@click.pass_obj
def hermes(session: Session, words: tuple[str, ...], is_unsafe: bool, is_direct: bool) -> None:
    """Run the agent for a profile with exactly these arguments."""
    if not is_unsafe:
        _refuse(words, session.profile.name)
    if is_direct:
        session.terminal.need_own_process()  # which has the values of its variables
        from hermesctl import direct

        chosen = session.selection()
        run_agent(session, direct.program(session.terminal, session.places, chosen.name, words))
    become(session, AgentCommand(session.profile.name, words))


def _refuse(words: tuple[str, ...], profile: str) -> None:
    try:
        refuse(words, profile)
    except HermesError as failure:
        failure.why += "; --unsafe passes it on all the same"
        raise
