"""What all dumps do, whoever keeps them."""

from pathlib import Path

import pytest

from hermesd.adapters.dumps import DumpsOnDisk
from hermesd.domain.dump import DUMPS_KEPT
from hermesd.domain.ports import Dumps
from hermesd.domain.process import ExitCause, ProcessIdentity
from tests.adapters.hermes_homes import myself
from tests.fakes.clock import ManualClock
from tests.fakes.dumps import MemoryDumps

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT, OTHER = "abcdefghijkl", "mnopqrstuvwx"


@pytest.fixture(params=["disk", "memory"])
def dumps(request: pytest.FixtureRequest, tmp_path: Path) -> Dumps:
    """Files, then memory. Nothing is looked for on a search path."""
    return DumpsOnDisk(tmp_path, ManualClock(), "") if request.param == "disk" else MemoryDumps()


async def test_a_dump_is_found_again(dumps: Dumps) -> None:
    """With its cause and its size, under the profile that it is of."""
    path = await dumps.keep(BOT, myself(), ExitCause.HUNG, "silent for 120 s", ["last words"])
    (found,) = dumps.of(BOT)
    assert (found.path, found.cause) == (path, ExitCause.HUNG)
    assert found.size_bytes > len("last words")
    assert dumps.of(OTHER) == []


async def test_the_newest_comes_first_and_the_oldest_go(dumps: Dumps) -> None:
    """Also of dumps that were taken in the same moment."""
    paths = [await dumps.keep(BOT, myself(), ExitCause.UNWELL, "", []) for _ in range(DUMPS_KEPT + 2)]
    await dumps.keep(OTHER, myself(), ExitCause.HUNG, "", [])
    assert [one.path for one in dumps.of(BOT)] == paths[: -DUMPS_KEPT - 1 : -1]
    assert len(dumps.of(OTHER)) == 1


async def test_a_process_that_has_ended_leaves_a_dump_all_the_same(dumps: Dumps) -> None:
    """Its last lines may say why."""
    gone = ProcessIdentity(myself().boot_id, 4_194_303, 1, "spawn0000000")
    await dumps.keep(BOT, gone, ExitCause.STOPPED, "", ["last words"])
    assert len(dumps.of(BOT)) == 1


async def test_removed_is_removed(dumps: Dumps) -> None:
    """Twice is once, and others keep theirs."""
    await dumps.keep(BOT, myself(), ExitCause.HUNG, "", [])
    await dumps.keep(OTHER, myself(), ExitCause.HUNG, "", [])
    for _ in range(2):
        dumps.remove(BOT)
    assert dumps.of(BOT) == []
    assert len(dumps.of(OTHER)) == 1
