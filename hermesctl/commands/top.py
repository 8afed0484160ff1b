"""`hermesctl top`: what gateways use, as a live screen or as tables one after the other.

Owns: the options, which of both it is, and when it ends. Must not know how rows look.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import click

from hermesctl.errors import Fix, HermesError, usage
from hermesctl.options import Command, names_argument, span_option
from hermesctl.render import Format, as_json, as_yaml, json_line
from hermesctl.session import Session
from hermesctl.shapes import listing
from hermesctl.tables import table
from hermesctl.times import local, rfc3339
from hermesctl.top_view import Order, Row, columns, fields, in_order, rows, totals
from hermesd.v1.gateways_pb2 import Gateway
from hermesd.v1.samples_pb2 import WatchSamplesRequest

SHORTEST_S = 1.0
"""How often the daemon looks."""

SLACK_S = 0.2
"""By how much what comes every second may come early."""

CLOCK_S = 1.0
"""How often the screen is looked after when nothing happens."""

PLAIN_S = 5.0
"""How often a table is written, where nothing else is said."""


@dataclass(frozen=True)
class _Wanted:
    """What the options say."""

    order: Order
    count: int | None
    interval_s: float
    is_shown: Callable[[str], bool]


@click.command(cls=Command)
@names_argument
@click.option("--plain", "is_plain", is_flag=True, help="Tables one after the other, nothing redrawn.")
@click.option("-n", "--count", type=click.IntRange(1), help="End after so many. Default: go on until Ctrl-C.")
@span_option("--interval", "interval_s", "How often. Default: 1s, or 5s where nothing is redrawn.")
@click.option(
    "--sort", "order", type=click.Choice([one.value for one in Order]), default=Order.CPU.value, help="By what."
)
@click.pass_obj
def top(
    session: Session,
    names: tuple[str, ...],
    is_plain: bool,
    count: int | None,
    interval_s: float | None,
    order: str,
) -> None:
    """Show what gateways use: processor time, memory, descriptors, threads, restarts.

    NAME may be a quoted pattern such as 'work*'. On a terminal it is a screen with keys, ? lists them; elsewhere,
    and with --plain, tables follow each other. With -o json or jsonl each is one object. CPU% is of one core.
    """
    if interval_s is not None and interval_s < SHORTEST_S:
        raise usage("'--interval' is too short", why="gateways are looked at once a second")
    is_live = session.form.is_text and not is_plain and session.terminal.is_screen
    if is_live:
        session.terminal.need_own_process()
    from hermesctl.top_feed import gateways  # needs grpc, which takes long to import

    known = gateways(session.client)
    patterns = names or ((session.select(),) if session.profile.name else ())
    _refuse_unknown(patterns, [one.profile for one in known])
    default_s = SHORTEST_S if is_live else PLAIN_S
    wanted = _Wanted(
        Order(order), count, interval_s or default_s, lambda name: not patterns or _is_one_of(name, patterns)
    )
    (_show if is_live else _write)(session, wanted, known)


def _refuse_unknown(patterns: Sequence[str], known: Sequence[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            message = f"no profile is called '{pattern}'"
            raise HermesError("PROFILE_NOT_FOUND", message, fixes=[Fix("hermesctl profile list")])


def _is_one_of(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _show(session: Session, wanted: _Wanted, known: Sequence[Gateway]) -> None:
    """The live screen, until a key ends it, or so many pictures have been seen."""
    from hermesctl.top_feed import Feed
    from hermesctl.top_screen import TopScreen

    now_s = session.terminal.monotonic_s
    feed = Feed(session, known)
    picture = TopScreen(session, wanted.order, is_shown=wanted.is_shown)
    shown, taken_s, left = feed.news, now_s() - wanted.interval_s, wanted.count
    picture.take(shown)
    with session.terminal.full_screen() as screen, feed.following(screen.wake):
        while not picture.is_over:
            is_due = now_s() - taken_s >= wanted.interval_s - SLACK_S
            if feed.news is not shown and (is_due or feed.news.trouble != shown.trouble):
                if left == 0:
                    return
                shown, taken_s = feed.news, now_s()
                left = left - 1 if left is not None and not shown.trouble else left
                picture.take(shown)
            screen.draw(picture.lines(screen.size))
            for key in screen.wait(CLOCK_S):
                picture.press(key)


def _write(session: Session, wanted: _Wanted, known: Sequence[Gateway]) -> None:
    """One table after the other. The daemon says something about every second, which is our clock."""
    from hermesctl.top_feed import gateways

    stride, written = max(round(wanted.interval_s), 1), 0
    for number, answer in enumerate(session.client.samples.WatchSamples(WatchSamplesRequest())):
        if number % stride:
            continue
        known = gateways(session.client) if written else known
        shown = [one for one in known if wanted.is_shown(one.profile)]
        found = in_order(rows(shown, {one.profile: one for one in answer.samples}), wanted.order)
        session.terminal.write(_set(session, found, is_first=not written))
        written += 1
        if written == wanted.count:
            return


def _set(session: Session, found: Sequence[Row], *, is_first: bool) -> str:
    """What is written at once."""
    terminal, form = session.terminal, session.form
    at_s = terminal.now_s()
    if form.is_text:
        is_exact = terminal.columns is None
        when = rfc3339(at_s) if is_exact else local(at_s, at_s)
        listed = table(found, columns(terminal, is_plain=True), session.renderer.layout) if found else ""
        gap = "" if is_first else "\n"
        return f"{gap}{when}  {totals(found)}\n{listed}"
    if form is Format.NAME:
        return "".join(f"gateway/{row.gateway.profile}\n" for row in found)
    items = [fields(row) for row in found]
    if form is Format.JSONL:
        return json_line("usage", {"at": rfc3339(at_s), "items": items})
    data = {**listing("GatewayUsage", items), "at": rfc3339(at_s)}
    return as_json(data, 2, is_ascii=not terminal.is_unicode) if form is Format.JSON else f"---\n{as_yaml(data)}"
