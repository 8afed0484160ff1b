"""What gateways use, as people and scripts read it.

Owns: rows, their order, and the columns. Must not ask the daemon, or know keys and screens.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hermesctl import gateway_view
from hermesctl.shapes import plain, span
from hermesctl.tables import EMPTY, Colour, Column
from hermesctl.terminal import Terminal
from hermesctl.text import size
from hermesd.v1 import gateways_pb2 as v1
from hermesd.v1.samples_pb2 import Sample

CPU_WIDTH, MEMORY_WIDTH, COUNT_WIDTH, SINCE_WIDTH, STATE_WIDTH = 6, 6, 4, 7, 8
"""What columns take at least, so that they stand still while numbers change."""

BARS = "▁▂▃▄▅▆▇█"
TREND_WIDTH = 20


class Order(StrEnum):
    """What rows are sorted by."""

    CPU = "cpu"
    MEMORY = "memory"
    DESCRIPTORS = "fds"
    THREADS = "threads"
    RESTARTS = "restarts"
    NAME = "name"


@dataclass(frozen=True)
class Row:
    """A gateway and what it used last; `None` if it does not run, or nobody has looked yet."""

    gateway: v1.Gateway
    sample: Sample | None


ORDERS: Mapping[Order, Callable[[Row], float]] = {
    Order.CPU: lambda row: row.sample.cpu_cores if row.sample else 0.0,
    Order.MEMORY: lambda row: row.sample.rss_bytes if row.sample else 0.0,
    Order.DESCRIPTORS: lambda row: row.sample.descriptors if row.sample else 0.0,
    Order.THREADS: lambda row: row.sample.threads if row.sample else 0.0,
    Order.RESTARTS: lambda row: row.gateway.restarts,
    Order.NAME: lambda row: 0.0,
}


def rows(gateways: Iterable[v1.Gateway], samples: Mapping[str, Sample]) -> list[Row]:
    """A row for each gateway."""
    return [Row(one, samples.get(one.profile)) for one in gateways]


def in_order(found: Iterable[Row], order: Order, *, is_reversed: bool = False) -> list[Row]:
    """Most first, or names from the beginning, or the other way round; what does not run stays last."""
    by_name = sorted(found, key=lambda row: row.gateway.profile, reverse=is_reversed and order is Order.NAME)
    by_order = sorted(by_name, key=ORDERS[order], reverse=not is_reversed)
    return sorted(by_order, key=lambda row: row.sample is None)


def totals(found: Sequence[Row]) -> str:
    """What all use together."""
    seen = [row.sample for row in found if row.sample is not None]
    up = sum(gateway_view.is_up(row.gateway) for row in found)
    parts = [
        f"{up} of {len(found)} gateways up",
        f"CPU {_percent(sum(one.cpu_cores for one in seen))}%",
        f"RSS {size(sum(one.rss_bytes for one in seen))}",
        f"FDS {sum(one.descriptors for one in seen)}",
        f"PROCS {sum(one.processes for one in seen)}",
    ]
    return ", ".join(parts)


def columns(
    terminal: Terminal, *, name_width: int = 0, trends: "Trends | None" = None, is_plain: bool = False
) -> list[Column[Row]]:
    """The columns, the least needed last. Without symbols if `is_plain`: the words say the same."""
    found = [
        Column[Row]("", lambda row: gateway_view.symbol(row.gateway), colour=_colour),
        Column[Row]("PROFILE", lambda row: row.gateway.profile, least=name_width),
        Column[Row]("STATE", lambda row: gateway_view.state_word(row.gateway), least=STATE_WIDTH, colour=_colour),
        _number("CPU%", _cpu, CPU_WIDTH),
        _number("RSS", lambda one: size(one.rss_bytes), MEMORY_WIDTH),
        _number("FDS", lambda one: str(one.descriptors), COUNT_WIDTH),
        _number("THR", lambda one: str(one.threads), COUNT_WIDTH),
        _number("PROCS", lambda one: str(one.processes), COUNT_WIDTH),
        Column[Row]("RESTARTS", lambda row: gateway_view.restarts(row.gateway), is_number=True),
        Column[Row]("SINCE", lambda row: _since(row, terminal), least=SINCE_WIDTH),
    ]
    if trends is not None:
        found.append(Column[Row]("RSS SINCE START OF TOP", lambda row: trends.of(row.gateway.profile)))
    return found[1:] if is_plain else found


def fields(row: Row) -> dict[str, Any]:
    """A row as scripts see it."""
    gateway = plain(row.gateway)
    shown = {name: gateway[name] for name in ("profile", "state", "wish", "since", "restarts")}
    shown["pid"] = row.gateway.process.pid if row.gateway.HasField("process") else None
    usage = None if row.sample is None else plain(row.sample)
    for name in ("profile", "restarts"):
        if usage is not None:
            del usage[name]
    return {**shown, "usage": usage}


class Trends:
    """How the memory of each gateway went since this began, in so many steps as there is room for."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}

    def add(self, found: Iterable[Row]) -> None:
        """Takes the newest."""
        for row in found:
            course = self._courses.setdefault(row.gateway.profile, _Course([]))
            if row.sample is not None:
                course.add(row.sample.rss_bytes)

    def of(self, profile: str) -> str:
        """A line of bars, from the least to the most of this gateway."""
        values = self._courses[profile].values if profile in self._courses else []
        if not values:
            return EMPTY
        least, most = min(values), max(values)
        reach = max(most - least, most // 20, 1)  # what hardly moves looks level
        return "".join(BARS[(value - least) * (len(BARS) - 1) // reach] for value in values)


@dataclass
class _Course:
    """Values that each stand for as many samples; when there are too many, pairs become one."""

    values: list[int]
    stands_for: int = 1
    waiting: int = 0
    """Samples that are in the last value, if it has not all of them yet."""

    def add(self, value: int) -> None:
        """Takes the newest; the most of each step is kept."""
        if self.waiting:
            self.values[-1] = max(self.values[-1], value)
        else:
            self.values.append(value)
        self.waiting = (self.waiting + 1) % self.stands_for
        if len(self.values) == TREND_WIDTH and not self.waiting:
            self.values = [max(pair) for pair in zip(self.values[::2], self.values[1::2], strict=True)]
            self.stands_for *= 2


def _percent(cores: float) -> str:
    """Of one core: 150 is one and a half."""
    return f"{cores * 100:.0f}" if cores >= 10 else f"{cores * 100:.1f}"


def _number(header: str, text: Callable[[Sample], str], least: int) -> Column[Row]:
    """A column of what a gateway used."""

    def cell(row: Row) -> str:
        return EMPTY if row.sample is None else text(row.sample)

    return Column(header, cell, is_number=True, least=least)


def _cpu(sample: Sample) -> str:
    return _percent(sample.cpu_cores) if span(sample.step) > 0 else EMPTY


def _since(row: Row, terminal: Terminal) -> str:
    return gateway_view.moment(terminal, gateway_view.since(row.gateway))


def _colour(row: Row) -> Colour | None:
    return gateway_view.colour(row.gateway)
