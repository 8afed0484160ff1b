"""How a gateway is shown, wherever one is.

Owns: the words, symbols and columns for gateways. Must not ask the daemon.
"""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from hermesctl import health_view
from hermesctl.errors import Fix
from hermesctl.shapes import seconds, word
from hermesctl.tables import EMPTY, Colour, Column, page, paint
from hermesctl.terminal import Terminal
from hermesctl.text import clean
from hermesctl.times import age, local, rfc3339
from hermesd.v1 import gateways_pb2 as v1

RUNNING = frozenset(
    {
        v1.GATEWAY_STATE_READY,
        v1.GATEWAY_STATE_DEGRADED,
        v1.GATEWAY_STATE_DRAINING,
        v1.GATEWAY_STATE_FOREIGN,
    }
)
"""States in which somebody works on messages. What is hung has a process and serves nobody."""

CHANGING = frozenset({v1.GATEWAY_STATE_STARTING, v1.GATEWAY_STATE_STOPPING, v1.GATEWAY_STATE_DRAINING})
BROKEN = frozenset({v1.GATEWAY_STATE_FAILED, v1.GATEWAY_STATE_HUNG})
TROUBLED = {
    v1.GATEWAY_STATE_HUNG: "hermesctl gateway why {profile}",
    v1.GATEWAY_STATE_DRAINING: "hermesctl gateway drain {profile} --cancel",
    v1.GATEWAY_STATE_DEGRADED: "hermesctl gateway why {profile}",
    v1.GATEWAY_STATE_BACKOFF: "hermesctl gateway why {profile}",
    v1.GATEWAY_STATE_PARKED: "hermesctl gateway why {profile}",
    v1.GATEWAY_STATE_FAILED: "hermesctl gateway why {profile}",
    v1.GATEWAY_STATE_FOREIGN: "hermesctl gateway why {profile}",
}
"""States that a person should look at, and what to look at first."""

NEXT = {
    v1.GATEWAY_STATE_STOPPED: "nothing: it is not wanted",
    v1.GATEWAY_STATE_STARTING: "it is ready, or its start limit ends it",
    v1.GATEWAY_STATE_READY: "nothing: it runs",
    v1.GATEWAY_STATE_DEGRADED: "it goes on; what is missing is looked at again every half minute",
    v1.GATEWAY_STATE_HUNG: "a dump is kept and it is started again, unless the settings forbid it (restart_hung)",
    v1.GATEWAY_STATE_DRAINING: "it finishes its turns, then runs on without taking new ones",
    v1.GATEWAY_STATE_STOPPING: "it ends, or is killed when its grace is over",
    v1.GATEWAY_STATE_PARKED: "it is started when what it waits for is free",
    v1.GATEWAY_STATE_FAILED: "nothing: it waits for you",
    v1.GATEWAY_STATE_FOREIGN: "nothing: hermesd never touches what it did not start",
}
"""What happens by itself, where no moment is set for it."""

WAYS_OUT = {
    v1.GATEWAY_STATE_STOPPED: "hermesctl gateway start {profile}",
    v1.GATEWAY_STATE_HUNG: "hermesctl gateway restart {profile}",
    v1.GATEWAY_STATE_DEGRADED: "hermesctl gateway restart {profile}",
    v1.GATEWAY_STATE_DRAINING: "hermesctl gateway start {profile}",
    v1.GATEWAY_STATE_BACKOFF: "hermesctl gateway restart {profile}",
    v1.GATEWAY_STATE_PARKED: "hermesctl gateway stop {profile}",
    v1.GATEWAY_STATE_FAILED: "hermesctl gateway start {profile}",
}
"""The command that ends the waiting, once what is wrong is mended."""

WAITS = {
    v1.PARKED_FOR_CLAIM: "a claim",
    v1.PARKED_FOR_BUDGET: "its budget",
    v1.PARKED_FOR_CHANNEL: "a channel",
}
"""What a parked gateway waits for, in short."""

FRAME = frozenset(map(chr, range(0x2500, 0x2580)))
"""Characters that boxes are drawn with."""

TO_MEND = frozenset({v1.GATEWAY_STATE_DEGRADED, v1.GATEWAY_STATE_BACKOFF, v1.GATEWAY_STATE_FAILED})
"""States in which something is wrong that a command alone does not mend."""
ONCE_MENDED = "Once mended"
"""What stands before the command then."""

