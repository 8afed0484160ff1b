"""The gateway machine's table, compared cell by cell with the recorded one, so that a diff shows each change."""

import pytest

from hermesd.domain.gateway import TABLE
from tests.tools import tables

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def test_machine_is_the_recorded_one() -> None:
    """Every cell does what `tests/domain/gateway_table.txt` says."""
    assert tables.RECORDED.read_text() == tables.render(), "if it is meant: python -m tests.tools.tables"


def test_every_state_is_recorded() -> None:
    """The recorded table has a section for each state, with a row for each event."""
    assert {gateway.state for gateway in tables.CANONICAL.values()} == set(TABLE)
    rows = len(next(iter(TABLE.values())))
    assert len(tables.render().splitlines()) == 2 + len(tables.CANONICAL) * (rows + 3)
