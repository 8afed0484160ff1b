"""Cases of one test in two tiers: a few on every change, all of them before an issue is closed.

Owns: which tier a case gets. Must not know what is tested. Tests with such cases are in no other tier.
"""

from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any

import pytest


def sampled(cases: Iterable[Any], *, few: int = 1) -> list[Any]:
    """Parameters of which the first `few` are for CI and all others for the full tier."""
    tiers = chain(repeat(pytest.mark.ci, few), repeat(pytest.mark.full))
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=tier)
        for case, tier in zip(cases, tiers, strict=False)
    ]
