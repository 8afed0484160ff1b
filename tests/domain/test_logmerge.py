"""Several logs as one."""

from random import Random

import pytest

from hermesd.domain import logmerge
from hermesd.domain.logmerge import WINDOW_S, Duplicates, Merge, added
from hermesd.domain.logs import Record, Source

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def record(at_s: float, text: str = "", source: Source = Source.AGENT) -> Record:
    """A record of `coder`."""
    return Record("coder", source, at_s, False, None, "x", "", text or f"at {at_s}")


class Pieces:
    """A log in pieces."""

    def __init__(self, *pieces: list[Record]) -> None:
        self._pieces = list(pieces)

    def next(self) -> list[Record] | None:
        """The next one."""
        return self._pieces.pop(0) if self._pieces else None


def merged(*logs: Pieces, is_backward: bool = False) -> list[Record]:
    """All of them as one."""
    merge = Merge(logs, Duplicates(), is_backward=is_backward)
    found: list[Record] = []
    while (records := merge.step()) is not None:
        found += records
    return found


def pieces(rng: Random, records: list[Record]) -> Pieces:
    """The records cut anywhere, with empty pieces among them."""
    cuts = sorted(rng.choices(range(len(records) + 1), k=5))
    return Pieces(*(records[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True)))


@pytest.mark.parametrize("is_backward", [False, True])
def test_order_is_that_of_times(rng: Random, is_backward: bool) -> None:
    """However logs are cut into pieces, in both directions."""
    logs = [
        sorted((record(rng.random(), f"{number}-{n}") for n in range(50)), key=lambda one: one.at_s)
        for number in range(4)
    ]
    if is_backward:
        logs = [log[::-1] for log in logs]
    expected = sorted((one for log in logs for one in log), key=lambda one: one.at_s, reverse=is_backward)
    assert merged(*(pieces(rng, log) for log in logs), is_backward=is_backward) == expected


def test_a_log_keeps_its_own_order() -> None:
    """A clock that was set back reorders nothing that one program wrote."""
    own = [record(5), record(9), record(3), record(10)]
    assert merged(Pieces(own)) == own
    found = merged(Pieces(own[:2], own[2:]), Pieces([record(4), record(9.5)]))
    assert [one.at_s for one in found] == [4, 5, 9, 3, 9.5, 10]


def test_no_logs_are_no_records() -> None:
    """Nor are empty ones."""
    assert merged() == merged(Pieces()) == merged(Pieces([]), Pieces()) == []


def test_a_record_in_several_files_is_told_once() -> None:
    """The copies may say their time less exactly."""
    errors = [record(1, "odd", Source.ERRORS), record(2, "bad", Source.ERRORS)]
    printed = [
        record(5, "banner", Source.GATEWAY),
        record(5, "odd", Source.GATEWAY),
        record(5, "bad", Source.GATEWAY),
    ]
    found = merged(
        Pieces([record(1, "odd"), record(2, "bad"), record(3, "fine")]), Pieces(errors), Pieces(printed)
    )
    assert [(one.at_s, one.text) for one in found] == [(1, "odd"), (2, "bad"), (3, "fine"), (5, "banner")]


def test_what_repeats_is_told_as_often_as_it_was_said() -> None:
    """By the file that has it most often, which may begin with any copy."""
    found = merged(
        Pieces([record(1, "again"), record(2, "again")]),
        Pieces([record(1.5, "again", Source.GATEWAY)] * 3),
    )
    assert len(found) == 3


def test_the_same_words_much_later_are_news() -> None:
    """Two files have one record only if it can be one."""
    later = 1 + WINDOW_S + 0.1
    assert len(merged(Pieces([record(1, "again")]), Pieces([record(later, "again")]))) == 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten."""
    monkeypatch.setattr(logmerge, "SEEN_MOST", 4)
    duplicates = Duplicates()
    assert all(duplicates.is_new(record(1, str(number)), 0) for number in range(9))
    assert not duplicates.is_new(record(1, "8"), 1)
    assert duplicates.is_new(record(1, "0"), 1)


def test_news_of_several_logs_are_in_order() -> None:
    """And told once, also where one file has them later than the other."""
    duplicates = Duplicates()
    assert added([[record(2, "b")], [record(1, "a")]], duplicates) == [record(1, "a"), record(2, "b")]
    assert added([[record(1.1, "a")], []], duplicates) == []
