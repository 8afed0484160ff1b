"""Every parser holds what it promises for what failed once, and for a few inputs of this run's seed."""

import random

import pytest

from tests.fuzz import agentfiles, files, words
from tests.fuzz.target import TARGETS, Target

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

SOURCES = (files, agentfiles, words)
FEW = 25


@pytest.mark.parametrize("chosen", TARGETS.values(), ids=TARGETS)
def test_a_parser_holds_what_it_promises(chosen: Target, rng: random.Random) -> None:
    """Its seeds, its corpus, and what is made of them."""
    seed = rng.randrange(1 << 48)
    for data in (*chosen.seeds, *chosen.replayed(), *(chosen.made(seed + one) for one in range(FEW))):
        chosen.check(data)
