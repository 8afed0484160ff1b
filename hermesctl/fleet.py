"""The whole fleet on one screen.

Owns: collecting and showing what runs and what is wrong. Must not change anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hermesctl import gateway_view
from hermesctl.errors import Fix
from hermesctl.profile_view import label
from hermesctl.session import Session
from hermesctl.shapes import plain, seconds
from hermesctl.tables import EMPTY, Column, table
from hermesctl.text import clean, pad, width
from hermesctl.times import age
from hermesd.v1 import daemon_pb2, profiles_pb2, runtimes_pb2


@dataclass(frozen=True)
class Problem:
    """Something a person should look at, and with which command."""

    subject: str
    fix: Fix


@dataclass(frozen=True)
class Fleet:
    """What there is."""

    daemon: daemon_pb2.Daemon
    profiles: Sequence[profiles_pb2.Profile]
    runtimes: Sequence[runtimes_pb2.Runtime]

    @property
    def current_runtime(self) -> runtimes_pb2.Runtime | None:
        """The runtime that profiles use; `None` if there is none."""
        return next((runtime for runtime in self.runtimes if runtime.is_current), None)


def survey(session: Session) -> Fleet:
    """Asks for everything."""
    client = session.client
    return Fleet(
        client.daemon.GetDaemon(daemon_pb2.GetDaemonRequest()),
        client.profiles.ListProfiles(profiles_pb2.ListProfilesRequest()).profiles,
        client.runtimes.ListRuntimes(runtimes_pb2.ListRuntimesRequest()).runtimes,
    )


def problems(fleet: Fleet) -> list[Problem]:
    """What is wrong, the machine first."""
    found = []
    if fleet.current_runtime is None:
        found.append(Problem("host", Fix("hermesctl runtime install", "no agent is installed")))
    for profile in fleet.profiles:
        if fix := gateway_view.look(profile.gateway):
            found.append(Problem(profile.name, fix))
        command = f"hermesctl profile show {profile.name}"
        found.extend(Problem(profile.name, Fix(command, text)) for text in profile.problems)
    return found


def show(session: Session, fleet: Fleet) -> None:
    """Writes the fleet."""
    found = problems(fleet)
    data = {
        "daemon": plain(fleet.daemon),
        "runtimes": [plain(runtime) for runtime in fleet.runtimes],
        "problems": [{"subject": one.subject, "text": one.fix.text, "command": one.fix.command} for one in found],
    }
    rows = list(fleet.profiles)
    if session.form.is_text:
        session.terminal.write(screen(session, fleet, found))
    else:
        session.renderer.listing("Profile", rows, [], name=lambda one: one.name, empty="", extra=_named(data))


def screen(session: Session, fleet: Fleet, found: Sequence[Problem]) -> str:
    """The fleet as people read it."""
    layout = session.renderer.layout
    text = table(list(fleet.profiles), _columns(session), layout) if fleet.profiles else "no profile yet\n"
    return text + "\n" + _problem_lines(session, found) + _footer(session, fleet)


def _columns(session: Session) -> list[Column[profiles_pb2.Profile]]:
    terminal = session.terminal
    return [
        Column(
            "", lambda one: gateway_view.symbol(one.gateway), colour=lambda one: gateway_view.colour(one.gateway)
        ),
        Column("PROFILE", label),
        Column(
            "STATE",
            lambda one: gateway_view.state_word(one.gateway),
            colour=lambda one: gateway_view.colour(one.gateway),
        ),
        Column("SINCE", lambda one: gateway_view.moment(terminal, gateway_view.since(one.gateway))),
        Column("RESTARTS", lambda one: gateway_view.restarts(one.gateway), is_number=True),
        Column("PID", lambda one: gateway_view.pid(one.gateway), is_number=True),
        Column("MODEL", lambda one: one.model or EMPTY),
    ]


def _problem_lines(session: Session, found: Sequence[Problem]) -> str:
    if not found:
        return ""
    subjects, texts = ([clean(text) for text in column] for column in zip(*_problem_cells(found), strict=True))
    widths = [max(width(text) for text in column) for column in (subjects, texts)]
    lines = [f"{len(found)} problem{'s' if len(found) > 1 else ''}"]
    for problem, subject, text in zip(found, subjects, texts, strict=True):
        command = clean(session.runnable(problem.fix.command))
        lines.append(f"  {pad(subject, widths[0])}  {pad(text, widths[1])}  {command}")
    return "".join(f"{line}\n" for line in [*lines, ""])


def _problem_cells(found: Sequence[Problem]) -> list[tuple[str, str]]:
    return [(one.subject, one.fix.text) for one in found]


def _footer(session: Session, fleet: Fleet) -> str:
    up = age(session.terminal.now_s() - seconds(fleet.daemon.started_at))
    runtime = fleet.current_runtime
    agent = f"{runtime.kind} {runtime.version}".rstrip() if runtime else "no agent"
    return f"hermesd {clean(fleet.daemon.version)} · up {up} · {clean(agent)}\n"


def _named(data: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Fleet"} | data
