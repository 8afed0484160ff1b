"""What lines of logs say, and where records begin."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from hermesd.domain.logs import (
    WORDS_KEPT,
    Level,
    Moments,
    Parser,
    Record,
    Source,
    Wanted,
    first_start,
    last_start,
    starts_of_printed,
    starts_of_timed,
    touched,
)

pytestmark = [pytest.mark.fast, pytest.mark.domain]

KNOWN_BY_S = 7.0
BEGAN = "2026-11-23 09:00:01,250 "
BEGAN_S = datetime(2026, 11, 23, 9, 0, 1, 250_000, UTC).timestamp()


def moments() -> Moments:
    """Local time is UTC's."""
    return Moments(lambda moment: moment.replace(tzinfo=UTC).timestamp())


def parsed(text: str, *, is_timed: bool = True, source: Source = Source.AGENT) -> list[Record]:
    """The records of a text."""
    parser = Parser("coder", source, moments(), is_timed)
    data = text.encode()
    starts = parser.starts(data)
    ends = [*starts[1:], len(data)]
    return [parser.parse(data, start, end, KNOWN_BY_S) for start, end in zip(starts, ends, strict=False)]


@pytest.mark.parametrize(
    ("line", "level", "logger", "session", "text"),
    [
        ("INFO gateway.run: up", Level.INFO, "gateway.run", "", "up"),
        ("WARNING [s-1] agent: odd: it is", Level.WARNING, "agent", "s-1", "odd: it is"),
        ("CRITICAL x: ", Level.CRITICAL, "x", "", ""),
        ("ERROR x:", Level.ERROR, "x", "", ""),
        ("INFO     hermesd.app pid=7", Level.INFO, "hermesd.app", "", "pid=7"),
        ("WARN x: [not a session] y", Level.WARNING, "x", "", "[not a session] y"),
        ("FATAL x: y", Level.CRITICAL, "x", "", "y"),
        ("NOTICE x: y", None, "", "", "NOTICE x: y"),
        ("it said ERROR x: y", None, "", "", "it said ERROR x: y"),
        ("ERROR", None, "", "", "ERROR"),
    ],
)
def test_parts_stand_in_their_place(line: str, level: Level | None, logger: str, session: str, text: str) -> None:
    """A level is a level only behind the time, and a session only before the logger."""
    (found,) = parsed(f"{BEGAN}{line}\n")
    assert (found.at_s, found.is_rough) == (BEGAN_S, False)
    assert (found.level, found.logger, found.session, found.text) == (level, logger, session, text)


@pytest.mark.parametrize(
    ("moment", "at_s"),
    [
        ("2026-11-23 09:00:01", BEGAN_S - 0.25),
        ("2026-11-23 09:00:01.5", BEGAN_S + 0.25),
        ("2026-11-23T09:00:01.250000Z", BEGAN_S),
        ("2026-11-23T11:00:01,250+02:00", BEGAN_S),
        ("2026-11-23T03:30:01,250-05:30", BEGAN_S),
    ],
)
def test_times_are_read_with_their_zone(moment: str, at_s: float) -> None:
    """Without one they are local."""
    for text in (f"{moment} INFO x: y\n", f"{moment} y\n"):
        (found,) = parsed(text, is_timed=False)
        assert (found.at_s, found.is_rough, found.text) == (at_s, False, "y")


def test_a_moment_that_never_was_is_none() -> None:
    """It is known by when it had been written."""
    for text in ("2026-02-31 09:00:01,250 INFO x: y\n", "2026-02-31 09:00:01,250 y\n"):
        (found,) = parsed(text)
        assert (found.at_s, found.is_rough, found.text) == (KNOWN_BY_S, True, "y")


def test_lines_without_a_time_belong_to_the_one_before() -> None:
    """However they look; and those that were parted from it have its time and level."""
    parser = Parser("coder", Source.AGENT, moments(), is_timed=True)
    head, more = f"{BEGAN}ERROR x: y\n".encode(), b"ERROR z: more\r\n2026\n"
    assert starts_of_timed(head + more + head) == [0, len(head + more)]
    whole = parser.parse(head + more, 0, len(head + more), KNOWN_BY_S)
    assert whole.text == "y\nERROR z: more\n2026"
    parted = parser.parse(more, 0, len(more), KNOWN_BY_S)
    assert parted == whole._replace(is_rough=True, text="ERROR z: more\n2026")
    fresh = Parser("coder", Source.AGENT, moments(), is_timed=True)
    assert fresh.parse(more, 0, len(more), KNOWN_BY_S).at_s == KNOWN_BY_S


@pytest.mark.parametrize(
    ("lines", "firsts"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "  b", "", "c"], ["a", "c"]),
        (["  a", "b"], ["  a", "b"]),
        (["INFO x: a", "Traceback (most recent call last):", "  F", "E: 1", "b"], ["INFO x: a", "b"]),
        (
            ["a", "Traceback (most recent call last):", "  F", "E", "b"],
            ["a", "Traceback (most recent call last):", "b"],
        ),
        (
            [
                "Traceback (most recent call last):",
                "  F",
                "E",
                "",
                "During handling of the above exception, another exception occurred:",
                "",
                "Traceback (most recent call last):",
                "  F",
                "E",
                "b",
            ],
            ["Traceback (most recent call last):", "b"],
        ),
    ],
)
def test_printed_lines_begin_records_but_for_tracebacks(lines: Sequence[str], firsts: Sequence[str]) -> None:
    """What is indented, and what a traceback consists of, belongs to what is before it."""
    data = "".join(f"{line}\n" for line in lines).encode()
    assert [data[start:].partition(b"\n")[0].decode() for start in starts_of_printed(data)] == list(firsts)


