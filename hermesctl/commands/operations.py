"""`hermesctl operations`: what takes more than a moment.

Owns: the verbs and their results. Must not know what an operation does.
"""

import click

from hermesctl.errors import ExitCode
from hermesctl.gateway_view import moment_long
from hermesctl.options import Group, name_argument, timeout_option
from hermesctl.progress import follow
from hermesctl.results import exit_code, phrase
from hermesctl.session import Session
from hermesctl.shapes import span, word
from hermesctl.tables import EMPTY, Column, page
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import errors_pb2
from hermesd.v1 import operations_pb2 as v1

COLUMNS: list[Column[v1.Operation]] = [
    Column("ID", lambda one: one.id),
    Column("KIND", lambda one: one.kind),
    Column("PROFILE", lambda one: one.profile or EMPTY),
    Column("STATE", lambda one: _state(one)),
    Column("TOOK", lambda one: elapsed(span(one.elapsed)), is_number=True),
    Column("REQUESTER", lambda one: one.requester, is_wide=True),
    Column("DETAIL", lambda one: one.error.message or one.progress.phase),
]

operations = Group("operations", help="List, follow and cancel what takes more than a moment.")


@operations.command("list")
@click.option("-n", "--lines", type=click.IntRange(1, 1000), default=20, help="How many. Default: 20.")
@click.pass_obj
def list_(session: Session, lines: int) -> None:
    """List operations, the newest first; -p limits them to one profile."""
    request = v1.ListOperationsRequest(profile=session.profile.name, page_size=lines)
    found = session.client.operations.ListOperations(request).operations
    session.renderer.listing(
        "Operation", found, COLUMNS, name=lambda one: one.id, empty="there was no operation yet"
    )


@operations.command()
@name_argument
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show one operation."""
    found = session.client.operations.GetOperation(v1.GetOperationRequest(id=name))
    _show(session, found)


@operations.command()
@name_argument
@timeout_option
@click.pass_obj
def wait(session: Session, name: str, timeout_s: float | None) -> ExitCode:
    """Follow an operation until it ends; the exit code is what the command that began it would have had."""
    found = session.client.operations.GetOperation(v1.GetOperationRequest(id=name))
    done = follow(session, found, timeout_s=timeout_s)
    _show(session, done)
    return exit_code(done)


@operations.command()
@name_argument
@click.pass_obj
def cancel(session: Session, name: str) -> None:
    """Ask an operation to stop and be undone."""
    _show(session, session.client.operations.CancelOperation(v1.CancelOperationRequest(id=name)))


def _state(operation: v1.Operation) -> str:
    return word(v1.OperationState.DESCRIPTOR, operation.state)


def _show(session: Session, found: v1.Operation) -> None:
    session.renderer.single("Operation", found, name=found.id, text=lambda: _page(session, found))


def _page(session: Session, found: v1.Operation) -> str:
    progress = found.progress
    counted = f"{progress.done}/{progress.total}" if progress.total else ""
    reason = word(errors_pb2.Reason.DESCRIPTOR, found.error.reason).upper()
    fields = [
        ("Profile", found.profile),
        ("Step", " ".join(part for part in (progress.phase, counted, progress.detail) if part)),
        ("Error", found.error.message),
        ("Reason", reason),
        ("Started", moment_long(session.terminal, found.started_at)),
        ("Took", elapsed(span(found.elapsed))),
        ("Asked by", found.requester),
    ]
    text = page(f"{clean(found.id)} · {clean(found.kind)} · {_state(found)}", fields)
    text += "".join(f"  {clean(one.profile)}: {clean(phrase(one))}\n" for one in found.results)
    return text + "".join(f"  ! {clean(message)}\n" for message in found.warnings)
