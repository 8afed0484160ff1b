"""`hermesctl completion`: what Tab does in bash, zsh and fish.

Owns: printing and installing the scripts. Must not know what is completed.
"""

import click

from hermesctl.completion import scripts
from hermesctl.completion.installing import Installed, install
from hermesctl.options import Command, shell_argument
from hermesctl.session import Session
from hermesctl.text import clean


@click.command(cls=Command)
@shell_argument
@click.option("--install", "is_installing", is_flag=True, help="Write it where the shell looks for it.")
@click.pass_obj
def completion(session: Session, shell: str, is_installing: bool) -> None:
    """Print the completion script of bash, zsh or fish; it works for hermesctl and the commands of profiles."""
    text = scripts.completion(shell, session.terminal)
    if not is_installing:
        session.terminal.write(text)
        return
    done = install(shell, text, session.terminal.environment, session.places.home)
    data = {"shell": shell, "paths": [str(path) for path in done.paths], "changed": done.has_changed}
    told = "" if session.is_quiet else _told(done)
    session.renderer.single("Completion", data, name=shell, text=lambda: told)


def _told(done: Installed) -> str:
    deed = "wrote" if done.has_changed else "already current:"
    return "".join(f"✓ {deed} {clean(str(path))}\n" for path in done.paths) + done.hint
