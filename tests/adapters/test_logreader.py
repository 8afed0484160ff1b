"""Logs on disk, beyond what every reader of logs does: rotation, odd files, and how much is read."""

import os
from collections.abc import Iterator
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from random import Random

import pytest

from hermesd.adapters import logreader, logtape
from hermesd.adapters.logfile import LogFiles, TurnedFiles
from hermesd.adapters.logreader import LogOnDisk, LogReaderOnDisk
from hermesd.domain.logs import TEXT_LIMIT, Level, Record, Wanted
from tests.contracts.test_logreader import AT_S, BOT, FILE, _utc, backwards, forwards, fresh, line
from tests.fakes.clock import ManualClock

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

__all__ = ["_utc"]


class Disk:
    """A home, captured output and a reader."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.home = directory / "home"
        self.path = self.home / FILE.path
        self.path.parent.mkdir(parents=True)
        self.logs = LogFiles(directory, self.clock, limit_bytes=1000)
        self.printed = self.logs.path(BOT)
        self.reader = LogReaderOnDisk(partial(TurnedFiles, self.logs), directory / "daemon.log", self.clock)

    def agent(self, wanted: Wanted = Wanted(), *, is_following: bool = False, share: int = 1) -> LogOnDisk:  # noqa: B008
        """The agent's log, begun."""
        return self._begun(self.reader.of_agent("coder", self.home, FILE), wanted, is_following, share)

    def captured(self, wanted: Wanted = Wanted(), *, is_following: bool = False) -> LogOnDisk:  # noqa: B008
        """What the gateway printed, begun."""
        return self._begun(self.reader.captured("coder", BOT), wanted, is_following, 1)

    def _begun(self, log: LogOnDisk, wanted: Wanted, is_following: bool, share: int) -> LogOnDisk:
        log.begin(wanted, share=share, is_following=is_following)
        return log


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """A home without logs."""
    return Disk(tmp_path)


@pytest.fixture
def rotating(disk: Disk) -> Iterator[RotatingFileHandler]:
    """The agent's own way of rotating, made to do it when told."""
    handler = RotatingFileHandler(disk.path, backupCount=3)
    yield handler
    handler.close()


def add(path: Path, data: str | bytes) -> None:
    """Adds to a file."""
    with path.open("ab") as file:
        file.write(data.encode() if isinstance(data, str) else data)


def texts(records: list[Record]) -> list[str]:
    """What they say."""
    return [record.text for record in records]


def random_log(rng: Random, records: int) -> str:
    """Records of any length, some with further lines."""
    return "".join(
        line(number, "x" * rng.randrange(300), rng.choice(["INFO", "ERROR"])) + "  more\n" * rng.randrange(4)
        for number in range(records)
    )


