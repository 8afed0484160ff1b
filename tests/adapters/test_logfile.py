"""Log files on disk, beyond what every log does."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from hermesd.adapters import lines as lines_module
from hermesd.adapters.lines import BLOCK_BYTES, LINE_LIMIT, LineBuffer
from hermesd.adapters.logfile import KEPT_FILES, LogFiles
from hermesd.domain.errors import DiskFull
from tests.fakes.clock import ManualClock
from tests.waiting import until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = "abcdefghijkl"
LIMIT_BYTES = 100


@pytest.fixture
def clock() -> ManualClock:
    """Time moved by hand."""
    return ManualClock()


@pytest.fixture
def logs(tmp_path: Path, clock: ManualClock) -> LogFiles:
    """Logs that are rotated above a hundred bytes."""
    return LogFiles(tmp_path, clock, limit_bytes=LIMIT_BYTES)


@pytest.fixture
def output(logs: LogFiles) -> Iterator[BinaryIO]:
    """What a gateway holds: one appending descriptor for all its life."""
    with logs.path(BOT).open("ab", buffering=0) as file:
        yield file


def names(logs: LogFiles) -> list[str]:
    """Files in the log directory."""
    return sorted(entry.name for entry in logs.path(BOT).parent.iterdir())


def test_file_within_its_limit_is_not_rotated(logs: LogFiles, output: BinaryIO) -> None:
    """Nothing happens until the limit is passed."""
    output.write(b"x" * LIMIT_BYTES)
    logs.rotate(BOT)
    assert names(logs) == [f"{BOT}.log"]
    logs.rotate("nobody000000")


def test_rotation_keeps_the_writers_descriptor(logs: LogFiles, output: BinaryIO) -> None:
    """The copy is private, the file is emptied, and the gateway goes on at its beginning without a hole."""
    output.write(b"old\n" * 50)
    inode = logs.path(BOT).stat().st_ino
    logs.rotate(BOT)
    output.write(b"new\n")
    copy = logs.path(BOT).with_name(f"{BOT}.log.1")
    assert copy.read_bytes() == b"old\n" * 50
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert logs.path(BOT).read_bytes() == b"new\n"
    assert logs.path(BOT).stat().st_ino == inode


def test_number_of_files_is_bounded(logs: LogFiles, output: BinaryIO) -> None:
    """The oldest one goes."""
    for turn in range(2 * KEPT_FILES):
        output.write(b"%03d\n" % turn * 30)
        logs.rotate(BOT)
    assert names(logs) == [f"{BOT}.log", *(f"{BOT}.log.{age}" for age in range(1, KEPT_FILES))]
    assert logs.tail(BOT, 1) == ["009"]
    assert logs.tail(BOT, 10_000)[0] == "006"


def test_full_disk_keeps_every_line(logs: LogFiles, output: BinaryIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that does not fit is dropped and the file stays as it is."""
    output.write(b"line\n" * 50)
    monkeypatch.setattr(os, "fchmod", _raise_full)
    with pytest.raises(DiskFull):
        logs.rotate(BOT)
    assert names(logs) == [f"{BOT}.log"]
    assert len(logs.tail(BOT, 100)) == 50


def _raise_full(descriptor: int, mode: int) -> None:
    raise OSError(28, "no space")


def test_line_cut_by_a_rotation_is_read_whole(logs: LogFiles, output: BinaryIO) -> None:
    """Its halves lie in two files."""
    output.write(b"first\n" * 20 + b"half ")
    logs.rotate(BOT)
    output.write(b"line\nlast\n")
    assert logs.tail(BOT, 3) == ["first", "half line", "last"]


def test_only_the_end_of_a_large_file_is_read(
    logs: LogFiles, output: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last lines cost one block, whatever the size of the file."""
    output.write(b"some line of output\n" * 200_000)
    read: list[int] = []
    read_piece = lines_module.read_piece

    def counted(file: Path, offset: int, size: int) -> bytes:
        read.append(size)
        return read_piece(file, offset, size)

    monkeypatch.setattr(lines_module, "read_piece", counted)
    assert logs.tail(BOT, 100) == ["some line of output"] * 100
    assert read == [BLOCK_BYTES]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"a\xffb\n", "a\ufffdb"),
        (b"dos\r\n", "dos"),
        (b"x" * (LINE_LIMIT + 5) + b"\n", "x" * LINE_LIMIT),
        (b"nul\0\n", "nul\0"),
    ],
)
def test_bytes_of_any_kind_become_a_line(logs: LogFiles, output: BinaryIO, written: bytes, expected: str) -> None:
    """What is no text is replaced, what is too long is cut: equally in a tail and for a follower."""
    output.write(written)
    assert logs.tail(BOT, 1) == [expected]
    assert LineBuffer().feed(written) == [expected]


def test_endless_line_is_not_collected() -> None:
    """A program that writes no line end fills no memory, and the next line is seen."""
    buffer = LineBuffer()
    for _ in range(100):
        assert buffer.feed(b"x" * LINE_LIMIT) == []
    assert len(buffer._partial) == LINE_LIMIT
    assert buffer.feed(b"y\nnext\n") == ["x" * LINE_LIMIT, "next"]


async def test_follower_begins_before_the_first_line(logs: LogFiles, clock: ManualClock) -> None:
    """A file that does not exist yet is followed from its start."""
    lines = logs.follow(BOT, 10)
    first = asyncio.ensure_future(anext(lines))
    await until(lambda: clock.sleepers, "the follower to wait")
    logs.path(BOT).write_bytes(b"first\n")
    await clock.advance(0.25)
    assert await asyncio.wait_for(first, 20) == "first"


async def test_follower_goes_on_in_a_file_that_somebody_emptied(
    logs: LogFiles, output: BinaryIO, clock: ManualClock
) -> None:
    """It starts again at the beginning."""
    output.write(b"long first line\n")
    lines = logs.follow(BOT, 1)
    assert await anext(lines) == "long first line"
    os.truncate(logs.path(BOT), 0)
    output.write(b"again\n")
    following = asyncio.ensure_future(anext(lines))
    assert await asyncio.wait_for(following, 20) == "again"


async def test_follower_that_slept_too_long_goes_on_with_the_oldest_there_is(
    logs: LogFiles, output: BinaryIO
) -> None:
    """Lines that were rotated away unread are gone; nothing is read twice."""
    output.write(b"start\n")
    lines = logs.follow(BOT, 1)
    assert await anext(lines) == "start"
    for turn in range(2 * KEPT_FILES):
        output.write(b"%03d\n" % turn * 30)
        logs.rotate(BOT)
    async with asyncio.timeout(20):
        seen = [await anext(lines) for _ in range(30 * (KEPT_FILES - 1))]
    assert seen == [f"{turn:03}" for turn in range(KEPT_FILES + 1, 2 * KEPT_FILES) for _ in range(30)]
