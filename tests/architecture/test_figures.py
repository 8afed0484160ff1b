"""The figures of `tests/README.md` count what they say."""

import pytest

from tests.tools.figures import measure, spread

pytestmark = [pytest.mark.fast, pytest.mark.domain]

TEXT = '''"""A module.

Two more lines.
"""

import time


def outer() -> None:
    # why
    time.sleep(1)  # twice

    def inner() -> str:
        """Says it."""
        return "# no comment"
'''


def test_each_kind_of_line_is_counted() -> None:
    """A hash in a string is no comment, and a function inside another one counts as well."""
    found = measure([TEXT, ""])
    assert (found.files, found.functions) == ([15, 0], [7, 3])
    assert (found.comments, found.docstrings, found.sleeps) == (2, 5, 1)


def test_a_spread_has_middle_tail_and_end() -> None:
    """The 90th percentile is a length that occurs."""
    assert spread([*range(1, 11)]) == "6 / 10 / 10"
    assert spread([7]) == "7 / 7 / 7"
