"""A daemon that dies at any step of a start with claims: nothing lives and all is free, or the tree has all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.claimlocks import ClaimLocksOnDisk
from hermesd.adapters.spawn import spawn
from hermesd.domain.errors import ProfileBusy, TokenInUse
from tests.faults.dying_start import CLAIMS, OUTLIVED, STEPS, spec_with_claims
from tests.processes import start_id
from tests.tiers import sampled
from tests.waiting import wait_until

pytestmark = [pytest.mark.adapters]

PROJECT = Path(__file__).resolve().parents[2]
FEW = (7, STEPS - 9, STEPS - 3, STEPS)
"""Between locks, at the process, while it is named, at the end."""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where locks lie; whatever was started with them is ended."""
    (tmp_path / "claims").mkdir()
    yield tmp_path
    for name in ("coder", "work"):
        for process in procfs.members(start_id(name)):
            os.kill(process.pid, signal.SIGKILL)


def die(directory: Path, way: str, step: int) -> int:
    """Starts, and is killed at that step."""
    command = [sys.executable, "-m", "tests.faults.dying_start", str(directory), way, str(step), start_id()]
    return subprocess.run(command, cwd=PROJECT, check=False, timeout=60).returncode


def ordered() -> list[int]:
    """Every step, those for CI first."""
    return [*FEW, *(step for step in range(1, STEPS + 1) if step not in FEW)]


@pytest.mark.parametrize("step", sampled(ordered(), few=len(FEW)))
def test_a_daemon_that_dies_leaves_all_claims_or_none(directory: Path, step: int) -> None:
    """What lives can be found and named; what does not live is in nobody's way."""
    assert die(directory, "spawn", step) == -signal.SIGKILL
    disk = ClaimLocksOnDisk(directory / "claims")
    living = procfs.members(start_id())
    holders = disk.holders(CLAIMS)
    if not living:
        assert holders == {}
        spec = spec_with_claims(directory, start_id("work"), "work")
        os.close(spawn(spec).pidfd)
        assert {holder.note for holder in disk.holders(CLAIMS).values()} == {spec.claims[0].note}
        return
    spec = spec_with_claims(directory, start_id())
    assert holders.keys() == {claim.key for claim in CLAIMS}
    for holder in holders.values():
        assert (holder.pids, holder.note) == ((living[0].pid,), spec.claims[0].note)
        assert holder.main_pid in (None, living[0].pid)
    with pytest.raises(TokenInUse):
        spawn(spec_with_claims(directory, start_id("work"), "work"))
    with pytest.raises(ProfileBusy):
        spawn(spec)


@pytest.mark.parametrize("step", sampled(ordered(), few=2))
def test_a_process_that_waits_gives_its_claims_back_when_the_daemon_dies(directory: Path, step: int) -> None:
    """Between the start and the scope there is no half of a gateway."""
    assert die(directory, "spawn_waiting", step) == -signal.SIGKILL
    disk = ClaimLocksOnDisk(directory / "claims")
    wait_until(lambda: not disk.holders(CLAIMS) and not procfs.members(start_id()), "the waiting process to end")


@pytest.mark.ci
def test_every_step_has_been_counted(directory: Path) -> None:
    """One more is none."""
    assert die(directory, "spawn", STEPS + 1) == OUTLIVED
