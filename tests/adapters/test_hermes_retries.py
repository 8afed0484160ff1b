"""Platforms that a gateway of hermes-agent says it is retrying, and whether it does."""

from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_look import Looks
from hermesd.adapters.agents.hermes_retries import GIVEN_UP_S, Retries
from hermesd.adapters.agents.hermes_state import Platform
from hermesd.domain.process import ProcessIdentity
from tests.adapters.hermes_homes import home_at, myself, platform, report

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

HOME = Path("/home/of/nobody")
PROCESS = ProcessIdentity("boot", 7, 1, "spawn")
WAITING = Platform("telegram", "retrying", "no route", 1_000.0)
LOOK_S = 30.0


def watch(retries: Retries, entry: Platform, since_s: float, for_s: float) -> frozenset[str]:
    """What is told last of an entry that is looked at as often as the daemon does."""
    given_up: frozenset[str] = frozenset()
    for number in range(int(for_s / LOOK_S) + 1):
        given_up = retries.given_up(HOME, PROCESS, [entry], since_s + number * LOOK_S)
    return given_up


def test_an_entry_that_never_changes_is_given_up() -> None:
    """After twice the time that the agent takes between two attempts; not before."""
    retries = Retries()
    assert watch(retries, WAITING, 0.0, GIVEN_UP_S - LOOK_S) == frozenset()
    assert watch(retries, WAITING, GIVEN_UP_S, 0.0) == {"telegram"}
    assert watch(retries, replace(WAITING, updated_at_s=2_000.0), GIVEN_UP_S + LOOK_S, 0.0) == frozenset()


def test_each_attempt_begins_anew() -> None:
    """A gateway that does try writes the entry again, 330 s later at the latest."""
    retries = Retries()
    for attempt in range(10):
        entry = replace(WAITING, updated_at_s=1_000.0 + attempt)
        assert watch(retries, entry, attempt * 330.0, 300.0) == frozenset()


def test_what_the_entry_says_of_its_age_is_not_believed() -> None:
    """A wall clock that jumped makes a fresh entry look old."""
    assert watch(Retries(), replace(WAITING, updated_at_s=0.0), 0.0, LOOK_S) == frozenset()


def test_time_that_was_not_watched_counts_little() -> None:
    """The daemon, or the machine, may have stood still, and the gateway with it."""
    retries = Retries()
    watch(retries, WAITING, 0.0, 90.0)
    assert watch(retries, WAITING, 50_000.0, 90.0) == frozenset()


def test_another_process_or_state_begins_anew() -> None:
    """Only what is said to be retried can be given up."""
    retries = Retries()
    watch(retries, WAITING, 0.0, GIVEN_UP_S)
    other = replace(PROCESS, pid=8)
    assert retries.given_up(HOME, other, [WAITING], GIVEN_UP_S + LOOK_S) == frozenset()
    watch(retries, WAITING, 0.0, GIVEN_UP_S)
    assert watch(retries, replace(WAITING, state="connected"), GIVEN_UP_S, LOOK_S) == frozenset()
    assert watch(retries, WAITING, GIVEN_UP_S + LOOK_S, LOOK_S) == frozenset()


def test_a_restart_mends_what_was_given_up_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still tried is the agent's own matter."""
    home = home_at(tmp_path / "profiles" / "coder")
    report(home, "running", platforms={"telegram": platform("retrying", "Restarting gateway.", at=9e9)})
    looks = Looks()
    (sign,) = looks.look(home.path, myself()).signs
    assert (sign.word, sign.is_mended_by_restart) == ("retrying", False)
    for number in range(30):
        monkeypatch.setattr("time.monotonic", lambda at=1e9 + number * LOOK_S: at)
        (sign,) = looks.look(home.path, myself()).signs
    assert (sign.word, sign.detail, sign.is_mended_by_restart) == ("given up", "Restarting gateway.", True)
