"""Captured output is cut in time, and marked, whatever happens to one of the files."""

import logging
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from hermesd.domain.errors import DiskFull
from hermesd.services.captures import MARK_S, ROTATE_S, Captures
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]


@pytest.fixture
async def captures(house: House) -> AsyncIterator[Captures]:
    """What looks after two gateways that write."""
    captures = Captures(house.ports, lambda: ["one", "two"])
    captures.open()
    yield captures
    captures.close()


async def test_output_is_looked_at_often_and_marked_now_and_then(house: House, captures: Captures) -> None:
    """A flood writes as much in a minute as would fill a small disk."""
    await house.clock.advance(2 * MARK_S)
    assert Counter(house.logs.rotated) == {"one": 2 * MARK_S / ROTATE_S, "two": 2 * MARK_S / ROTATE_S}
    assert house.logs.marked == ["one", "two"] * 2


async def test_only_what_is_written_to_is_looked_at(house: House) -> None:
    """A gateway that runs, and one that was stopped."""
    await house.furnish("other")
    for name in ("coder", "other"):
        await house.start(name)
    assert len(house.services.keepers.live()) == 2
    await house.stop("other")
    (live,) = house.services.keepers.live()
    assert live in {record.profile_id for record in await house.store.gateways() if record.gateway.wanted_up}


async def test_whatever_fails_output_is_looked_at_again(
    house: House, captures: Captures, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without that, a flood would fill the disk from the first defect on."""

    def broken(_: str) -> None:
        raise OSError("no more files")

    with monkeypatch.context() as patched:
        patched.setattr(house.logs, "rotate", broken)
        await house.clock.advance(ROTATE_S)
    assert "no more files" in caplog.text
    await house.clock.advance(2 * ROTATE_S)
    assert house.logs.rotated == ["one", "two"]


async def test_a_trouble_is_told_once_and_again_after_it_was_over(
    house: House, captures: Captures, caplog: pytest.LogCaptureFixture
) -> None:
    """And hinders nobody: the other file is looked at, and the mark is made."""
    with caplog.at_level(logging.WARNING, "hermesd.services.captures"):
        for _ in range(2):
            house.logs.faults.arm("rotate", DiskFull("no space is left"))
            await house.clock.advance(MARK_S)
            house.logs.faults.disarm("rotate")
            await house.clock.advance(ROTATE_S)
    assert [record.message for record in caplog.records] == [
        "captured output is looked after later: no space is left"
    ] * 2
    assert house.logs.marked == ["one", "two"] * 2
    assert house.logs.rotated == ["one", "two"] * 2