def test_pieces_of_any_size_give_the_same_records(
    disk: Disk, rng: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However records are cut by pieces and by files, in both directions, searched or not."""
    text = random_log(rng, 300)
    cuts = sorted(rng.sample(range(len(text)), 3))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    for age, part in enumerate(reversed(parts)):
        add(disk.path.with_name("agent.log" if age == 0 else f"agent.log.{age}"), part)
    whole = forwards(disk.agent())
    assert len(whole) == 300
    for _ in range(10):
        size = rng.randrange(200, 5000)
        monkeypatch.setattr(logreader, "PIECE_BYTES", size)
        monkeypatch.setattr(logreader, "LEAST_PIECE_BYTES", size)
        for wanted in (Wanted(), Wanted(contains=("xxxx", "more")), Wanted(level=Level.ERROR)):
            expected = [record for record in whole if wanted.accepts(record)]
            assert forwards(disk.agent(wanted)) == expected
            assert backwards(disk.agent(wanted)) == expected[::-1]
        since_s = AT_S + rng.randrange(300)
        assert forwards(disk.agent(Wanted(since_s=since_s))) == [one for one in whole if one.at_s >= since_s]


def test_a_follower_goes_on_across_renaming(disk: Disk, rotating: RotatingFileHandler) -> None:
    """Also twice between looks, and while somebody still writes into the file that was renamed."""
    log = disk.agent(is_following=True)
    expected: list[str] = []
    for turn in range(8):
        add(disk.path, line(turn, f"turn {turn}"))
        if turn % 2:
            assert fresh(log) == [*expected, f"turn {turn}"]
            expected = []
        else:
            expected.append(f"turn {turn}")
        rotating.doRollover()
        add(disk.path.with_name("agent.log.1"), line(turn, f"late {turn}"))
        expected.append(f"late {turn}")
    assert fresh(log) == expected
    assert log.take_losses() == 0


def test_what_was_removed_unread_is_told(disk: Disk, rotating: RotatingFileHandler) -> None:
    """A reader that was too slow knows that it was."""
    add(disk.path, line(0))
    log = disk.agent(is_following=True)
    for turn in range(6):
        add(disk.path, line(turn, f"turn {turn}"))
        rotating.doRollover()
    assert fresh(log) == ["turn 3", "turn 4", "turn 5"]
    assert (log.take_losses(), log.take_losses()) == (1, 0)


def test_a_follower_goes_on_in_an_emptied_file(disk: Disk) -> None:
    """From its beginning."""
    add(disk.path, line(1, "long" * 100))
    log = disk.agent(is_following=True)
    os.truncate(disk.path, 0)
    add(disk.path, line(2))
    assert fresh(log) == ["line 2"]


def test_a_follower_of_captured_output_goes_on_across_copying(disk: Disk) -> None:
    """The daemon copies and empties the file while the gateway goes on writing."""
    log = disk.captured(is_following=True)
    expected: list[str] = []
    for turn in range(6):
        lines = [f"turn {turn} line {number:03}" for number in range(80)]
        add(disk.printed, "".join(f"{one}\n" for one in lines))
        expected += lines
        if turn % 2:
            disk.logs.rotate(BOT)
            add(disk.printed, "after\n")
            expected.append("after")
            assert fresh(log) == expected
            expected = []
    assert fresh(log) == expected


def test_captured_output_is_read_on_while_it_is_rotated(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost of what was there when the reading began."""
    monkeypatch.setattr(logreader, "PIECE_BYTES", 500)
    monkeypatch.setattr(logreader, "LEAST_PIECE_BYTES", 500)
    lines = [f"line {number:04}" for number in range(300)]
    add(disk.printed, "".join(f"{one}\n" for one in lines))
    log = disk.captured()
    found: list[Record] = []
    while (records := log.later()) is not None:
        found += records
        add(disk.printed, "new\n" * 300)
        if len(found) < 150:
            disk.logs.rotate(BOT)
    assert texts(found) == lines


def test_captured_lines_have_the_time_of_the_mark_behind_them(disk: Disk) -> None:
    """Or that of the last writing; a rotation takes the marks along."""
    for number in range(3):
        add(disk.printed, f"{number}\n" * 300)
        disk.clock.jump(30)
        disk.logs.mark(BOT)
        disk.logs.mark(BOT)
    begun_s = disk.clock.now_s() - 90
    assert sorted({one.at_s for one in forwards(disk.captured())}) == [begun_s + 30, begun_s + 60, begun_s + 90]
    disk.logs.rotate(BOT)
    add(disk.printed, "last\n")
    os.utime(disk.printed, (begun_s + 100, begun_s + 100))
    found = forwards(disk.captured())
    assert [one.at_s for one in found if one.text in {"1", "last"}][-2:] == [begun_s + 60, begun_s + 100]
    assert set(texts(forwards(disk.captured(Wanted(since_s=begun_s + 61))))) == {"2", "last"}
    disk.logs.remove(BOT)
    assert [path.name for path in disk.printed.parent.iterdir()] == ["home"]


def test_marks_are_bounded_and_may_be_damaged(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nonsense among them is left out, and the oldest become less exact."""
    marks = disk.printed.with_name(f"{disk.printed.name}.times")
    add(disk.printed, "a\n")
    add(marks, "nonsense\n\xff\n99999999999999999999 5\n1 2.5\n")
    disk.logs.mark(BOT)
    assert texts(forwards(disk.captured())) == ["a"]
    monkeypatch.setattr("hermesd.adapters.logfile.MARKS_BYTES", 200)
    for _ in range(100):
        add(disk.printed, "a\n")
        disk.logs.mark(BOT)
    assert marks.stat().st_size <= 230
    os.truncate(disk.printed, 0)
    disk.logs.mark(BOT)
    assert not marks.exists()


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_only_plain_files_are_read(disk: Disk, tmp_path: Path, kind: str) -> None:
    """Nothing waits for a pipe, no link leads elsewhere, and it is said once."""
    (tmp_path / "secret").write_text(line(1, "secret"))
    if kind == "link":
        disk.path.symlink_to(tmp_path / "secret")
    elif kind == "fifo":
        os.mkfifo(disk.path)
    else:
        disk.path.mkdir()
    add(disk.path.with_name("agent.log.1"), line(0))
    log = disk.agent(is_following=True)
    assert texts(forwards(log)) == ["line 0"]
    assert fresh(log) == []
    (problem,) = log.take_problems()
    assert str(disk.path) in problem
    assert log.take_problems() == []


def test_a_linked_directory_is_not_entered(disk: Disk, tmp_path: Path) -> None:
    """It may lead into another profile."""
    disk.path.parent.rmdir()
    (tmp_path / "elsewhere").mkdir()
    add(tmp_path / "elsewhere" / "agent.log", line(1))
    disk.path.parent.symlink_to(tmp_path / "elsewhere")
    log = disk.agent()
    assert forwards(log) == []
    assert ["links are not followed" in one for one in log.take_problems()] == [True]


def test_a_file_that_takes_a_links_place_is_followed(disk: Disk, tmp_path: Path) -> None:
    """What was no plain file may become one."""
    disk.path.symlink_to(tmp_path / "nowhere")
    log = disk.agent(is_following=True)
    disk.path.unlink()
    add(disk.path, line(1))
    assert fresh(log) == ["line 1"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"a\xffb", "a\ufffdb"),
        (b"dos\r", "dos"),
        (b"x" * (TEXT_LIMIT + 5), "x" * 5),
        (b"nul\0", "nul\0"),
        (b"31 of February", "31 of February"),
    ],
)
def test_bytes_of_any_kind_become_a_record(disk: Disk, written: bytes, expected: str) -> None:
    """What is no text is replaced, what is too long is cut and says so."""
    add(disk.path, b"2026-11-23 09:00:00,000 INFO x: " + written + b"\n")
    (found,) = forwards(disk.agent())
    assert found.text.startswith(expected)
    assert len(found.text) < TEXT_LIMIT + 50


def test_impossible_times_are_none(disk: Disk) -> None:
    """The record is as old as its file."""
    add(disk.path, "2026-02-31 09:00:00,000 INFO x: never\n")
    os.utime(disk.path, (AT_S, AT_S))
    (found,) = forwards(disk.agent())
    assert (found.at_s, found.is_rough, found.text) == (AT_S, True, "never")


def test_endless_lines_fill_no_memory(disk: Disk) -> None:
    """They are told in parts, and the next record is seen."""
    add(disk.path, b"2026-11-23 09:00:00,000 INFO x: " + b"y" * 3_000_000 + b"\n" + line(1).encode())
    found = forwards(disk.agent())
    assert len(found) > 1
    assert found[-1].text == "line 1"
    assert all(len(one.text) < TEXT_LIMIT + 50 for one in found)
    assert texts(backwards(disk.agent()))[0] == "line 1"
    log = disk.agent(is_following=True)
    add(disk.path, b"2026-11-23 09:00:00,000 INFO x: " + b"y" * 3_000_000 + b"\n" + line(2).encode())
    assert fresh(log)[-1] == "line 2"


def test_only_the_neighbourhood_of_a_moment_is_read(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older than asked for is skipped, whatever the size of the log."""
    monkeypatch.setattr(logreader, "SLACK_S", 60.0)
    day = "".join(
        f"2026-11-23 {hour:02}:{minute:02}:00,000 INFO x: {'y' * 200}\n"
        for hour in range(24)
        for minute in range(60)
    )
    add(disk.path, day * 1)
    for age in range(1, 20):
        add(disk.path.with_name(f"agent.log.{age}"), day.replace("2026-11-23", f"2026-10-{20 - age:02}"))
    read: list[int] = []
    original = logtape.Tape.read

    def counted(tape: logtape.Tape, offset: int, size: int) -> bytes:
        read.append(size)
        return original(tape, offset, size)

    monkeypatch.setattr(logtape.Tape, "read", counted)
    found = forwards(disk.agent(Wanted(since_s=AT_S + 14 * 3600), share=1000))
    assert len(found) == 60
    assert sum(read) < 20 * logreader.LEAST_PIECE_BYTES
    assert texts(forwards(disk.agent(Wanted(until_s=AT_S - 40 * 86400), share=1000))) == ["y" * 200] * (
        13 * 1440 + 540 + 1
    )


def test_a_flood_is_read_in_bounded_pieces(disk: Disk) -> None:
    """One look at what was added takes no more than a piece, and the looks give all of it."""
    log = disk.agent(is_following=True)
    count = 5 * logreader.PIECE_BYTES // len(line(1))
    add(disk.path, "".join(line(number % 3600) for number in range(count)))
    looks = []
    while (records := log.added()) is not None:
        looks.append(len(records))
    assert sum(looks) == count
    assert len(looks) >= 5
