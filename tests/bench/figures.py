"""Figures by what was measured, at how many gateways and of whom, as aligned tables.

Owns: medians, counts and ratios. Must not know how anything is measured.
"""

import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

ABSENT = "-"


@dataclass(frozen=True)
class Measure:
    """Something that is measured of every supervisor."""

    title: str
    digits: int = 0
    """After the decimal point."""
    has_most: bool = False
    """Whether the largest sample is shown beside the median."""


@dataclass
class Figures:
    """Samples and remarks of one run."""

    names: Sequence[str]
    """Whose they are; ratios are taken against the first."""
    sizes: Sequence[int]
    """Numbers of gateways."""
    _samples: dict[tuple[Measure, int, str], list[float]] = field(default_factory=dict)
    _remarks: dict[tuple[str, int, str], str] = field(default_factory=dict)

    def add(self, measure: Measure, size: int, name: str, value: float) -> None:
        """Takes a sample, in the unit that the title says."""
        self._samples.setdefault((measure, size, name), []).append(value)

    def remark(self, title: str, size: int, name: str, text: str) -> None:
        """Takes what is no number."""
        self._remarks[title, size, name] = text

    def median(self, measure: Measure, size: int, name: str) -> float | None:
        """The median of what was sampled; `None` if nothing was."""
        samples = self._samples.get((measure, size, name))
        return statistics.median(samples) if samples else None

    def table(self, measure: Measure) -> str:
        """All samples of a measure, by whom it was measured of."""
        seen = {name for taken, _, name in self._samples if taken == measure}
        return self._table(measure.title, seen, lambda size, name: self._cell(measure, size, name))

    def remarks(self, title: str) -> str:
        """All remarks under a title."""
        seen = {name for taken, _, name in self._remarks if taken == title}
        return self._table(title, seen, lambda size, name: self._remarks.get((title, size, name), ABSENT))

    def slope(self, measure: Measure, name: str) -> float | None:
        """Growth of the median from the smallest to the largest size, per gateway; `None` if it is not known."""
        known = [(size, value) for size in self.sizes if (value := self.median(measure, size, name)) is not None]
        if len(known) < 2:
            return None
        (few, least), (many, most) = known[0], known[-1]
        return (most - least) / (many - few)

    def _table(self, title: str, seen: Collection[str], cell: Callable[[int, str], str]) -> str:
        rows = [[name, *(cell(size, name) for size in self.sizes)] for name in self.names if name in seen]
        return _aligned([[title, *(f"N={size}" for size in self.sizes)], *rows])

    def _cell(self, measure: Measure, size: int, name: str) -> str:
        value = self.median(measure, size, name)
        if value is None:
            return ABSENT
        samples = self._samples[measure, size, name]
        base = self.median(measure, size, self.names[0])
        parts = [f"{value:.{measure.digits}f}"]
        if measure.has_most:
            parts.append(f"({max(samples):.{measure.digits}f})")
        if base:
            parts.append(f"x{value / base:.2g}" if value < 10 * base else f"x{value / base:.0f}")
        return " ".join([*parts, f"n{len(samples)}"])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
