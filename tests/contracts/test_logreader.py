"""What every reader of logs does."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from hermesd.adapters.logfile import LogFiles, TurnedFiles
from hermesd.adapters.logreader import LogReaderOnDisk
from hermesd.domain.logs import TEXT_LIMIT, Level, LogFile, Record, Source, Wanted
from hermesd.domain.masking import Mask
from hermesd.domain.ports import Log, LogReader
from tests.fakes.clock import ManualClock
from tests.fakes.logreader import MemoryLogReader

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = "abcdefghijkl"
FILE = LogFile(Source.AGENT, "logs/agent.log")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local times are those of UTC, wherever the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Writer(Protocol):
    """Whoever writes the logs of the profile `coder`."""

    reader: LogReader
    home: Path

    def write(self, text: str) -> None:
        """Adds to the agent's log."""

    def rename(self, name: str) -> None:
        """Gives the home another name."""

    def print(self, text: str) -> None:
        """Adds to what the gateway printed."""

    def tell(self, text: str) -> None:
        """Adds to the daemon's log."""


class MemoryWriter:
    """On the fake."""

    home = Path("/nowhere")

    def __init__(self) -> None:
        fake = MemoryLogReader(ManualClock())
        self.reader: LogReader = fake
        self.write = partial(fake.write, "coder/logs/agent.log")
        self.print = partial(fake.write, f"captured/{BOT}")
        self.tell = partial(fake.write, "daemon")

    def rename(self, name: str) -> None:
        """There is no home."""


class DiskWriter:
    """On disk."""

    def __init__(self, directory: Path) -> None:
        clock = ManualClock()
        self.home = directory / "home"
        (self.home / "logs").mkdir(parents=True)
        self._daemon = directory / "daemon.log"
        logs = LogFiles(directory, clock)
        self._printed = logs.path(BOT)
        self.reader: LogReader = LogReaderOnDisk(partial(TurnedFiles, logs), self._daemon, clock)

    def write(self, text: str) -> None:
        _add(self.home / FILE.path, text)

    def rename(self, name: str) -> None:
        self.home = self.home.rename(self.home.with_name(name))

    def print(self, text: str) -> None:
        _add(self._printed, text)

    def tell(self, text: str) -> None:
        _add(self._daemon, text)


def _add(path: Path, text: str) -> None:
    with path.open("ab") as file:
        file.write(text.encode())


