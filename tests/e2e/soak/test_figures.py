"""The soak's own judgement: it sees what grows, and nothing else."""

import random
from collections.abc import Callable

import pytest

from tests.e2e.soak.figures import MEBI, Life, Sample, Tolerance

pytestmark = [pytest.mark.fast, pytest.mark.e2e]

HOUR_S = 3600


def life(figure: Callable[[int], tuple[float, int, int, int]]) -> Life:
    """A life of an hour; `figure` says MiB, descriptors, threads and gateways at a second."""
    samples = []
    for second in range(HOUR_S):
        mebi, descriptors, threads, gateways = figure(second)
        samples.append(Sample(float(second), int(mebi * MEBI), descriptors, threads, gateways))
    return Life("daemon 1", samples)


def test_noise_caches_and_more_gateways_are_no_growth(rng: random.Random) -> None:
    """What fills at the beginning stays, and each gateway costs a descriptor."""

    def figure(second: int) -> tuple[float, int, int, int]:
        gateways = 10 + 40 * second // HOUR_S
        return 60 + min(second / 60, 10) + rng.gauss(0, 2), 30 + gateways, 15 + rng.randint(0, 2), gateways

    assert life(figure).complaints(Tolerance()) == []


@pytest.mark.parametrize(
    ("figure", "what"),
    [
        (lambda second: (60 + second * 30 / HOUR_S, 80, 15, 50), "memory"),
        (lambda second: (60, 80 + second * 20 // HOUR_S, 15, 50), "descriptors"),
        (lambda second: (60, 80, 15 + second * 10 // HOUR_S, 50), "threads"),
    ],
)
def test_what_leaks_slowly_is_seen(figure: Callable[[int], tuple[float, int, int, int]], what: str) -> None:
    """30 MiB, 20 descriptors or 10 threads in an hour."""
    (told,) = life(figure).complaints(Tolerance())
    assert what in told


def test_what_was_seen_once_has_not_grown() -> None:
    """A daemon may end right after its first look."""
    one = Life("daemon 1", [Sample(5.0, 60 * MEBI, 30, 15, 0)])
    assert one.complaints(Tolerance()) == []
    assert "0 s, 60.0 -> 60.0 MiB" in str(one)
