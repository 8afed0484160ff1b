"""What becomes of a bundled skill: every state there can be."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from hermesd.domain.skills import (
    UNKNOWABLE,
    WRITES,
    Decision,
    Line,
    Provider,
    SkillState,
    SkillSync,
    Version,
    decide,
    line_after,
    settled,
)
from tests.tools.tables import skills_table

pytestmark = [pytest.mark.fast, pytest.mark.domain]

OLD, NEW, EDITED = Version("old", "old"), Version("new", "new"), Version("edited", "edited")
NOTES = {Decision.RECORD, Decision.PIN}
"""Decisions that change the manifest alone."""

TABLE = Path(__file__).parent / "skills_table.txt"


def states() -> Iterator[SkillState]:
    """Every combination of everything."""
    versions = (None, OLD, NEW, EDITED, UNKNOWABLE)
    flags = (False, True)
    for line, origin, copy, bundled, out, put_away, reach, provider in product(
        Line, (None, OLD, NEW), versions, (None, OLD, NEW), flags, flags, flags, Provider
    ):
        yield SkillState(line, origin, copy, bundled, out, put_away, reach, provider)


def carried_out(state: SkillState) -> SkillState:
    """The state after what was decided has been done."""
    decision = decide(state)
    assert state.bundled is not None
    after = replace(state, copy=state.bundled if decision in {Decision.ADD, Decision.UPDATE} else state.copy)
    if decision is Decision.YIELD:
        return replace(after, copy=None, line=Line.NONE, origin=None)
    return replace(after, line=Line.FULL, origin=state.bundled)


def test_the_table_is_what_the_code_does() -> None:
    """The whole of it as text, for those who read it; `python -m tests.tools.tables` writes it."""
    assert TABLE.read_text() == skills_table()


def test_every_state_is_decided_about() -> None:
    """And every decision is come to."""
    assert {decide(state) for state in states()} == set(Decision)


def test_nothing_of_a_person_is_ever_replaced() -> None:
    """Whatever is replaced is what was installed; whatever is removed, what is bundled."""
    for state in states():
        decision = decide(state)
        if decision is Decision.UPDATE:
            assert state.copy is not None
            assert state.origin is not None
            assert state.copy.matches(state.origin)
        if decision is Decision.YIELD:
            assert state.copy == state.bundled
        if decision is Decision.ADD:
            assert state.copy is None


def test_nothing_that_was_deleted_comes_back() -> None:
    """Whatever was installed once, by the manifest or by our own record."""
    for state in states():
        if state.copy is None and (state.line is not Line.NONE or state.origin is not None):
            assert decide(state) not in WRITES


def test_nothing_is_done_where_nobody_wants_it() -> None:
    """Opted out, suppressed or out of reach."""
    for state in states():
        if state.is_opted_out or state.is_suppressed or not state.is_within_reach:
            assert decide(state) not in WRITES | NOTES


def test_one_sync_is_enough() -> None:
    """What was decided once more after it was done is that nothing is to be done, as foretold."""
    for state in states():
        decision = decide(state)
        if decision in WRITES | NOTES:
            again = decide(carried_out(state))
            assert again not in WRITES | NOTES
            if decision is not Decision.PIN or state.provider is not Provider.HUB:
                assert again is settled(decision)


def test_an_edit_that_hermes_agent_would_lose_is_pinned() -> None:
    """Of a bare line it takes whatever is there for what was installed; a hash of something else protects it."""
    state = SkillState(Line.BARE, None, EDITED, NEW)
    assert decide(state) is Decision.PIN
    assert line_after(Decision.PIN, NEW) == NEW.md5 != EDITED.md5


def test_equal_md5_is_not_enough() -> None:
    """It has no separators: a file `a` of `bc` is like a file `ab` of `c`."""
    moved = Version(OLD.md5, "moved")
    assert decide(SkillState(Line.FULL, OLD, moved, NEW)) is Decision.CONFLICT
    assert decide(SkillState(Line.FULL, Version(OLD.md5), moved, NEW)) is Decision.UPDATE


@pytest.mark.parametrize(
    ("decisions", "told"),
    [
        ([Decision.UNCHANGED, Decision.KEEP_DELETED, Decision.ORPHAN, Decision.SUPPRESSED], "up to date"),
        ([], "up to date"),
        ([Decision.ADD, Decision.ADD], "+2 new"),
        ([Decision.ADD, Decision.ADD, Decision.KEEP_EDITED], "+2 new, 1 edited kept"),
        ([Decision.UPDATE, Decision.PIN, Decision.CONFLICT], "1 updated, 1 edited kept, 1 in conflict kept"),
        ([Decision.YIELD], "1 left to an external directory"),
        ([Decision.OUT_OF_REACH], "1 out of reach"),
        ([Decision.OPTED_OUT], "opted out"),
    ],
)
def test_a_sync_is_summed_up(decisions: list[Decision], told: str) -> None:
    """In a few words."""
    sync = SkillSync({f"skill-{number}": decision for number, decision in enumerate(decisions)})
    assert sync.summary == told
    assert sync.has_changes == bool(WRITES & set(decisions))
