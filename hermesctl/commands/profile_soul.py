"""`hermesctl profile soul`: who a profile's agent is to be.

Owns: the verbs, reading what is to be written, and that no text of a person is lost. Must not touch SOUL.md
itself: the daemon does.
"""

import difflib
import shlex

import click

from hermesctl.editing import Copy, edit
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.given import STDIN, opened
from hermesctl.options import Group, profile_argument
from hermesctl.session import Session
from hermesctl.text import clean, size
from hermesd.v1 import profiles_pb2 as v1

FILE = "SOUL.md"
LARGEST = 1 << 20
"""Bytes that are read; the daemon takes no more."""

soul = Group("soul", help="Show and change SOUL.md, the agent's personality.")


@soul.command()
@profile_argument
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Print SOUL.md as it is."""
    chosen = session.select(name)
    found = _get(session, chosen)
    if not session.form.is_text:
        session.renderer.single("Soul", found, name=chosen, text=str)
    elif not found.revision:
        session.say(f"{clean(chosen)} has no {FILE}; its agent makes one when it first runs")
    elif session.terminal.columns is None:
        session.terminal.write_exactly(found.text.encode())
    else:
        session.terminal.write("".join(f"{clean(line)}\n" for line in found.text.splitlines()))


@soul.command("set")
@profile_argument
@click.option(
    "-f",
    "--file",
    "file",
    required=True,
    metavar="FILE",
    type=click.Path(),
    help="What to take; '-' is the input.",
)
@click.pass_obj
def set_(session: Session, name: str, file: str) -> None:
    """Replace SOUL.md by a file, or by what is piped in."""
    text = _text(_read(session, file), file)
    chosen = session.select(name, is_change=True)
    before = _get(session, chosen)
    _tell(session, chosen, before, _set(session, v1.SetSoulRequest(profile=chosen, text=text)))


@soul.command("edit")
@profile_argument
@click.pass_obj
def edit_(session: Session, name: str) -> None:
    """Change SOUL.md in $VISUAL, $EDITOR or vi."""
    session.terminal.need_own_process()
    chosen = session.select(name, is_change=True)
    before = _get(session, chosen)
    session.close()  # the person may take longer than a daemon lives
    copy = Copy(FILE, before.text.encode())
    try:
        edit(session.terminal, copy, instead=f"hermesctl profile soul set {chosen} -f {FILE}")
        after = _save(session, chosen, before, copy)
    except (HermesError, OSError, KeyboardInterrupt) as error:
        _keep(session, chosen, before, copy, error)
        raise
    copy.drop()
    if session.form.is_text and not session.is_quiet:
        session.terminal.write(_difference(before.text, after.text))
    _tell(session, chosen, before, after)


def _save(session: Session, name: str, before: v1.Soul, copy: Copy) -> v1.Soul:
    """Sends what the person made of the text, if it is another."""
    text = _text(copy.read(), str(copy.path))
    if text == before.text:
        return before
    return _set(session, v1.SetSoulRequest(profile=name, text=text, revision=before.revision))


def _set(session: Session, request: v1.SetSoulRequest) -> v1.Soul:
    """Raises HermesError for whatever the daemon refuses, so that it can be added to."""
    import grpc

    from hermesctl.client import explain

    try:
        return session.client.profiles.SetSoul(request)
    except grpc.RpcError as error:
        raise explain(error) from error


def _keep(session: Session, name: str, before: v1.Soul, copy: Copy, error: BaseException) -> None:
    """Keeps what the person wrote, and says where; a copy that nobody has touched is dropped."""
    try:
        is_touched = copy.read() not in (before.text.encode(), b"")
    except OSError:
        is_touched = False
    if not is_touched:
        copy.drop()
        return
    session.terminal.say(f"your text is kept in {clean(str(copy.path))}\n")
    if isinstance(error, HermesError):
        look = Fix(f"hermesctl profile soul show {name}") if error.reason == "CHANGED_MEANWHILE" else None
        again = Fix(f"hermesctl profile soul set {name} -f {shlex.quote(str(copy.path))}")
        error.fixes = (*([look] if look else []), *error.fixes, again)


def _get(session: Session, name: str) -> v1.Soul:
    return session.client.profiles.GetSoul(v1.GetSoulRequest(profile=name))


def _read(session: Session, file: str) -> bytes:
    """All of a file, or of the input, as far as it is worth reading."""
    with opened(session.terminal, file) as found:
        return found.read(LARGEST + 1)


def _text(data: bytes, origin: str) -> str:
    """What a file holds, as text.

    Raises:
        HermesError: ARGUMENT_INVALID, it is too large, empty, or no text.
    """
    what = "the input" if origin == STDIN else origin
    if len(data) > LARGEST:
        raise usage(f"cannot use {what}", why=f"it has more than {size(LARGEST)}, the most that {FILE} may have")
    if not data.strip():
        raise usage(f"cannot use {what}", why="it is empty; nothing was changed")
    if b"\0" in data:
        raise usage(f"cannot use {what}", why="it holds a NUL character, as no text does")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise usage(f"cannot use {what}", why=f"it is not UTF-8: line {line}") from error


def _tell(session: Session, name: str, before: v1.Soul, after: v1.Soul) -> None:
    session.renderer.single(
        "Soul", after, name=name, text=lambda: "" if session.is_quiet else _told(name, before, after)
    )


def _told(name: str, before: v1.Soul, after: v1.Soul) -> str:
    """What is written, and when it takes effect: hermes-agent keeps the text that a conversation began with."""
    if after.revision == before.revision:
        return f"✓ {FILE} of {clean(name)} is already so\n"
    was = f", was {size(len(before.text.encode()))}" if before.revision else ""
    told = f"✓ {FILE} of {clean(name)} written: {size(len(after.text.encode()))}{was}\n"
    if not after.is_in_use:
        return f"{told}  takes effect in new conversations\n"
    return f"{told}  takes effect in new conversations; in a chat of its gateway, /new begins one\n"


def _difference(before: str, after: str) -> str:
    """What was changed, line by line."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=1)
    return "".join(f"{clean(line)}\n" for line in lines)
