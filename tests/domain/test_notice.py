"""What a process may say in a datagram, and what of it counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.notice import LONGEST_NOTICE, LONGEST_STATUS, Notice, parse_notice

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def parsed(data: bytes) -> Notice | None:
    """What process 7 says with it."""
    return parse_notice(data, 7, 70)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"READY=1", Notice(7, 70, is_ready=True)),
        (b"WATCHDOG=1\n", Notice(7, 70, is_alive=True)),
        (b"STOPPING=1", Notice(7, 70, is_stopping=True)),
        (b"READY=1\nSTATUS=Gateway  running\n", Notice(7, 70, is_ready=True, status="Gateway running")),
        (b"STATUS=", Notice(7, 70, status="")),
        (b"STATUS=a=b", Notice(7, 70, status="a=b")),
        (b"MAINPID=1\nREADY=1\nFDSTORE=1", Notice(7, 70, is_ready=True)),
    ],
)
def test_what_counts_is_understood(data: bytes, said: Notice) -> None:
    """Whatever else stands there."""
    assert parsed(data) == said


@pytest.mark.parametrize(
    "data", [b"", b"READY", b"READY=0", b"WATCHDOG=trigger", b" READY=1", b"MAINPID=4", b"\xff\x00", b"=1\n=\n"]
)
def test_what_does_not_count_says_nothing(data: bytes) -> None:
    """Nobody is ready by it."""
    assert parsed(data) is None


def test_a_datagram_that_is_too_long_says_nothing() -> None:
    """What was cut off may have said the opposite."""
    assert parsed(b"READY=1\n".ljust(LONGEST_NOTICE + 1, b"x")) is None


def test_a_status_is_one_bounded_line_of_printable_characters() -> None:
    """It is shown on terminals."""
    said = parsed(b"STATUS=\x1b[31mred\x07 \xff" + b"y" * 1000)
    assert said is not None
    assert said.status is not None
    assert said.status.isprintable()
    assert len(said.status) == LONGEST_STATUS


@given(st.binary(max_size=200))
def test_nothing_that_is_sent_can_do_harm(data: bytes) -> None:
    """Whatever it is, it is understood or not."""
    said = parsed(data)
    assert said is None or (said.pid, said.start_ticks) == (7, 70)
