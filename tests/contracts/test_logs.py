"""What every log does. A follower's time is moved by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from hermesd.adapters.logfile import LogFiles
from hermesd.domain.ports import Logs
from tests.fakes.clock import ManualClock
from tests.fakes.logs import MemoryLogs

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = "abcdefghijkl"
LIMIT_BYTES = 1000


class Gateway(Protocol):
    """Whoever writes into the log."""

    logs: Logs
    clock: ManualClock

    def write(self, text: str) -> None:
        """Writes as a gateway does: at the end, through a descriptor of its own."""


class MemoryGateway:
    """On the fake."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.fake = MemoryLogs()
        self.logs: Logs = self.fake

    def write(self, text: str) -> None:
        self.fake.write(BOT, text)


class DiskGateway:
    """On disk. The descriptor stays open, as a process's does, whatever becomes of the file."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.logs: Logs = LogFiles(directory, self.clock, limit_bytes=LIMIT_BYTES)
        self.file = self.logs.path(BOT).open("ab", buffering=0)

    def write(self, text: str) -> None:
        self.file.write(text.encode())


@pytest.fixture(params=["memory", "disk"])
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that has written nothing, in memory and then on disk."""
    if request.param == "memory":
        yield MemoryGateway()
        return
    made = DiskGateway(tmp_path)
    yield made
    made.file.close()


@asynccontextmanager
async def following(gateway: Gateway, lines: int) -> AsyncIterator[list[str]]:
    """The lines that a follower has seen so far."""
    seen: list[str] = []

    async def follow() -> None:
        async for line in gateway.logs.follow(BOT, lines):
            seen.append(line)  # noqa: PERF401 - the test looks at it while it grows

    task = asyncio.ensure_future(follow())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])


async def see(gateway: Gateway, seen: list[str], expected: list[str]) -> None:
    """Lets time pass until the follower has seen that many lines, and a while longer for lines too many."""

    async def wait() -> None:
        while len(seen) < len(expected):
            await gateway.clock.advance(0.1)
            await asyncio.sleep(0.001)

    await asyncio.wait_for(wait(), timeout=20)
    await gateway.clock.advance(1)
    assert seen == expected


def test_tail_of_nothing_is_empty(gateway: Gateway) -> None:
    """A gateway that never wrote has no lines."""
    assert gateway.logs.tail(BOT, 10) == []
    assert gateway.logs.tail("nobody000000", 10) == []


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb\nc\n", 9, ["a", "b", "c"]),
        ("a\nb\nc\n", 0, []),
        ("a\nb\nhalf", 2, ["b", "half"]),
        ("\n", 5, [""]),
        ("a\n\n\n", 5, ["a", "", ""]),
        ("ä ✓\n", 1, ["ä ✓"]),
    ],
)
def test_tail_is_the_last_lines(gateway: Gateway, text: str, lines: int, expected: list[str]) -> None:
    """Oldest first, without line ends; one that has no end yet counts."""
    gateway.write(text)
    assert gateway.logs.tail(BOT, lines) == expected


def test_tail_reads_on_in_older_output(gateway: Gateway) -> None:
    """A rotation does not hide what was written before it."""
    lines = [f"line {number:03}" for number in range(300)]
    for line in lines:
        gateway.write(f"{line}\n")
        gateway.logs.rotate(BOT)
    assert gateway.logs.tail(BOT, 120) == lines[-120:]


async def test_follower_sees_the_last_lines_and_then_new_ones(gateway: Gateway) -> None:
    """Old and new lines come in one stream."""
    gateway.write("old\nolder\nlast\n")
    async with following(gateway, 2) as seen:
        await see(gateway, seen, ["older", "last"])
        gateway.write("new\n")
        await see(gateway, seen, ["older", "last", "new"])
        gateway.write("a\nb\n")
        await see(gateway, seen, ["older", "last", "new", "a", "b"])


async def test_follower_waits_for_the_end_of_a_line(gateway: Gateway) -> None:
    """Half a line is held until its other half comes, at the beginning too."""
    gateway.write("whole\nha")
    async with following(gateway, 1) as seen:
        await see(gateway, seen, ["whole"])
        gateway.write("lf")
        await see(gateway, seen, ["whole"])
        gateway.write(" and half\nnext\n")
        await see(gateway, seen, ["whole", "half and half", "next"])


async def test_follower_loses_nothing_in_rotations(gateway: Gateway) -> None:
    """Lines on both sides of a rotation, and of two between looks, are seen once and in order."""
    gateway.write("start\n")
    expected = ["start"]
    async with following(gateway, 1) as seen:
        await see(gateway, seen, expected)
        for turn in range(5):
            for part in range(2):
                lines = [f"turn {turn} part {part} line {number:02}" for number in range(50)]
                gateway.write("".join(f"{line}\n" for line in lines))
                gateway.logs.rotate(BOT)
                expected += lines
            gateway.write("half ")
            await see(gateway, seen, expected)
            gateway.write("line\n")
            expected.append("half line")
        await see(gateway, seen, expected)


async def test_two_followers_see_the_same(gateway: Gateway) -> None:
    """One follower takes nothing from another."""
    gateway.write("start\n")
    async with following(gateway, 1) as first, following(gateway, 1) as second:
        for seen in (first, second):
            await see(gateway, seen, ["start"])
        gateway.write("new\n")
        for seen in (first, second):
            await see(gateway, seen, ["start", "new"])


def test_removed_log_is_empty(gateway: Gateway) -> None:
    """Nothing is left of it, rotated or not; removing it again is fine."""
    for number in range(300):
        gateway.write(f"line {number}\n")
        gateway.logs.rotate(BOT)
    for _ in range(2):
        gateway.logs.remove(BOT)
        assert gateway.logs.tail(BOT, 10) == []