COMMANDS = frozenset({ONCE_MENDED, "Change it", "Or", "End it"})
"""Labels before what can be run."""

CLAIM_WAY_OUT = "hermesctl claims show {profile}"
"""Who has what it waits for, and what can be done."""

CHANNEL_WAY_OUT = "hermesctl -p {profile} gateway setup"
"""The agent's own, which sets up what could reach a gateway."""


def is_up(gateway: v1.Gateway) -> bool:
    """Whether it runs, or is about to."""
    return gateway.state in RUNNING or gateway.state == v1.GATEWAY_STATE_STARTING


def state_word(gateway: v1.Gateway) -> str:
    """What it is doing, in one word."""
    return word(v1.GatewayState.DESCRIPTOR, gateway.state) or EMPTY


def state_phrase(gateway: v1.Gateway) -> str:
    """The same, and of a parked one what it waits for."""
    waits = WAITS.get(parked_for(gateway), "")
    return f"{state_word(gateway)} ({waits.split()[-1]})" if waits else state_word(gateway)


def parked_for(gateway: v1.Gateway) -> v1.ParkedFor.ValueType:
    """What a parked gateway waits for. An older daemon does not say, and set a moment for all but a channel."""
    if gateway.state != v1.GATEWAY_STATE_PARKED or gateway.parked_for:
        return gateway.parked_for
    return v1.PARKED_FOR_BUDGET if gateway.HasField("next_start_at") else v1.PARKED_FOR_CHANNEL


def waits_for_claim(gateway: v1.Gateway) -> bool:
    """Whether it waits until somebody lets go of a token, a login or a port."""
    return parked_for(gateway) == v1.PARKED_FOR_CLAIM


def symbol(gateway: v1.Gateway) -> str:
    """The same at a glance."""
    if gateway.state == v1.GATEWAY_STATE_READY:
        return "●"
    if gateway.state in CHANGING:
        return "◐"
    return "◆" if gateway.state in TROUBLED else "○"


def colour(gateway: v1.Gateway) -> Colour | None:
    """The same in colour."""
    if gateway.state == v1.GATEWAY_STATE_READY:
        return Colour.GREEN
    if gateway.state in BROKEN:
        return Colour.RED
    return Colour.YELLOW if gateway.state in TROUBLED or gateway.state in CHANGING else Colour.DIM


def moment(terminal: Terminal, at: Timestamp | None) -> str:
    """A moment in a table: how long ago for people, exactly for programs."""
    if at is None:
        return EMPTY
    at_s = seconds(at)
    return rfc3339(at_s) if terminal.columns is None else age(terminal.now_s() - at_s)


def moment_long(terminal: Terminal, at: Timestamp) -> str:
    """A moment on a page: when, and how long ago."""
    at_s, now_s = seconds(at), terminal.now_s()
    return rfc3339(at_s) if terminal.columns is None else f"{local(at_s, now_s)} ({age(now_s - at_s)} ago)"


def since(gateway: v1.Gateway) -> Timestamp | None:
    """Since when it is in its state; of one that hermesd did not start, since when it runs."""
    if gateway.state == v1.GATEWAY_STATE_FOREIGN and gateway.foreign.HasField("started_at"):
        return gateway.foreign.started_at
    return gateway.since if gateway.HasField("since") else None


def columns(terminal: Terminal) -> list[Column[v1.Gateway]]:
    """The columns of a list of gateways."""
    return [
        Column("", symbol, colour=colour),
        Column("PROFILE", lambda one: one.profile),
        Column("STATE", state_word, colour=colour),
        Column("SINCE", lambda one: moment(terminal, since(one))),
        Column("RESTARTS", restarts, is_number=True),
        Column("PID", pid, is_number=True),
        Column("WISH", lambda one: word(v1.Wish.DESCRIPTOR, one.wish), is_wide=True),
        Column("ORDER", lambda one: str(one.start_order), is_number=True, is_wide=True),
        Column("DETAIL", trouble),
        Column("PLATFORMS", health_view.platforms, is_wide=True),
        Column("CPU", health_view.cpu, is_number=True, is_wide=True),
        Column("RSS", health_view.memory, is_number=True, is_wide=True),
        Column("LOG", lambda one: one.log_path, is_wide=True),
    ]