@pytest.fixture(params=["memory", "disk"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Writer:
    """Somebody who has written nothing, in memory and then on disk."""
    return MemoryWriter() if request.param == "memory" else DiskWriter(tmp_path)


def opened(writer: Writer, wanted: Wanted = Wanted(), *, is_following: bool = False) -> Log:  # noqa: B008 - frozen
    """The agent's log, begun."""
    log = writer.reader.of_agent("coder", writer.home, FILE)
    log.begin(wanted, share=1, is_following=is_following)
    return log


def forwards(log: Log) -> list[Record]:
    """All that is there, oldest first."""
    found: list[Record] = []
    while (records := log.later()) is not None:
        found += records
    return found


def backwards(log: Log) -> list[Record]:
    """All that is there, newest first."""
    found: list[Record] = []
    while (records := log.earlier()) is not None:
        found += records
    return found


def fresh(log: Log) -> list[str]:
    """What has been added, in as many looks as it takes."""
    found: list[str] = []
    for _ in range(3):  # a file that was renamed gets another look before it is left
        while (records := log.added()) is not None:
            found += [record.text for record in records]
    return found


def line(number: int, text: str = "", level: str = "INFO") -> str:
    """A line as the agent writes it."""
    return (
        f"2026-11-23 09:{number // 60:02}:{number % 60:02},250 {level} gateway.run: {text or f'line {number}'}\n"
    )


def test_a_log_is_followed_through_a_rename(writer: Writer) -> None:
    """Each line once, by the name that the profile has when it is read."""
    writer.write(line(1))
    log = opened(writer, is_following=True)
    assert [record.text for record in forwards(log)] == ["line 1"]
    writer.write(line(2))
    writer.rename("smith")
    log.follow_rename("smith", writer.home)
    writer.write(line(3))
    found = [record for _ in range(3) for record in log.added() or []]
    assert [(record.profile, record.text) for record in found] == [("smith", "line 2"), ("smith", "line 3")]


AT_S = 1_795_424_400.0
"""2026-11-23 09:00:00 in UTC."""


def test_nothing_is_no_records(writer: Writer) -> None:
    """A log that is not there is empty, and that is no problem."""
    assert forwards(opened(writer)) == []
    assert backwards(opened(writer)) == []
    assert fresh(opened(writer, is_following=True)) == []
    assert opened(writer).take_problems() == []


def test_a_record_has_its_parts(writer: Writer) -> None:
    """Time, level, logger, session and text, with the lines that belong to it."""
    writer.write("2026-11-23 09:00:01,250 ERROR [s-42] agent.loop: it broke\nTraceback (most recent call last):\n")
    writer.write("  File x\nValueError: ERROR 2026\n")
    (found,) = forwards(opened(writer))
    assert found == Record(
        "coder",
        Source.AGENT,
        AT_S + 1.25,
        is_rough=False,
        level=Level.ERROR,
        logger="agent.loop",
        session="s-42",
        text="it broke\nTraceback (most recent call last):\n  File x\nValueError: ERROR 2026",
    )


def test_both_directions_give_the_same(writer: Writer) -> None:
    """Backwards is forwards reversed."""
    for number in range(50):
        writer.write(line(number) + "  more\n" * (number % 3))
    found = forwards(opened(writer))
    assert [record.at_s for record in found] == [AT_S + number + 0.25 for number in range(50)]
    assert backwards(opened(writer)) == found[::-1]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(since_s=AT_S + 7), [7, 8, 9]),
        (Wanted(until_s=AT_S + 2), [0, 1]),
        (Wanted(since_s=AT_S + 3.25, until_s=AT_S + 4.25), [3, 4]),
        (Wanted(level=Level.WARNING), [4, 8]),
        (Wanted(level=Level.ERROR), [8]),
        (Wanted(contains=("line 5",)), [5]),
        (Wanted(contains=("run: line 3", "line 6", "line")), [*range(9)]),
        (Wanted(contains=("run: line 3", "line 6")), [3, 6]),
        (Wanted(contains=("ERROR",)), [9]),
        (Wanted(loggers=("gateway",)), list(range(10))),
        (Wanted(loggers=("gate", "gateway.runs")), []),
        (Wanted(session="s"), []),
    ],
)
def test_only_what_is_wanted_is_given(writer: Writer, wanted: Wanted, numbers: list[int]) -> None:
    """In both directions, and of what is added; a level that stands in a text counts for nothing."""
    log = opened(writer, wanted, is_following=True)
    levels = {4: "WARNING", 8: "CRITICAL"}
    texts = {9: "not an ERROR"}
    for number in range(10):
        writer.write(line(number, texts.get(number, ""), levels.get(number, "INFO")))
    expected = [AT_S + number + 0.25 for number in numbers]
    assert [record.at_s for record in forwards(opened(writer, wanted))] == expected
    assert [record.at_s for record in backwards(opened(writer, wanted))] == expected[::-1]
    assert [record.at_s for record in log.added() or ()] == expected


def test_what_is_added_comes_once(writer: Writer) -> None:
    """What was there when the reading began is not news."""
    writer.write(line(1))
    log = opened(writer, is_following=True)
    assert [record.text for record in forwards(log)] == ["line 1"]
    assert fresh(log) == []
    writer.write(line(2) + line(3))
    assert fresh(log) == ["line 2", "line 3"]
    assert fresh(log) == []


