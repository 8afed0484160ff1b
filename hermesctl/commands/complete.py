"""`hermesctl __complete`: what the scripts of `completion/` ask at every Tab.

Owns: that a Tab ends well, whatever happens. Must not be called by people: see `commands/completion.py`.
"""

from typing import TYPE_CHECKING, cast

import click

from hermesctl.completion import answering, typed
from hermesctl.options import Command

if TYPE_CHECKING:
    from hermesctl.session import Session


@click.command(cls=Command, context_settings={"ignore_unknown_options": True})
@click.argument("shell", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def complete(context: click.Context, shell: tuple[str, ...]) -> None:
    """Answer the script of a shell, which sends what was typed."""
    session = cast("Session", context.obj)
    try:
        line = typed.read("".join(shell), session.terminal.stdin.read(), session.places.home)
        told = answering.render(answering.answer(context, line), line)
    except Exception:  # noqa: BLE001 - whatever went wrong, a prompt is no place to tell
        told = "words\n"
    session.terminal.write(told)
