"""What a regular expression says letter by letter.

Owns: texts of which one stands in whatever the expression matches, so that somebody who may not run the expression
can leave out what cannot match. Must be certain: where it is not, there are no such texts.
"""

import re
from typing import NamedTuple

TOKEN = re.compile(
    r"(?P<unclear>\(\?[a-zA-Z-]+[:)]|\\[xuUN0-9])"  # flags, codes and references to groups
    r"|\\(?P<escaped>.)"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<optional>[*?]|\{[^{}]*\})"
    r"|(?P<letter>[^\\.^$+*?{}\[\]|()])"
    r"|(?P<special>.)",
    re.DOTALL,
)


class Literals(NamedTuple):
    """What is known of an expression."""

    needles: tuple[str, ...]
    """One of them stands in every match; empty if that cannot be said."""
    is_all: bool = False
    """Whether the expression matches wherever one of them stands."""


NOTHING = Literals(())


def literals(pattern: str) -> Literals:
    """The longest text of each alternative of a valid expression."""
    branches = [[""]]
    depth, is_all = 0, True
    for token in TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token.group()
        if kind == "unclear":
            return NOTHING
        runs = branches[-1]
        if text in "()" and kind == "special":
            depth += 1 if text == "(" else -1
        letter = _letter(token)
        if depth == 0 and text == "|":
            branches.append([""])
        elif depth == 0 and letter:
            runs[-1] += letter
        elif depth == 0 and kind == "optional":
            runs[-1] = runs[-1][:-1]
        if not letter and text != "|":
            is_all = False
            runs.append("")
    longest = tuple(max(runs, key=len) for runs in branches)
    return Literals(longest, is_all) if all(longest) else NOTHING


def _letter(token: "re.Match[str]") -> str:
    """The letter that a token stands for; empty if it stands for none, or for several."""
    escaped = token.group("escaped") or ""
    return token.group("letter") or ("" if escaped.isalnum() else escaped)