def lasting(gateway: v1.Gateway) -> v1.Gateway:
    """A gateway without what changes all the time: ages, use, and how much of a budget is left."""
    kept = v1.Gateway()
    kept.CopyFrom(gateway)
    for name in ("usage", "start_budget"):
        kept.ClearField(name)
    kept.health.ClearField("age")
    for part in kept.health.parts:
        part.ClearField("age")
    return kept


def restarts(gateway: v1.Gateway) -> str:
    """How often it was started again; nothing where nothing runs."""
    return str(gateway.restarts) if gateway.restarts or gateway.HasField("process") else EMPTY


def pid(gateway: v1.Gateway) -> str:
    """Its process id."""
    if gateway.HasField("process"):
        return str(gateway.process.pid)
    return str(gateway.foreign.pid) if gateway.HasField("foreign") else EMPTY


def trouble(gateway: v1.Gateway) -> str:
    """What it waits for or suffers from; empty if nothing."""
    if waits_for_claim(gateway):
        return f"waits: {gateway.detail or 'somebody else has what it needs for itself'}"
    if gateway.detail:
        return gateway.detail
    if gateway.state == v1.GATEWAY_STATE_FOREIGN:
        whose = f" of {gateway.foreign.owner}" if gateway.foreign.owner else ""
        return f"pid {gateway.foreign.pid}{whose} was not started by hermesd"
    is_ended = gateway.state in {v1.GATEWAY_STATE_BACKOFF, v1.GATEWAY_STATE_FAILED}
    return exit_text(gateway.last_exit) if is_ended and gateway.HasField("last_exit") else ""


def look(gateway: v1.Gateway) -> Fix | None:
    """What to look at first when something is wrong; `None` if nothing is."""
    if gateway.foreign.resolution:
        return Fix(gateway.foreign.resolution, trouble(gateway))
    command = CLAIM_WAY_OUT if waits_for_claim(gateway) else TROUBLED.get(gateway.state)
    if gateway.state == v1.GATEWAY_STATE_STOPPING and gateway.detail:  # it is not a person who ends it
        command = "hermesctl gateway why {profile}"
    text = trouble(gateway) or f"its gateway is {state_word(gateway)}"
    return Fix(command.format(profile=gateway.profile), text) if command else None


def exit_text(end: v1.GatewayExit) -> str:
    """How a process ended, in words."""
    cause = word(v1.ExitCause.DESCRIPTOR, end.cause).replace("_", " ")
    how = ""
    if end.HasField("code"):
        how = f"code {end.code}"
    elif end.HasField("signal"):
        how = f"signal {end.signal}"
    return ", ".join(part for part in (cause, how, end.detail) if part)


def summary(gateway: v1.Gateway, terminal: Terminal) -> str:
    """Its state in half a line, cleaned."""
    at = since(gateway)
    parts = [state_word(gateway) + (f" since {moment_long(terminal, at)}" if at else "")]
    if pid(gateway) != EMPTY:
        parts.append(f"pid {pid(gateway)}")
    if gateway.state == v1.GATEWAY_STATE_PARKED:
        parts.append(trouble(gateway) or f"waits for {WAITS.get(parked_for(gateway), 'something')}")
    return clean(" · ".join(parts))


def detail_page(gateway: v1.Gateway, terminal: Terminal, tail: list[str]) -> str:
    """One gateway in detail, with the end of its log."""
    at = since(gateway)
    has_colour = terminal.has_colour(terminal.stdout)
    heading = f"{paint(symbol(gateway), colour(gateway), has_colour=has_colour)} {clean(gateway.profile)} · "
    heading += paint(state_word(gateway), colour(gateway), has_colour=has_colour)
    heading += f" since {moment_long(terminal, at)}" if at else ""
    text = page(heading, _fields(gateway, terminal), columns=terminal.columns, whole=COMMANDS)
    return text + _block("Log tail", _telling(tail))


