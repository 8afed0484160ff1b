"""What a regular expression says letter by letter.

Owns: a text that stands in whatever the expression matches, so that somebody who may not run the expression can
leave out what cannot match. Must be certain: where it is not, there is no such text.
"""

from typing import NamedTuple

BREAKING = frozenset(".^$+")
OPTIONAL = frozenset("*?")
UNCLEAR = frozenset("|()[]{}")
CODES = frozenset("xuUN0123456789")
"""Letters after a backslash whose meaning goes on behind them."""


class Literals(NamedTuple):
    """What is known of an expression."""

    needle: str
    """Stands in every match; empty if that cannot be said."""
    is_all: bool
    """Whether the expression matches wherever the needle stands."""


def literals(pattern: str) -> Literals:
    """The longest text that every match contains."""
    runs = [""]
    is_all = True
    letters = iter(pattern)
    for letter in letters:
        if letter in UNCLEAR:
            return Literals("", False)
        if letter == "\\":
            escaped = next(letters, "")
            if escaped in CODES:
                return Literals("", False)
            if escaped.isalnum():
                is_all = False
                runs.append("")
            else:
                runs[-1] += escaped
        elif letter in BREAKING or letter in OPTIONAL:
            is_all = False
            if letter in OPTIONAL:
                runs[-1] = runs[-1][:-1]
            runs.append("")
        else:
            runs[-1] += letter
    longest = max(runs, key=len)
    return Literals(longest, is_all and bool(longest))
