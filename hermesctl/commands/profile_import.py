"""`hermesctl profile import`: a profile out of an archive that anybody may have made.

Owns: sending it, what is shown before it is taken, and the question. Must not look into it: the daemon does.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import IO

import click

from hermesctl import archive_view as view
from hermesctl import profile_view
from hermesctl.errors import HermesError, usage
from hermesctl.given import STDIN, opened
from hermesctl.options import Command
from hermesctl.progress import follow
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import archives_pb2 as v1
from hermesd.v1 import profiles_pb2
from hermesd.v1.operations_pb2 import Operation

CHUNK_BYTES = 1 << 20
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MOST_BYTES = 1 << 60
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def _to_bytes(_: click.Context, __: click.Parameter, value: str) -> int:
    if not value:
        return 0
    found = _SIZE.fullmatch(value.strip())
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if not 0 < size <= _MOST_BYTES:
        raise usage(f"'{clean(value)}' is not a size", why="a size is a number with K, M or G: 4G")
    return size


@click.command("import", cls=Command)
@click.argument("archive", metavar="ARCHIVE", type=click.Path())
@click.option("--name", default="", metavar="NAME", help="The new profile's name. Default: that in the archive.")
@click.option("--no-alias", is_flag=True, help="Leave out the command of the same name.")
@click.option(
    "--max-size",
    "most_bytes",
    default="",
    callback=_to_bytes,
    metavar="SIZE",
    help="What it may unpack to, as 4G.",
)
@click.option("-y", "--yes", "is_confirmed", is_flag=True, help="Do not ask.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Show what would come, and change nothing.")
@click.pass_obj
def import_(
    session: Session,
    archive: str,
    name: str,
    no_alias: bool,
    most_bytes: int,
    is_confirmed: bool,
    is_dry_run: bool,
) -> None:
    """Make a profile of an archive; '-' reads the input.

    It may be hermes-agent's. All of it is judged before anything is written. What would run by itself arrives
    switched off, keys and logins are never taken, and nothing is started.
    """
    order = v1.ImportOrder(profile=name, no_alias=no_alias, max_size_bytes=most_bytes)
    source = _Source(session, archive)
    if is_dry_run:
        plan = source.plan(order)
        session.renderer.single("ImportPlan", plan, name=plan.profile, text=lambda: view.import_plan(plan))
        return
    if not is_confirmed and session.terminal.can_ask and archive != STDIN:
        plan = source.plan(order)
        _confirm(session, plan)
        order.digest = plan.digest
    done = follow(session, source.take(order))
    _show(session, done)


def _confirm(session: Session, plan: v1.ImportPlan) -> None:
    """Shows what would come and asks.

    Raises:
        HermesError: DECLINED.
    """
    session.terminal.say(view.import_plan(plan))
    answer = session.terminal.ask(f"Import it as '{clean(plan.profile)}'? [y/N] ")
    if (answer or "").strip().lower() not in {"y", "yes"}:
        raise HermesError("DECLINED", "nothing was imported")


def _show(session: Session, done: Operation) -> None:
    found = session.client.profiles.GetProfile(profiles_pb2.GetProfileRequest(profile=done.profile))
    told = "" if session.is_quiet else profile_view.created(found, elapsed(span(done.elapsed)))
    session.renderer.single("Profile", found, name=found.name, text=lambda: told)


class _Source:
    """An archive that is to be sent, from a file or from the input."""

    def __init__(self, session: Session, archive: str) -> None:
        self._session = session
        self._archive = archive

    def plan(self, order: v1.ImportOrder) -> v1.ImportPlan:
        """What would come of it. Raises HermesError: NOT_FOUND, NOT_PERMITTED or ARGUMENT_INVALID of the file."""
        with opened(self._session.terminal, self._archive) as file:
            pieces = (v1.PlanImportRequest(data=data) for data in _chunks(file))
            return self._session.client.archives.PlanImport(chain([v1.PlanImportRequest(order=order)], pieces))

    def take(self, order: v1.ImportOrder) -> Operation:
        """Has it imported. Raises the same."""
        with opened(self._session.terminal, self._archive) as file:
            pieces = (v1.ImportProfileRequest(data=data) for data in _chunks(file))
            return self._session.client.archives.ImportProfile(
                chain([v1.ImportProfileRequest(order=order)], pieces)
            )


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while data := file.read(CHUNK_BYTES):
        yield data