def why_page(told: v1.GatewayExplanation, terminal: Terminal, problems: Sequence[str] = ()) -> str:
    """Why a gateway is as it is: what comes next, how to change it, its last ends and its last words.

    `problems` are those of its profile, which keep it from being started again.
    """
    one = told.gateway
    has_colour = terminal.has_colour(terminal.stdout)
    state = paint(state_word(one), colour(one), has_colour=has_colour)
    heading = f"{paint(symbol(one), colour(one), has_colour=has_colour)} {clean(one.profile)} · {state}"
    budget = one.start_budget
    starts = (
        f"{budget.used_in_hour} of {budget.per_hour} this hour, {budget.used_in_day} of {budget.per_day} today"
    )
    fields = [
        *(("Because", because) for because in (trouble(one), *problems)),
        *health_view.foreign_fields(one, terminal)[:-1],
        *health_view.fields(one, terminal),
        ("Next", _next(one, terminal)),
        (ONCE_MENDED if problems or one.state in TO_MEND else "Change it", _way_out(one)),
        ("Or", WAYS_OUT[one.state].format(profile=one.profile) if _waits_for_channel(one) else ""),
        ("Failures", str(one.attempts) if one.attempts else ""),
        ("Starts", starts),
        ("With daemon", "" if one.enabled else f"no (hermesctl gateway enable {one.profile})"),
    ]
    ends = [f"{moment_long(terminal, end.at)}  {clean(exit_text(end))}" for end in told.exits]
    dumps = [health_view.dump_line(dump, moment_long(terminal, dump.at)) for dump in told.dumps]
    blocks = [("Last exits", ends), ("Dumps", dumps), ("Last lines", _telling(told.last_lines))]
    text = page(heading, fields, columns=terminal.columns, whole=COMMANDS)
    return text + "".join(_block(*block) for block in blocks)


def _block(title: str, lines: list[str]) -> str:
    return f"  {title}\n" + "".join(f"    {line}\n" for line in lines) if lines else ""


def _telling(lines: Sequence[str]) -> list[str]:
    """Lines of a log, cleaned, without frames and blanks: the banner of hermes-agent 0.19.0 fills a page."""
    return [clean(line) for line in lines if line.strip() and line.lstrip()[0] not in FRAME]


def _waits_for_channel(gateway: v1.Gateway) -> bool:
    """Whether it waits until something could reach it."""
    return parked_for(gateway) == v1.PARKED_FOR_CHANNEL


def _next(gateway: v1.Gateway, terminal: Terminal) -> str:
    """What happens by itself, and when."""
    if gateway.HasField("next_start_at"):
        at_s, now_s = seconds(gateway.next_start_at), terminal.now_s()
        when = rfc3339(at_s) if terminal.columns is None else f"in {age(max(at_s - now_s, 0.0))}"
        return f"it is started again {when}"
    if waits_for_claim(gateway):
        return "it is started by itself once that is free, who waits longest first"
    if _waits_for_channel(gateway):
        return "it is started within a minute once something could reach it"
    return NEXT.get(gateway.state, "")


def _way_out(gateway: v1.Gateway) -> str:
    """The command that changes what is wrong; empty if nothing is."""
    if gateway.foreign.resolution:
        return gateway.foreign.resolution
    if waits_for_claim(gateway):
        return CLAIM_WAY_OUT.format(profile=gateway.profile)
    command = CHANNEL_WAY_OUT if _waits_for_channel(gateway) else WAYS_OUT.get(gateway.state, "")
    return command.format(profile=gateway.profile)


def _fields(gateway: v1.Gateway, terminal: Terminal) -> list[tuple[str, str]]:
    end = gateway.last_exit
    ended = f"{exit_text(end)} · {moment_long(terminal, end.at)}" if gateway.HasField("last_exit") else ""
    is_foreign = gateway.state == v1.GATEWAY_STATE_FOREIGN
    process = pid(gateway) if pid(gateway) != EMPTY else ""
    return [
        ("Trouble", trouble(gateway) if gateway.detail or is_foreign or waits_for_claim(gateway) else ""),
        *(("Warning", warning) for warning in gateway.warnings),
        ("Process", f"pid {process} ({'not ' if is_foreign else ''}started by hermesd)" if process else ""),
        *health_view.foreign_fields(gateway, terminal),
        *health_view.fields(gateway, terminal),
        *health_view.usage_fields(gateway, terminal),
        ("Wanted", word(v1.Wish.DESCRIPTOR, gateway.wish) + ("" if gateway.enabled else ", not with the daemon")),
        ("Restarts", str(gateway.restarts) if gateway.restarts else ""),
        ("Next start", moment_long(terminal, gateway.next_start_at) if gateway.HasField("next_start_at") else ""),
        ("Last exit", ended),
        ("Log", gateway.log_path),
    ]
