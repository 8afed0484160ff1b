"""Fleets through weeks and years in which everything happens; the invariants hold after each step."""

import random

import pytest

from hermesd.services import keepers
from tests.services.simulation import DAY_S, DEEDS, HOUR_S, MINUTE_S, Simulation

pytestmark = [pytest.mark.services]


@pytest.mark.fast
async def test_a_small_fleet_survives_a_week_of_everything(
    rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty gateways, and something goes wrong every quarter of an hour."""
    monkeypatch.setattr(keepers, "CHECK_S", 10 * MINUTE_S)
    simulation = Simulation(rng, gateways=20, step_s=900.0, life_s=2 * DAY_S, housekeeping_s=10 * MINUTE_S)
    await simulation.run(7 * DAY_S)
    assert simulation.deeds.keys() == DEEDS.keys()


@pytest.mark.full
async def test_a_large_fleet_survives_a_year(rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand gateways, each of which fares as gateways do."""
    monkeypatch.setattr(keepers, "CHECK_S", DAY_S)
    simulation = Simulation(
        rng, gateways=1000, step_s=6 * HOUR_S, life_s=120 * DAY_S, checked_every=10, housekeeping_s=DAY_S
    )
    await simulation.run(365 * DAY_S)
    assert simulation.deeds.keys() == DEEDS.keys()
