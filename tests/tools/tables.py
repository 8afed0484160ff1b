"""Writes the tables of the gateway machine and of skills as text, or checks that the recorded ones are current.

`python -m tests.tools.tables` writes `tests/domain/gateway_table.txt` and `tests/domain/skills_table.txt`;
`--check` fails if that would change them.
The text is there to be read in a diff: whoever changes a cell sees, and shows, everything that changed with it.
"""

import sys
from dataclasses import replace
from pathlib import Path

from hermesd.domain.gateway import ALERT_AT, Event, Gateway, ParkedFor, State, step, timer
from hermesd.domain.skills import Line, Provider, SkillState, Version, decide

RECORDED = Path(__file__).resolve().parents[1] / "domain" / "gateway_table.txt"

CANONICAL = {
    "stopped": Gateway(State.STOPPED),
    "starting": Gateway(State.STARTING),
    "starting, one failure short of the alert": Gateway(State.STARTING, attempts=ALERT_AT - 1),
    "running": Gateway(State.RUNNING, attempts=1),
    "running, stable": Gateway(State.RUNNING, is_stable=True),
    "running, stable, once hung": Gateway(State.RUNNING, is_stable=True, relapses=1),
    "stopping": Gateway(State.STOPPING),
    "stopping after a failure": Gateway(State.STOPPING, attempts=1),
    "stopping after the failure that alerts": Gateway(State.STOPPING, attempts=ALERT_AT),
    "killing": Gateway(State.KILLING),
    "killing after a failure": Gateway(State.KILLING, attempts=1),
    "backoff": Gateway(State.BACKOFF, attempts=1),
    "backoff for a port": Gateway(State.BACKOFF, attempts=1, is_port_taken=True),
    "parked for a claim": Gateway(State.PARKED, attempts=1, parked_for=ParkedFor.CLAIM),
    "parked for its budget": Gateway(State.PARKED, attempts=1, parked_for=ParkedFor.BUDGET),
    "parked without a channel": Gateway(State.PARKED, attempts=1, parked_for=ParkedFor.CHANNEL),
    "failed": Gateway(State.FAILED, attempts=1),
}
"""One gateway for each way of being that the machine tells apart."""

HEADER = """\
The gateway machine, cell by cell; written by `python -m tests.tools.tables`. Below each gateway: what an event
makes of it when it is wanted up, and when it is wanted down. A dot is no change.
"""


def render() -> str:
    """The whole table as text."""
    return HEADER + "".join(_section(title, gateway) for title, gateway in CANONICAL.items())


def _section(title: str, gateway: Gateway) -> str:
    wanted = {wish: replace(gateway, wanted_up=wish) for wish in (True, False)}
    waits = timer(gateway) or "nothing"
    columns = f"{'':20}{_gateway(wanted[True]):52}{_gateway(wanted[False])}\n"
    rows = [f"{event:20}{_cell(wanted[True], event):52}{_cell(wanted[False], event)}\n" for event in Event]
    return f"\n{title}: waits for {waits}\n{columns}" + "".join(rows)


def _cell(gateway: Gateway, event: Event) -> str:
    stepped, effects = step(gateway, event)
    deeds = f" ! {', '.join(effects)}" if effects else ""
    return "." if stepped == gateway and not effects else _gateway(stepped) + deeds


def _gateway(gateway: Gateway) -> str:
    words = [gateway.state, "up" if gateway.wanted_up else "down", str(gateway.attempts)]
    words += ["stable"] if gateway.is_stable else []
    words += ["port"] if gateway.is_port_taken else []
    words += [gateway.parked_for] if gateway.parked_for else []
    words += [f"relapsed {gateway.relapses}"] if gateway.relapses else []
    return " ".join(words)


SKILLS = RECORDED.with_name("skills_table.txt")
SKILLS_HEADER = """\
What becomes of a bundled skill; written by `python -m tests.tools.tables`. Rows: what the manifest says was
installed, and what is in the profile. Columns: what is bundled, by who else brings a skill of the name.

Beyond the table: who opted out gets `opted-out`, what is suppressed `suppressed`, and what a link is in the way to
`out-of-reach`.
"""
COPIES = {
    "nothing": None,
    "as installed": Version("a"),
    "as bundled": Version("b"),
    "something else": Version("c"),
}
ORIGINS = {
    "nothing": (Line.NONE, None),
    "a name alone": (Line.BARE, None),
    "what is bundled": (Line.FULL, Version("b")),
    "another version": (Line.FULL, Version("a")),
    "nothing, but our record": (Line.NONE, Version("a")),
}
COLUMNS = {
    "bundled": (Version("b"), Provider.NOBODY),
    "a person has one": (Version("b"), Provider.PERSON),
    "from a registry": (Version("b"), Provider.HUB),
    "external": (Version("b"), Provider.EXTERNAL),
    "not bundled": (None, Provider.NOBODY),
}


def skills_table() -> str:
    """What becomes of a skill, as text."""
    head = f"{'installed':26}{'in the profile':18}" + "".join(f"{title:18}" for title in COLUMNS)
    rows = [
        f"{installed:26}{there:18}"
        + "".join(
            f"{decide(SkillState(*origin, copy, bundled, provider=provider)):18}"
            for bundled, provider in COLUMNS.values()
        )
        for installed, origin in ORIGINS.items()
        for there, copy in COPIES.items()
    ]
    return SKILLS_HEADER + "\n" + "".join(f"{line.rstrip()}\n" for line in [head, *rows])


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    tables = {RECORDED: render, SKILLS: skills_table}
    if arguments == ["--check"]:
        stale = [path for path, made in tables.items() if not path.exists() or path.read_text() != made()]
        for path in stale:
            print(f"{path.name} is not what the code does: python -m tests.tools.tables")
        return 1 if stale else 0
    for path, made in tables.items():
        path.write_text(made())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