def test_half_a_line_is_not_there_for_who_follows(writer: Writer) -> None:
    """It comes when it is whole; who does not follow sees what there is."""
    writer.write(line(1) + "2026-11-23 09:00:02,250 INFO x: ha")
    log = opened(writer, is_following=True)
    assert [record.text for record in forwards(log)] == ["line 1"]
    assert [record.text for record in forwards(opened(writer))] == ["line 1", "ha"]
    assert fresh(log) == []
    writer.write("lf\n2026")
    assert fresh(log) == ["half"]


def test_a_log_may_appear_later(writer: Writer) -> None:
    """From its first line on."""
    log = opened(writer, is_following=True)
    writer.write(line(1))
    assert fresh(log) == ["line 1"]


def test_printed_lines_are_records_of_their_own(writer: Writer) -> None:
    """They seldom say when they were written, and a traceback is one."""
    writer.print(
        "starting\nWARNING gateway.run: odd\nTraceback (most recent call last):\n  File x\nKeyError: 1\nbye\n"
    )
    log = writer.reader.captured("coder", BOT)
    log.begin(Wanted(), share=1, is_following=False)
    found = forwards(log)
    assert [(record.level, record.logger, record.text.partition("\n")[0]) for record in found] == [
        (None, "", "starting"),
        (Level.WARNING, "gateway.run", "odd"),
        (None, "", "bye"),
    ]
    assert all(record.is_rough and record.source is Source.GATEWAY for record in found)


def test_the_daemons_records_belong_to_the_profile_they_name(writer: Writer) -> None:
    """Or to the machine."""
    writer.tell("2026-11-23T09:00:01.000Z INFO     hermesd.services.keeper profile=coder from=a to=b\n")
    writer.tell("2026-11-23T09:00:02.000Z WARNING  hermesd.app socket=x was taken\n")
    log = writer.reader.of_daemon()
    log.begin(Wanted(), share=1, is_following=False)
    assert [(one.profile, one.at_s, one.level, one.logger) for one in forwards(log)] == [
        ("coder", AT_S + 1, Level.INFO, "hermesd.services.keeper"),
        ("", AT_S + 2, Level.WARNING, "hermesd.app"),
    ]
    log.begin(Wanted(profiles=frozenset({"coder"})), share=1, is_following=False)
    assert [one.profile for one in forwards(log)] == ["coder"]


def test_records_hold_no_credential(writer: Writer) -> None:
    """Neither of a well-known shape nor of what the caller hides; and they are searched as they are."""
    token = f"1111:{'A' * 35}"
    writer.write(line(1).replace("line 1", f"{token} and open-sesame-7"))
    writer.print(f"ERROR x: {token} and open-sesame-7\n{token}: {'x' * 70_000}\n")
    hide = Mask({"A_PASSWORD": "open-sesame-7"})
    for is_printed in (False, True):
        for sought, count in ((token, 0), ("open-sesame-7", 0), ("1111:… and", 1), ("[A_PASSWORD…]", 1)):
            log = (
                writer.reader.captured("coder", BOT, hide)
                if is_printed
                else writer.reader.of_agent("coder", writer.home, FILE, hide)
            )
            log.begin(Wanted(contains=(sought,)), share=1, is_following=False)
            assert [record.text for record in forwards(log)] == ["1111:… and [A_PASSWORD…]"] * count
    log = writer.reader.captured("coder", BOT)
    log.begin(Wanted(), share=1, is_following=False)
    assert all("AAAA" not in record.text for record in backwards(log))


@pytest.mark.parametrize("beyond", range(0, 45, 4))
def test_a_credential_where_a_record_is_cut_is_not_half_told(writer: Writer, beyond: int) -> None:
    """Its beginning alone would not be known again."""
    writer.print(f"{'x' * (TEXT_LIMIT - beyond)} 1111:{'A' * 35} {'y' * 100}\n")
    log = writer.reader.captured("coder", BOT)
    log.begin(Wanted(), share=1, is_following=False)
    (record,) = forwards(log)
    assert "A" not in record.text
    assert "more bytes)" in record.text
