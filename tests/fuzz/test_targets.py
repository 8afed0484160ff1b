"""Every parser holds what it promises for what failed once, and for a few inputs that are always the same.

The search for more is `python -m tests.fuzz`: what it finds is nobody's fault who changed something else.
"""

import pytest

from tests.fuzz import agentfiles, archives, calls, files, words
from tests.fuzz.target import TARGETS, Target

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

SOURCES = (files, agentfiles, archives, calls, words)
FEW = 25


@pytest.mark.parametrize("chosen", TARGETS.values(), ids=TARGETS)
def test_a_parser_holds_what_it_promises(chosen: Target) -> None:
    """Its seeds, its corpus, and what is made of them."""
    for data in (*chosen.seeds, *chosen.replayed(), *(chosen.made(one) for one in range(FEW))):
        chosen.check(data)
