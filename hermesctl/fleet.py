"""The whole fleet on one screen.

Owns: collecting and showing what runs and what is wrong. Must not change anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message

from hermesctl import gateway_view, health_view
from hermesctl.errors import Fix
from hermesctl.profile_view import label
from hermesctl.session import Session
from hermesctl.shapes import plain, seconds
from hermesctl.tables import EMPTY, GAP, Column, fitting, hidden, table
from hermesctl.text import clean, fold, pad, width
from hermesctl.times import age
from hermesd.v1 import daemon_pb2, profiles_pb2, runtimes_pb2

ROOMY = 100
"""Columns from which on nothing has to be short."""

WIDEST = 20
"""Columns for names of what has a problem, where there is little room."""

TAIL_LINES = 4
"""Lines of the screen that are neither profiles nor problems: headers, what is hidden, a blank, the footer."""


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


class FleetBoard:
    """The fleet as something that can be on show."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self) -> Fleet:
        """How things are."""
        return survey(self._session)

    def rows(self, state: Fleet) -> dict[str, Message]:
        """Profiles by name."""
        return {profile.name: profile for profile in state.profiles}

    def lasting(self, row: Message) -> Message:
        """A profile without what changes all the time."""
        if not isinstance(row, profiles_pb2.Profile):
            return row
        kept = profiles_pb2.Profile()
        kept.CopyFrom(row)
        kept.gateway.CopyFrom(gateway_view.lasting(kept.gateway))
        return kept

    def screen(self, state: Fleet, height: int) -> str:
        """All of it."""
        return screen(self._session, state, problems(state), height)

    def lines(self, rows: Sequence[Message], *, has_headers: bool) -> str:
        """Some profiles."""
        profiles = [row for row in rows if isinstance(row, profiles_pb2.Profile)]
        layout = self._session.renderer.layout
        layout = replace(layout, has_headers=has_headers and layout.has_headers)
        return table(profiles, _columns(self._session), layout)


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


def screen(session: Session, fleet: Fleet, found: Sequence[Problem], height: int | None = None) -> str:
    """The fleet as people read it, in so many lines if that is given; then what is well gives way first."""
    footer = _footer(session, fleet)
    most = len(fleet.profiles) if height is None else max(height - TAIL_LINES, 1)
    most_problems = len(found) if height is None else max(height // 3, most - len(fleet.profiles), 1)
    columns = session.terminal.columns if height is None else None  # a screen is cut, and has a line for each
    problem_text = _problem_lines(session, found, most_problems, columns)
    if height is not None:
        most = max(height - TAIL_LINES - problem_text.count("\n"), 1)
    shown = fitting(list(fleet.profiles), most, lambda one: gateway_view.look(one.gateway) is not None)
    text = table(shown, _columns(session), session.renderer.layout) if shown else "no profile yet\n"
    return text + hidden(len(fleet.profiles) - len(shown)) + "\n" + problem_text + footer


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
        Column("PID", lambda one: gateway_view.pid(one.gateway), is_number=True, is_wide=True),
        Column("PLATFORMS", lambda one: health_view.platforms(one.gateway, [c.platform for c in one.channels])),
        Column("MODEL", lambda one: _model(one, terminal.columns)),
        Column("CPU", lambda one: health_view.cpu(one.gateway), is_number=True),
        Column("RSS", lambda one: health_view.memory(one.gateway), is_number=True),
    ]


def _model(profile: profiles_pb2.Profile, columns: int | None) -> str:
    """Its model; without who makes it where there is little room."""
    is_narrow = columns is not None and columns < ROOMY
    return (profile.model.rpartition("/")[2] if is_narrow else profile.model) or EMPTY


def _problem_lines(session: Session, everything: Sequence[Problem], most: int, columns: int | None) -> str:
    """A line for each, or two where a terminal has no room: then its command has one to itself."""
    if not everything:
        return ""
    found = everything if len(everything) <= most else everything[: max(most - 1, 1)]
    rows = [[clean(one.subject), clean(one.fix.text), clean(session.runnable(one.fix.command))] for one in found]
    sizes = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    is_narrow = columns is not None and sum(sizes) + 3 * len(GAP) > columns
    sizes[0] = min(sizes[0], WIDEST) if is_narrow else sizes[0]
    indent = sizes[0] + 2 * len(GAP)
    between = f"\n{' ' * indent}" if is_narrow else GAP
    lines = [f"{len(everything)} problem{'s' if len(everything) > 1 else ''}"]
    for subject, text, command in rows:
        told = fold(text, columns, indent) if is_narrow else pad(text, sizes[1])
        lines.append(f"{GAP}{pad(subject, sizes[0])}{GAP}{told}{between}{command}")
    return "".join(f"{line}\n" for line in lines) + hidden(len(everything) - len(found)) + "\n"


def _footer(session: Session, fleet: Fleet) -> str:
    up = age(session.terminal.now_s() - seconds(fleet.daemon.started_at))
    runtime = fleet.current_runtime
    agent = f"{runtime.kind} {runtime.version}".rstrip() if runtime else "no agent"
    count = sum(gateway_view.waits_for_claim(one.gateway) for one in fleet.profiles)
    waiting = f" · {count} wait{'s' * (count == 1)} for a claim" if count else ""
    return f"hermesd {clean(fleet.daemon.version)} · up {up} · {clean(agent)}{waiting}\n"


def _named(data: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Fleet"} | data
