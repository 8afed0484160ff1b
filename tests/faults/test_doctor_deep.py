"""Mending cut off at every step, and with a disk that is full at every step."""

from itertools import count

import pytest

from tests.faults.test_doctor import FILLING_STEPS, STEPS, mended_after_a_crash_at, told_of_a_full_disk_at

pytestmark = [pytest.mark.full, pytest.mark.services]


async def test_mending_cut_off_at_any_step_is_mended_by_the_next_one() -> None:
    """Whatever was done by then, nothing is lost and nobody else is touched."""
    for step in count(1):
        if not await mended_after_a_crash_at(step):
            break
    assert step > STEPS


async def test_a_full_disk_at_any_step_is_told() -> None:
    """And what else can be mended is."""
    for step in count(1):
        if not await told_of_a_full_disk_at(step):
            break
    assert step > FILLING_STEPS