def test_printed_records_say_how_grave_they_are() -> None:
    """By their first word, or by being a traceback; not by what stands in them."""
    found = parsed(
        "WARNING [s] x.y: odd\nan ERROR x: y\nTraceback (most recent call last):\n  F\nE\n", is_timed=False
    )
    assert [(one.level, one.logger, one.session) for one in found] == [
        (Level.WARNING, "x.y", "s"),
        (None, "", ""),
        (Level.ERROR, "", ""),
    ]
    assert all(one.is_rough and one.at_s == KNOWN_BY_S for one in found)


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("profile=coder from=a", "coder"),
        ("x=1 profile=my-bot_2", "my-bot_2"),
        ("notprofile=coder", ""),
        ("profile=Coder", ""),
    ],
)
def test_the_daemon_names_profiles(text: str, profile: str) -> None:
    """As a fact of its own."""
    (found,) = parsed(f"{BEGAN}INFO x {text}\n{''}", source=Source.DAEMON)
    assert found.profile == profile
    (plain,) = parsed(f"{BEGAN}{text}\n", source=Source.DAEMON)
    assert plain.profile == profile


@pytest.mark.parametrize(
    ("data", "timed", "printed"),
    [
        ("cut line\n2026-11-23 09:00:01 x\n", 9, 9),
        ("cut line\n  more\nplain\nINFO x: y\n", None, 22),
        ("cut line\n  more\nplain\n", None, 16),
        ("cut line", None, None),
        ("cut line\n", None, None),
        ("cut line\n  more\n", None, None),
    ],
)
def test_records_are_found_in_the_middle_of_a_text(data: str, timed: int | None, printed: int | None) -> None:
    """The first line may be the end of one."""
    assert first_start(data.encode(), is_timed=True) == timed
    assert first_start(data.encode(), is_timed=False) == printed


def test_the_last_record_is_found_from_behind() -> None:
    """What only looks like a time is none."""
    data = f"{BEGAN}a\n{BEGAN}b\n2026 was\n20".encode()
    assert last_start(data) == data.rindex(b"2026-11")
    assert last_start(b"a\n2026\n") == 0


def test_records_are_touched_once() -> None:
    """However often a text stands in them, and where several do, in order."""
    assert touched(b"aXX\nb\ncX\ndY\n", [0, 4, 6, 9], [b"Y", b"X"]) == [0, 2, 3]
    assert touched(b"a\n", [0], [b"X"]) == []


@pytest.mark.parametrize(
    ("wanted", "needles"),
    [
        (Wanted(contains=("[A_KEY…]", "odd")), ()),
        (Wanted(), ()),
        (Wanted(level=Level.INFO), ()),
        (Wanted(level=Level.CRITICAL), (b"CRITICAL", b"FATAL", b"Traceback (most recent call last):")),
        (Wanted(session="s-1"), (b"s-1",)),
        (Wanted(contains=("ab", "abc: defg"), session="s-1"), (b"ab", b" defg")),
        (Wanted(contains=("a", ":\n"), session="s-1"), (b"s-1",)),
        (Wanted(contains=("a\ufffd",)), (b"a",)),
    ],
)
def test_needles_stand_in_the_bytes(wanted: Wanted, needles: tuple[bytes, ...]) -> None:
    """What parsing adds or replaces is not looked for in them."""
    assert wanted.needles == needles


@pytest.mark.parametrize(
    ("wanted", "is_accepted"),
    [
        (Wanted(loggers=("gateway",)), True),
        (Wanted(loggers=("a", "gateway.run")), True),
        (Wanted(loggers=("gateway.r",)), False),
        (Wanted(contains=("run: up",)), True),
        (Wanted(contains=("run:up",)), False),
        (Wanted(contains=("no", "up")), True),
        (Wanted(profiles=frozenset({"worker"})), False),
        (Wanted(session="-1"), True),
    ],
)
def test_what_is_wanted_is_accepted(wanted: Wanted, is_accepted: bool) -> None:
    """By the parts of the record, and what it tells."""
    (found,) = parsed(f"{BEGAN}INFO [s-1] gateway.run: up\n")
    assert wanted.accepts(found) is is_accepted
    assert Wanted(contains=("plain",)).accepts(parsed("plain", is_timed=False)[0])


def test_words_are_remembered_in_bounded_number() -> None:
    """A log with ever new sessions fills no memory."""
    text = "".join(f"{BEGAN}INFO [s{number}] x: y\n" for number in range(2 * WORDS_KEPT))
    assert [one.session for one in parsed(text)] == [f"s{number}" for number in range(2 * WORDS_KEPT)]
