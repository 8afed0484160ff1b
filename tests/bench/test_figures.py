"""The arithmetic of benches: what they print is what was measured."""

import random

import pytest

from tests.bench.figures import Figures, Measure
from tests.bench.trial import fate, victims

pytestmark = [pytest.mark.fast, pytest.mark.services]

LATENCY = Measure("latency, ms", digits=1, has_most=True)
MEMORY = Measure("memory, MiB")


def test_a_cell_shows_median_largest_ratio_and_count() -> None:
    """The ratio is taken against the first name's median at the same size."""
    figures = Figures(["ours", "theirs"], [1])
    for ours, theirs in ((2.0, 30.0), (1.0, 10.0), (9.0, 20.0)):
        figures.add(LATENCY, 1, "ours", ours)
        figures.add(LATENCY, 1, "theirs", theirs)
    title, first, second = (" ".join(line.split()) for line in figures.table(LATENCY).splitlines())
    assert title == "latency, ms N=1"
    assert first == "ours 2.0 (9.0) x1 n3"
    assert second == "theirs 20.0 (30.0) x10 n3"


def test_what_was_not_measured_is_not_made_up() -> None:
    """A hole is a dash, and who was never measured has no row."""
    figures = Figures(["ours", "theirs", "absent"], [1, 50])
    figures.add(MEMORY, 1, "ours", 40)
    figures.add(MEMORY, 1, "theirs", 20)
    figures.add(MEMORY, 50, "theirs", 25)
    lines = [line.split() for line in figures.table(MEMORY).splitlines()[1:]]
    assert lines == [["ours", "40", "x1", "n1", "-"], ["theirs", "20", "x0.5", "n1", "25", "n1"]]


def test_growth_is_taken_from_the_smallest_to_the_largest_size() -> None:
    """Per gateway; a single size tells none."""
    figures = Figures(["ours", "theirs"], [1, 50, 201])
    for size, value in ((1, 40.0), (50, 48.0), (201, 44.0)):
        figures.add(MEMORY, size, "ours", value)
    figures.add(MEMORY, 50, "theirs", 20.0)
    assert figures.slope(MEMORY, "ours") == pytest.approx(0.02)
    assert figures.slope(MEMORY, "theirs") is None


def test_lost_doubled_and_kept_children_are_told_apart() -> None:
    """A child that was started anew beside the old one is doubled, and the old one is still the same."""
    before = {0: [10], 1: [11], 2: [12], 3: [13]}
    after = {0: [10], 1: [11, 21], 2: [22]}
    assert fate(before, after, 4) == "1/1/2"


@pytest.mark.parametrize(("size", "rounds"), [(1, 3), (4, 9), (50, 9)])
def test_every_child_is_killed_once_before_any_twice(rng: random.Random, size: int, rounds: int) -> None:
    """So that a supervisor that grows patient with a child is asked as often as can be."""
    chosen = victims(size, rounds, rng)
    assert len(chosen) == rounds
    counts = [chosen.count(number) for number in range(size)]
    assert max(counts) - min(counts) <= 1
