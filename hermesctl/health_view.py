"""How a gateway's health, usage, foreign owner and dumps are shown, wherever one is.

Owns: their words. Must not know states, or ask the daemon.
"""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration

from hermesctl.shapes import seconds, span, word
from hermesctl.tables import EMPTY
from hermesctl.terminal import Terminal
from hermesctl.text import clean, size, width
from hermesctl.times import age, local, rfc3339
from hermesd.v1 import gateways_pb2 as v1
from hermesd.v1.samples_pb2 import Sample

Field = tuple[str, str]
"""A label and its value, as on a page."""

BETWEEN = " · "
INDENTATION = 14
"""Columns before the values of a page."""

AGO = " ago"

ALIVE = "alive"
"""The word for a part whose age is how long it has been there."""

BEATS = "beats"
"""The word for a part whose sign of life says all by its age."""


def platforms(gateway: v1.Gateway, configured: Sequence[str] = ()) -> str:
    """Its messaging platforms, with what is wrong in brackets; those that are set up where nothing can be seen."""
    seen = [part for part in gateway.health.parts if part.is_platform]
    seen.sort(key=lambda part: part.is_well)  # what is wrong is not what a narrow column leaves out
    if seen:
        return ", ".join(part.name if part.is_well else f"{part.name} ({part.word})" for part in seen)
    is_wanted = gateway.wish == v1.WISH_UP and not gateway.HasField("health")
    return ", ".join(sorted(set(configured))) if is_wanted and configured else EMPTY


def cpu(gateway: v1.Gateway) -> str:
    """Its processor time, as a share of one core."""
    return f"{gateway.usage.cpu_cores * 100:.0f}%" if _is_used(gateway) else EMPTY


def memory(gateway: v1.Gateway) -> str:
    """Its resident memory."""
    return size(gateway.usage.rss_bytes).removesuffix("B").replace(" ", "") if _is_used(gateway) else EMPTY


def fields(gateway: v1.Gateway, terminal: Terminal) -> list[Field]:
    """What its page says of health and platforms."""
    layers = [_part(part, terminal) for part in gateway.health.parts if not part.is_platform]
    if layers and gateway.health.HasField("age"):
        layers.append(f"looked {_ago(gateway.health.age, terminal)}")
    connected = [_part(part, terminal) for part in gateway.health.parts if part.is_platform]
    return [
        *wrapped("Health", layers, terminal.columns),
        *wrapped("Platforms", connected, terminal.columns),
    ]


def usage_fields(gateway: v1.Gateway, terminal: Terminal) -> list[Field]:
    """What its page says of what it uses."""
    return wrapped("Resources", _used(gateway.usage, terminal) if _is_used(gateway) else [], terminal.columns)


def foreign_fields(gateway: v1.Gateway, terminal: Terminal) -> list[Field]:
    """What its page says of a gateway that hermesd did not start."""
    if not gateway.HasField("foreign"):
        return []
    found = gateway.foreign
    parts = [f"pid {found.pid}" + (f" of {found.owner}" if found.owner else "")]
    parts += [f"unit {found.unit}"] if found.unit else []
    parts += [f"on terminal {found.tty}"] if found.tty else []
    if found.HasField("started_at"):
        at_s, now_s = seconds(found.started_at), terminal.now_s()
        is_exact = terminal.columns is None
        parts.append(f"since {rfc3339(at_s) if is_exact else f'{local(at_s, now_s)} ({age(now_s - at_s)} ago)'}")
    return [*wrapped("Foreign", parts, terminal.columns), ("End it", found.resolution)]


def dump_line(dump: v1.GatewayDump, when: str) -> str:
    """What was kept of a process, cleaned."""
    cause = word(v1.ExitCause.DESCRIPTOR, dump.cause).replace("_", " ")
    return clean(f"{when}  {cause}  {size(dump.size_bytes)}  {dump.path}")


def wrapped(label: str, parts: Sequence[str], columns: int | None) -> list[Field]:
    """Parts as one field, in as many lines as a terminal needs for it."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{BETWEEN}{part}" if lines else part
        if lines and columns is not None and width(clean(longer)) > columns - INDENTATION:
            lines.append(part)
        else:
            lines[-1:] = [longer]
    return [(label if at == 0 else "", line) for at, line in enumerate(lines)]


def _part(part: v1.HealthPart, terminal: Terminal) -> str:
    ago = _ago(part.age, terminal) if part.HasField("age") else ""
    detail = f" ({part.detail})" if part.detail else ""
    if part.detail.startswith(part.word):
        detail = part.detail.removeprefix(part.word)
    if not part.is_well:
        return f"✗ {part.name} {part.word}{detail}" + (f", last sign {ago}" if ago else "")
    if part.word == ALIVE and ago:
        return f"{part.name} {part.word} for {ago.removesuffix(AGO)}{detail}"
    if part.word == BEATS and ago:
        return f"{part.name} {ago}{detail}"
    return f"{part.name} {part.word}{detail}" + (f" ({ago})" if ago else "")


def _used(usage: Sample, terminal: Terminal) -> list[str]:
    parts = [f"cpu {usage.cpu_cores * 100:.0f} %", f"rss {size(usage.rss_bytes)}"]
    counts = ((usage.threads, "thread"), (usage.descriptors, "descriptor"), (usage.processes, "process"))
    parts += [f"{count} {_plural(noun, count)}" for count, noun in counts if count]
    since_s = max(terminal.now_s() - seconds(usage.at), 0.0)
    return [*parts, f"looked {age(since_s)} ago"] if usage.HasField("at") else parts


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"


def _is_used(gateway: v1.Gateway) -> bool:
    return gateway.HasField("usage") and gateway.HasField("process")


def _ago(passed: Duration, terminal: Terminal) -> str:
    passed_s = span(passed)
    return (f"{passed_s:.1f} s" if terminal.columns is None else age(passed_s)) + AGO
