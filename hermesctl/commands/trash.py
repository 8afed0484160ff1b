"""`hermesctl profile trash`: deleted profiles, which can be brought back for a while.

Owns: the verbs, their questions and results. Must not touch what is in the trash: the daemon does.
"""

from collections.abc import Sequence

import click
from google.protobuf.timestamp_pb2 import Timestamp

from hermesctl.errors import Fix, HermesError, usage
from hermesctl.gateway_view import moment
from hermesctl.options import Group, name_argument, optional_name_argument
from hermesctl.progress import follow
from hermesctl.session import Session
from hermesctl.shapes import seconds, span
from hermesctl.tables import EMPTY, Column
from hermesctl.terminal import Terminal
from hermesctl.text import clean, size
from hermesctl.times import elapsed, local, rfc3339
from hermesd.v1 import trash_pb2 as v1
from hermesd.v1.operations_pb2 import Operation

LIST_COMMAND = "hermesctl profile trash list"
YES = frozenset({"y", "yes"})

trash = Group("trash", help="List, bring back and remove deleted profiles.")


@trash.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List deleted profiles, the last deleted first."""
    session.renderer.listing(
        "TrashedProfile",
        _entries(session, with_sizes=True),
        _columns(session.terminal),
        name=lambda one: one.id,
        empty="the trash is empty",
    )


@trash.command()
@name_argument
@click.option("--name", "new_name", default="", metavar="NEW", help="The name it gets. Default: the one it had.")
@click.pass_obj
def restore(session: Session, name: str, new_name: str) -> None:
    """Bring a deleted profile back; its gateway stays stopped.

    NAME is what it was called, for the last one deleted under it, or an id of the list.
    """
    entry, *older = _named(_entries(session), name)
    request = v1.RestoreProfileRequest(id=entry.id, profile=new_name)
    done = follow(session, session.client.trash.RestoreProfile(request))
    if older:
        session.say(f"earlier deletions of {clean(entry.profile)} stay in the trash: {LIST_COMMAND}")
    told = (
        f"✓ {clean(done.profile)} is back  {elapsed(span(done.elapsed))}\n"
        f"  start it: hermesctl gateway start {clean(done.profile)}\n"
    )
    session.renderer.single("Operation", done, name=done.id, text=lambda: "" if session.is_quiet else told)


@trash.command()
@optional_name_argument
@click.option("-y", "--yes", "is_confirmed", is_flag=True, help="Do not ask.")
@click.pass_obj
def empty(session: Session, name: str, is_confirmed: bool) -> None:
    """Remove deleted profiles for good, all or those of a NAME.

    NAME is what they were called, or an id of the list.
    """
    found = _entries(session, with_sizes=not is_confirmed and session.terminal.can_ask)
    going = _named(found, name) if name else found
    if not going:
        session.say("the trash is empty already")
        return
    if not is_confirmed:
        _confirm(session, going, name)
    done = follow(session, session.client.trash.EmptyTrash(v1.EmptyTrashRequest(ids=[one.id for one in going])))
    told = f"✓ removed for good: {_names(going)}  {elapsed(span(done.elapsed))}\n"
    session.renderer.single("Operation", done, name=done.id, text=lambda: "" if session.is_quiet else told)


def kept_until(session: Session, deletion: Operation) -> str:
    """How the profile of this deletion can be brought back, and until when; empty if it is gone already."""
    found = _entries(session)
    for one in (entry for entry in found if entry.id == deletion.id):
        until = _when(session.terminal, one.kept_until)
        return f"  kept until {until}: hermesctl profile trash restore {clean(one.profile)}\n"
    return ""


def _entries(session: Session, *, with_sizes: bool = False) -> Sequence[v1.TrashedProfile]:
    return session.client.trash.ListTrash(v1.ListTrashRequest(with_sizes=with_sizes)).profiles


def _named(found: Sequence[v1.TrashedProfile], name: str) -> list[v1.TrashedProfile]:
    """The entry of this id, or else those of this name, the last deleted first.

    Raises:
        HermesError: NOT_FOUND, there is none.
    """
    wanted = name.strip().lower()
    named = [one for one in found if one.id == wanted] or [one for one in found if one.profile == wanted]
    if not named:
        raise HermesError(
            "NOT_FOUND", f"there is no '{name}' in the trash", fixes=[Fix(LIST_COMMAND)], facts={"profile": wanted}
        )
    return named


def _columns(terminal: Terminal) -> list[Column[v1.TrashedProfile]]:
    return [
        Column("ID", lambda one: one.id),
        Column("NAME", lambda one: one.profile),
        Column("DELETED", lambda one: moment(terminal, one.deleted_at)),
        Column("KEPT UNTIL", lambda one: _when(terminal, one.kept_until)),
        Column("SIZE", lambda one: size(one.size_bytes) if one.HasField("size_bytes") else EMPTY, is_number=True),
        Column("ALIAS", lambda one: " ".join(one.aliases) or EMPTY, is_wide=True),
        Column("DESCRIPTION", lambda one: one.description or EMPTY),
        Column("PATH", lambda one: one.path, is_wide=True),
    ]


def _when(terminal: Terminal, at: Timestamp) -> str:
    at_s = seconds(at)
    return rfc3339(at_s) if terminal.columns is None else local(at_s, terminal.now_s())


def _confirm(session: Session, going: Sequence[v1.TrashedProfile], name: str) -> None:
    """Shows what goes for good and asks.

    Raises:
        HermesError: ARGUMENT_INVALID, nobody is there to ask; DECLINED, the answer is not yes.
    """
    terminal = session.terminal
    if not terminal.can_ask:
        named = f" {clean(name)}" if name else ""
        raise usage(
            "cannot ask whether to empty the trash",
            why="there is no terminal",
            fixes=[Fix(f"hermesctl profile trash empty{named} --yes")],
        )
    terminal.say("This removes for good\n")
    for one in going:
        deleted = _when(terminal, one.deleted_at)
        terminal.say(f"  {clean(one.profile)}  deleted {deleted}  {size(one.size_bytes)}  {clean(one.id)}\n")
    answer = terminal.ask("Remove? [y/N] ")
    if answer is None:
        terminal.say("\n")
    if (answer or "").strip().lower() not in YES:
        raise HermesError("DECLINED", "nothing was removed", why="the answer was not yes")


def _names(going: Sequence[v1.TrashedProfile]) -> str:
    return ", ".join(clean(one.profile) for one in going)
