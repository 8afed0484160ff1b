"""Many fight for the same claims, are killed and leave children: never two holders, never a lost claim.

The judge is tried as well, on histories of locks that are known to be broken.
"""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from hermesd.adapters import claimfiles, locks
from hermesd.adapters.claimlocks import ClaimLocksOnDisk
from hermesd.domain.errors import PortInUse
from tests.faults.claim_history import CLASH, FREED, HOLDS, REFUSED, TRIES, Entry, complaints, read
from tests.faults.contenders import CLAIMS, NOTE
from tests.tiers import sampled
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
LIMIT_S = 900


def fight(directory: Path, wins: int, seed: int, lock: str) -> list[Entry]:
    """What the contenders journalled until so many attempts were won and the last of their children had ended."""
    command = [sys.executable, "-m", "tests.faults.contenders", str(directory), str(wins), str(seed), lock]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=LIMIT_S)
    held = ClaimLocksOnDisk(directory / "claims")
    if lock != "record":
        wait_until(lambda: not held.holders(CLAIMS), "what the contenders left to end")
    return read(directory / "journal")


@pytest.mark.adapters
@pytest.mark.parametrize("wins", sampled([200, 10_000]))
def test_nobody_ever_meets_another_holder(tmp_path: Path, rng: random.Random, wins: int) -> None:
    """Eight processes and their children, with files removed and contenders killed all the while."""
    history = fight(tmp_path, wins, rng.randrange(1 << 30), "ours")
    assert complaints(history) == []
    kinds = [entry.kind for entry in history]
    assert kinds.count(REFUSED) > wins / 20
    with claimfiles.taken(ClaimLocksOnDisk(tmp_path / "claims").of(CLAIMS, NOTE)) as taken:
        assert len(taken.fds) == len(CLAIMS)


@pytest.mark.adapters
@pytest.mark.parametrize("lock", sampled(["record", "unchecked"]))
def test_the_judge_sees_that_a_broken_lock_is_broken(tmp_path: Path, rng: random.Random, lock: str) -> None:
    """A record of a pid that is looked at and replaced, and a kernel lock on a file that lost its name."""
    for attempt in range(25):
        directory = tmp_path / str(attempt)
        directory.mkdir()
        history = fight(directory, 300, rng.randrange(1 << 30), lock)
        if any("at once" in one or "another holder" in one for one in complaints(history)):
            return
    pytest.fail("7500 claims by a broken lock, and nobody complained")


def said(*words: tuple[str, str]) -> list[Entry]:
    """A history of one claim, a word each moment."""
    return [Entry(at, kind, actor, ("c",)) for at, (actor, kind) in enumerate(words)]


@pytest.mark.adapters
@pytest.mark.fast
@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (said(("a", HOLDS), ("b", HOLDS), ("a", HOLDS)), "c: a and b held it at once"),
        (said(("a", HOLDS), ("b", CLASH)), "b met another holder of ('c',)"),
        (
            said(("a", TRIES), ("a", HOLDS), ("a", FREED), ("b", TRIES), ("b", REFUSED)),
            "b was refused although nobody had any of ('c',)",
        ),
    ],
)
def test_what_cannot_be_true_is_a_complaint(history: list[Entry], complaint: str) -> None:
    """Two at once, a locked witness, and a refusal by nobody."""
    assert complaints(history) == [complaint]


@pytest.mark.adapters
@pytest.mark.fast
@pytest.mark.parametrize(
    "history",
    [
        [],
        said(("a", HOLDS), ("a", HOLDS), ("b", HOLDS)),
        said(("a", TRIES), ("a", HOLDS), ("b", TRIES), ("b", REFUSED), ("a", FREED)),
        said(("a", TRIES), ("b", TRIES), ("b", REFUSED), ("a", REFUSED)),
        said(("a", TRIES), ("a", HOLDS), ("b", TRIES), ("b", REFUSED)),
        said(("a", TRIES), ("b", TRIES), ("b", REFUSED)),
    ],
    ids=["nothing", "one-after-the-other", "held", "both-for-a-moment", "killed-holder", "killed-attempt"],
)
def test_what_can_be_true_is_none(history: list[Entry]) -> None:
    """Also where somebody was killed and said no more."""
    assert complaints(history) == []


class Contention:
    """hermes-agent's way to take over a stale record, step by step, so that four can be made to take turns."""

    def __init__(self, path: Path, history: list[Entry], actor: str) -> None:
        self._path, self._history, self._actor = path, history, actor
        self.won = False

    def look(self) -> None:
        """Everybody finds the record of somebody who has ended."""
        assert self._path.read_text() == "ended"

    def replace(self) -> None:
        """What was found stale is removed, whatever lies there by now, and made anew."""
        self._path.unlink(missing_ok=True)
        with self._path.open("x") as file:
            file.write(self._actor)
        self.won = True

    def hold(self) -> None:
        """It says that it has it."""
        self._history.append(Entry(len(self._history), HOLDS, self._actor, ("c",)))


@pytest.mark.adapters
@pytest.mark.fast
def test_four_of_four_win_a_stale_record(tmp_path: Path) -> None:
    """What happens to one bot in hermes-agent 0.19.0, and what happens to it here."""
    path, history = tmp_path / "c.lock", list[Entry]()
    path.write_text("ended")
    four = [Contention(path, history, name) for name in "abcd"]
    for step in (Contention.look, Contention.replace, Contention.hold, Contention.hold):
        for one in four:
            step(one)
    assert sum(one.won for one in four) == 4
    assert len(complaints(history)) == 4

    with locks.acquire(path):  # theirs is gone, ours lies in its place
        wanted = ClaimLocksOnDisk(tmp_path).of(CLAIMS[:1], NOTE)
        wanted[0].path.write_text("ended")
        winners = [claimfiles.taken(wanted) for _ in four]
        with winners[0] as first:
            assert first.fds
            for other in winners[1:]:
                with pytest.raises(PortInUse):
                    other.__enter__()
