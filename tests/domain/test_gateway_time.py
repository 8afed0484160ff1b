"""The gateway machine with its delays, in virtual time: how crash loops slow down, and a year of everything."""

import random
from collections.abc import Callable

import pytest

from hermesd.domain.gateway import ALERT_AT, LIVE, Effect, Event, Gateway, ParkedFor, State
from hermesd.domain.policy import Policy
from tests.domain.gateway_simulation import DAY_S, HOUR_S, Behaviour, Script, Simulation, most_within

pytestmark = [pytest.mark.fast, pytest.mark.domain]

POLICY = Policy()

LOOPS: dict[str, Script] = {
    "crashes at once": [(0.0, Event.CRASHED)],
    "crashes after a while": [(30.0, Event.CRASHED)],
    "crashes once ready": [(2.0, Event.READY), (2.1, Event.CRASHED)],
    "crashes just before it is stable": [(170.0, Event.READY), (170.0 + POLICY.stable_s - 1, Event.CRASHED)],
    "wants to be restarted at once": [(0.5, Event.RESTART_REQUESTED)],
    "cannot be spawned": [(0.0, Event.SPAWN_FAILED)],
    "finds its port taken": [(1.0, Event.PORT_TAKEN)],
    "is never ready": [],
    "hangs once ready": [(1.0, Event.READY), (3.0, Event.HUNG)],
    "hangs long after it is stable": [(1.0, Event.READY), (200.0, Event.HUNG)],
    "is restarted for a part of it": [(1.0, Event.READY), (150.0, Event.UNWELL)],
    "reaches a limit while it starts": [(5.0, Event.LIMIT_HIT)],
    "reaches a limit once ready": [(1.0, Event.READY), (5.0, Event.LIMIT_HIT)],
}
"""Ways to fail over and over; only what fails for its health is stable in between."""


def looping(script: Script, roll: float) -> Simulation:
    """A gateway that was started once and fails in this way again and again."""
    simulation = Simulation(Behaviour(lambda: script), roll=lambda: roll)
    simulation.happen(Event.START)
    return simulation


