"""`hermesctl profile describe`: what a profile is for.

Owns: the verb, which of its options go together, and what becomes of each of several profiles. Must not know how
an agent is asked: the daemon does.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from hermesctl.errors import ExitCode, Fix, HermesError, usage
from hermesctl.options import Command, profile_argument
from hermesctl.progress import follow
from hermesctl.report import report
from hermesctl.session import Session
from hermesctl.tables import EMPTY, Column
from hermesctl.text import clean
from hermesd.v1 import profiles_pb2 as v1

GENERATED = "[auto] "
"""Stands before a description that an agent wrote, as hermes-agent shows it."""


class Wish(NamedTuple):
    """The options, as they were typed."""

    text: str | None
    is_auto: bool
    is_overwriting: bool
    is_clearing: bool
    is_all: bool

    @property
    def ways(self) -> Sequence[tuple[str, bool]]:
        """What a description can come from, and whether it is to."""
        return ("--text", self.text is not None), ("--auto", self.is_auto), ("--clear", self.is_clearing)


@click.command("describe", cls=Command)
@profile_argument
@click.option("--text", metavar="TEXT", help="Say it yourself: one line.")
@click.option("--auto", "is_auto", is_flag=True, help="Have the profile's own agent and model say it.")
@click.option("--overwrite", "is_overwriting", is_flag=True, help="With --auto, also what a person wrote.")
@click.option("--clear", "is_clearing", is_flag=True, help="Take it away.")
@click.option("--all", "is_all", is_flag=True, help="With --auto, every profile that has none.")
@click.pass_obj
def describe(
    session: Session,
    name: str,
    text: str | None,
    is_auto: bool,
    is_overwriting: bool,
    is_clearing: bool,
    is_all: bool,
) -> int:
    """Show or say what a profile is for, which task boards go by."""
    wish = Wish(text, is_auto, is_overwriting, is_clearing, is_all)
    _check(session, name, wish)
    if is_all:
        return _generate_all(session, wish)
    if not (is_auto or is_clearing or text is not None):
        _show(session, session.select(name))
        return ExitCode.DONE
    chosen = session.select(name, is_change=True)
    _tell(session, _generated(session, chosen, wish) if is_auto else _written(session, chosen, text or ""))
    return ExitCode.DONE


def _check(session: Session, name: str, wish: Wish) -> None:
    """Refuses options that do not go together.

    Raises:
        HermesError: ARGUMENT_INVALID.
    """
    named = name or session.profile.name
    command = f"hermesctl profile describe {named}".rstrip()
    given = [option for option, is_given in wish.ways if is_given]
    if len(given) > 1:
        raise usage(f"'{given[0]}' and '{given[1]}' contradict each other")
    if wish.text is not None and not wish.text.strip():
        raise usage("'--text' is empty", fixes=[Fix(f"{command} --clear")])
    if wish.is_all and named:
        raise usage("'--all' and the name of a profile contradict each other")
    for option, is_given in (("--all", wish.is_all), ("--overwrite", wish.is_overwriting)):
        if is_given and not wish.is_auto:
            raise usage(f"'{option}' goes with '--auto' only", fixes=[Fix(f"{command} --auto {option}")])


def _show(session: Session, name: str) -> None:
    found = _get(session, name)
    if session.form.is_text and not found.description:
        session.say(
            f"{clean(found.name)} has no description: hermesctl profile describe {clean(found.name)} --auto"
        )
        return
    _render(session, found, f"{_line(found)}\n")


def _written(session: Session, name: str, text: str) -> v1.Profile:
    return session.client.profiles.SetDescription(v1.SetDescriptionRequest(profile=name, description=text))


def _generated(session: Session, name: str, wish: Wish) -> v1.Profile:
    request = v1.GenerateDescriptionRequest(profile=name, overwrite=wish.is_overwriting)
    done = follow(session, session.client.profiles.GenerateDescription(request))
    return _get(session, done.profile)


def _tell(session: Session, found: v1.Profile) -> None:
    """What is there now."""
    name = clean(found.name)
    told = f"✓ described {name}: {_line(found)}\n" if found.description else f"✓ {name} has no description now\n"
    _render(session, found, "" if session.is_quiet else told)


def _render(session: Session, found: v1.Profile, text: str) -> None:
    session.renderer.single("Description", _plain(found), name=found.name, text=lambda: text)


def _generate_all(session: Session, wish: Wish) -> int:
    """Has each profile described in turn; one that fails keeps none of the others from it."""
    import grpc

    from hermesctl.client import explain

    every = session.client.profiles.ListProfiles(v1.ListProfilesRequest()).profiles
    meant = [one.name for one in every if wish.is_overwriting or not one.description]
    rows: list[dict[str, Any]] = []
    for name in meant:
        try:
            rows.append(_plain(_generated(session, name, wish)) | {"error": None})
        except (grpc.RpcError, HermesError) as error:
            failure = error if isinstance(error, HermesError) else explain(error)
            if failure.exit_code == ExitCode.NO_DAEMON:
                raise
            report(failure, session.terminal, is_json=not session.form.is_text, verbosity=session.verbosity)
            rows.append(_failed(name, failure))
    session.renderer.listing(
        "Description", rows, COLUMNS, name=lambda row: str(row["profile"]), empty="every profile has a description"
    )
    return _code(rows)


def _code(rows: Sequence[dict[str, Any]]) -> int:
    failed = sum(row["error"] is not None for row in rows)
    if failed and failed == len(rows):
        return ExitCode.FAILED
    return ExitCode.PARTLY if failed else ExitCode.DONE


def _plain(found: v1.Profile) -> dict[str, Any]:
    return {
        "profile": found.name,
        "description": found.description,
        "is_generated": found.description_is_generated,
    }


def _failed(name: str, failure: HermesError) -> dict[str, Any]:
    error = {"reason": failure.reason, "message": failure.message, "why": failure.why or None}
    return {"profile": name, "description": "", "is_generated": False, "error": error}


def _line(found: v1.Profile) -> str:
    return f"{GENERATED if found.description_is_generated else ''}{clean(found.description)}"


def _get(session: Session, name: str) -> v1.Profile:
    return session.client.profiles.GetProfile(v1.GetProfileRequest(profile=name))


COLUMNS: list[Column[dict[str, Any]]] = [
    Column("NAME", lambda row: str(row["profile"])),
    Column("RESULT", lambda row: "failed" if row["error"] else "described"),
    Column("DESCRIPTION", lambda row: str(row["description"]) or EMPTY),
]
