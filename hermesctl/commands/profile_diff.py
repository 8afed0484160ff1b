"""`hermesctl profile diff`: in what two profiles differ.

Owns: the verb and how differences are shown. Must not read a profile: the daemon does.
"""

from collections.abc import Iterable
from itertools import groupby

import click

from hermesctl.completion import offered
from hermesctl.options import Command, reference
from hermesctl.session import Session
from hermesctl.text import clean
from hermesd.v1 import profiles_pb2 as v1

TITLES = {"setting": "settings", "server of tools": "servers of tools", "variable": "variables", "skill": "skills"}
"""How each kind of difference is headed."""


def _name(_: click.Context, __: click.Parameter, value: str) -> str:
    return reference(value)


@click.command(cls=Command)
@click.argument("one", metavar="A", callback=_name, shell_complete=offered.names)
@click.argument("other", metavar="B", callback=_name, shell_complete=offered.names)
@click.pass_obj
def diff(session: Session, one: str, other: str) -> None:
    """Show in what two profiles differ: settings, servers of tools, variables, skills."""
    request = v1.CompareProfilesRequest(profile=one, other=other)
    found = session.client.profiles.CompareProfiles(request)
    if session.form.is_text and not found.differences:
        session.say(f"{clean(one)} and {clean(other)} do not differ in settings, variables or skills")
    text = "".join(f"{line}\n" for line in _lines(one, other, found.differences))
    session.renderer.single("ProfileDiff", found, name=f"{one} {other}", text=lambda: text)


def _lines(one: str, other: str, found: Iterable[v1.ProfileDifference]) -> Iterable[str]:
    """Like a unified diff, headed by what differs."""
    for number, (category, group) in enumerate(groupby(found, key=lambda difference: difference.category)):
        if not number:
            yield f"--- {clean(one)}"
            yield f"+++ {clean(other)}"
        yield f"@@ {clean(TITLES.get(category, category))} @@"
        for each in group:
            if each.HasField("left"):
                yield f"- {clean(f'{each.key}: {each.left}')}"
            if each.HasField("right"):
                yield f"+ {clean(f'{each.key}: {each.right}')}"