@pytest.mark.parametrize("roll", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("loop", LOOPS)
def test_loop_settles_at_four_starts_an_hour(loop: str, roll: float) -> None:
    """However it fails, from the tenth failure on no hour sees more than four starts, and every one sees three."""
    simulation = looping(LOOPS[loop], roll)
    simulation.run_until(3 * DAY_S)
    settled = [start for start in simulation.starts_s if start >= simulation.starts_s[ALERT_AT - 1]]
    assert most_within(settled[1:], HOUR_S) <= 4
    slowest_s = POLICY.backoff_rare_s * (1 + POLICY.jitter) + POLICY.start_limit_s + POLICY.stable_s
    assert simulation.longest_silence_s <= slowest_s
    assert len(settled) >= 3 * DAY_S / slowest_s - 1


@pytest.mark.parametrize("roll", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("loop", LOOPS)
def test_loop_alerts_once(loop: str, roll: float) -> None:
    """People are told of a loop once, after the tenth failure, however long it lasts."""
    simulation = looping(LOOPS[loop], roll)
    simulation.run_until(3 * DAY_S)
    assert len(simulation.alerts_s) == 1
    assert simulation.starts_s[ALERT_AT - 1] <= simulation.alerts_s[0] <= simulation.starts_s[ALERT_AT]


@pytest.mark.parametrize("roll", [0.0, 0.5, 1.0])
def test_first_restart_comes_at_once(roll: float) -> None:
    """A gateway that crashed once is back within 1.2 seconds, and not sooner than 0.8."""
    simulation = looping([(5.0, Event.READY), (50.0, Event.CRASHED)], roll)
    simulation.run_until(60.0)
    assert 50.8 <= simulation.starts_s[1] <= 51.2


def test_each_failure_waits_longer() -> None:
    """The delay doubles from one second until it reaches five minutes, then fifteen."""
    simulation = looping([(0.0, Event.CRASHED)], roll=0.5)
    simulation.run_until(2 * HOUR_S)
    delays = [
        round(later - earlier, 6)
        for earlier, later in zip(simulation.starts_s, simulation.starts_s[1:], strict=False)
    ]
    assert delays[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 990, 990]


def test_crash_after_stability_starts_over() -> None:
    """A gateway that ran for the stable period is restarted at once, however often it failed before."""
    scripts = iter(
        [*[[(0.0, Event.CRASHED)]] * 8, [(1.0, Event.READY), (100.0, Event.CRASHED)], [(1.0, Event.READY)]]
    )
    simulation = Simulation(Behaviour(lambda: next(scripts)), roll=lambda: 0.5)
    simulation.happen(Event.START)
    simulation.run_until(1 + 2 + 4 + 8 + 16 + 32 + 64 + 128 + 100 + 5)
    assert len(simulation.starts_s) == 10
    assert simulation.starts_s[9] - simulation.starts_s[8] == pytest.approx(101.0)
    assert simulation.gateway == Gateway(State.RUNNING, wanted_up=True, attempts=1)


def test_relapses_are_forgotten_after_doing_well_for_long() -> None:
    """A gateway that hung twice and then did well for the whole period is restarted at once the next time."""
    well_s = 100.0 + POLICY.stable_s + POLICY.well_s
    scripts = iter(
        [*[[(1.0, Event.READY), (100.0, Event.HUNG)]] * 2, [(1.0, Event.READY), (well_s, Event.HUNG)], []]
    )
    simulation = Simulation(Behaviour(lambda: next(scripts)), roll=lambda: 0.5)
    simulation.happen(Event.START)
    simulation.run_until(well_s + 300.0)
    delays = [
        later - earlier for earlier, later in zip(simulation.starts_s, simulation.starts_s[1:], strict=False)
    ]
    ended_s = 0.1
    assert delays == pytest.approx([100.0 + ended_s + 1, 100.0 + ended_s + 2, well_s + ended_s + 1])


def test_agent_that_restarts_itself_once_stable_does_not_wait() -> None:
    """A stable gateway that asks for a restart is started in the same moment."""
    scripts = iter([[(1.0, Event.READY), (100.0, Event.RESTART_REQUESTED)], []])
    simulation = Simulation(Behaviour(lambda: next(scripts)), roll=lambda: 0.5)
    simulation.happen(Event.START)
    simulation.run_until(101.0)
    assert simulation.starts_s == [0.0, 100.0]


def test_spent_budget_is_tried_again_by_itself() -> None:
    """A gateway without a start in its budget waits, and comes back without a command."""
    scripts = iter([[(0.0, Event.BUDGET_SPENT)], [(1.0, Event.READY)]])
    simulation = Simulation(Behaviour(lambda: next(scripts)), roll=lambda: 0.5)
    simulation.happen(Event.START)
    simulation.run_until(DAY_S - 1)
    assert simulation.gateway == Gateway(State.PARKED, wanted_up=True, parked_for=ParkedFor.BUDGET)
    simulation.run_until(DAY_S + 1)
    assert simulation.gateway.state is State.RUNNING


@pytest.mark.parametrize(
    ("ends_after_s", "expected_s"),
    [
        (lambda effect: 2.0, 2.0),
        (lambda effect: 2.0 if effect is Effect.KILL else None, 10.0 + POLICY.grace_extra_s + 2.0),
    ],
    ids=["obeys SIGTERM", "obeys only SIGKILL"],
)
def test_stop_ends_in_time(ends_after_s: Callable[[Effect], float | None], expected_s: float) -> None:
    """A stop takes as long as the process takes, and never longer than drain, grace and the kill."""
    behaviour = Behaviour(lambda: [(1.0, Event.READY)], ends_after_s)
    simulation = Simulation(behaviour, roll=lambda: 0.5)
    simulation.happen(Event.START)
    simulation.run_until(100.0)
    simulation.happen(Event.STOP)
    simulation.run_until(100.0 + expected_s - 0.01)
    assert simulation.gateway.state is not State.STOPPED
    simulation.run_until(100.0 + expected_s)
    assert simulation.gateway == Gateway()


def any_script(rng: random.Random) -> Script:
    """What one process of an eventful year does."""
    ready_s = rng.expovariate(1 / 10.0)
    lives_s = rng.choice([1.0, 20.0, 300.0, 6 * HOUR_S, 3 * DAY_S]) * rng.uniform(0.5, 2.0)
    last = rng.choices([*LASTS], weights=[*LASTS.values()])[0]
    if last in {Event.SPAWN_FAILED, Event.SPAWN_IMPOSSIBLE, Event.CLAIM_DENIED, Event.BUDGET_SPENT}:
        return [(0.0, last)]
    script: Script = [(lives_s, last)]
    return [(ready_s, Event.READY), *script] if rng.random() < 0.9 else script


LASTS = {
    Event.CRASHED: 20,
    Event.RESTART_REQUESTED: 5,
    Event.MISCONFIGURED: 1,
    Event.PORT_TAKEN: 2,
    Event.SPAWN_FAILED: 3,
    Event.SPAWN_IMPOSSIBLE: 1,
    Event.CLAIM_DENIED: 2,
    Event.BUDGET_SPENT: 3,
    Event.HUNG: 2,
    Event.UNWELL: 2,
    Event.LIMIT_HIT: 2,
    Event.HOME_GONE: 1,
    Event.ADOPTED: 2,
    Event.LOST: 1,
}
"""What ends the story of a process, and how often."""


def outside(simulation: Simulation, rng: random.Random) -> None:
    """Something that comes from people or neighbours happens now."""
    event = rng.choices([Event.START, Event.STOP, Event.RESTART, Event.CLAIM_FREED], weights=[6, 3, 3, 4])[0]
    simulation.happen(event)


@pytest.mark.parametrize("walk", range(5))
def test_a_year_of_everything(rng: random.Random, walk: int) -> None:
    """Through a year of commands and mishaps there is never a second process, nor a silence beyond 18 minutes."""

    def ends_after_s(effect: Effect) -> float | None:
        return rng.choice([0.0, 1.0, 60.0, None]) if effect is Effect.TERMINATE else rng.choice([0.0, 7.0, None])

    simulation = Simulation(Behaviour(lambda: any_script(rng), ends_after_s), roll=rng.random)
    while simulation.now_s < 365 * DAY_S:
        simulation.run_until(simulation.now_s + rng.expovariate(1 / HOUR_S))
        outside(simulation, rng)
        assert (simulation.gateway.state in LIVE) is simulation.is_alive, "\n".join(simulation.trace)
    assert simulation.longest_silence_s <= POLICY.backoff_rare_s * (1 + POLICY.jitter)
    assert len(simulation.starts_s) > 1000
    assert_settles(simulation)


def assert_settles(simulation: Simulation) -> None:
    """Whatever it is doing, a stop ends it within an hour of a process that does not go at once."""
    simulation.happen(Event.STOP)
    simulation.run_until(simulation.now_s + HOUR_S)
    assert simulation.gateway == Gateway(), "\n".join(simulation.trace)
    assert not simulation.is_alive
