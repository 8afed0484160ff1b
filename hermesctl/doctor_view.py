"""How findings are shown.

Owns: their order, symbols and words. Must not ask the daemon.
"""

from collections.abc import Sequence
from itertools import groupby

from hermesctl.session import Session
from hermesctl.tables import GAP, Colour, paint
from hermesctl.text import clean, fold, pad, width
from hermesd.v1 import doctor_pb2 as v1

MACHINE = "machine"
"""What stands above what concerns no profile."""

ERROR, WARNING, MENDED, FINE = range(4)
"""The kinds, in their order."""

SHOWN = {
    ERROR: ("✗", "error", Colour.RED),
    WARNING: ("!", "warning", Colour.YELLOW),
    MENDED: ("✓", "mended", Colour.GREEN),
    FINE: ("✓", "fine", Colour.GREEN),
}

WORD_COLUMNS = max(len(word) for _, word, _ in SHOWN.values())
HEAD_COLUMNS = len(GAP) + 2 + WORD_COLUMNS + len(GAP)
"""Indentation, symbol and word."""


def has_errors(findings: Sequence[v1.Finding]) -> bool:
    """Whether something does not work, still."""
    return any(_kind(one) == ERROR for one in findings)


def text(session: Session, findings: Sequence[v1.Finding]) -> str:
    """Findings by profile, problems first; what is fine in one line, or not at all if the person wants quiet."""
    lines: list[str] = []
    columns = max((width(clean(one.check)) for one in findings), default=0)
    for profile, group in groupby(findings, lambda one: one.profile):
        told = sorted(group, key=_kind)
        shown = [one for one in told if _kind(one) != FINE]
        fine = [clean(one.check) for one in told if _kind(one) == FINE]
        if session.is_quiet and not shown:
            continue
        lines.append(clean(profile or MACHINE))
        for one in shown:
            lines.extend(_lines(session, one, columns))
        if fine and not session.is_quiet:
            names = fold(", ".join(fine), session.terminal.columns, HEAD_COLUMNS)
            lines.append(f"  {_head(session, FINE)}  {names}")
    return "".join(f"{line}\n" for line in lines)


def _lines(session: Session, found: v1.Finding, columns: int) -> list[str]:
    indent = HEAD_COLUMNS + columns + len(GAP)
    told = fold(clean(found.message), session.terminal.columns, indent)
    head = f"  {_head(session, _kind(found))}  {pad(clean(found.check), columns)}  {told}"
    if not found.fix or found.is_fixed:
        return [head]
    terminal = session.terminal
    label = paint("fix:", Colour.GREEN, has_colour=terminal.has_colour(terminal.stdout))
    return [head, f"    {label} {clean(session.runnable(found.fix))}"]


def _head(session: Session, kind: int) -> str:
    symbol, word, colour = SHOWN[kind]
    has_colour = session.terminal.has_colour(session.terminal.stdout)
    return paint(f"{symbol} {pad(word, WORD_COLUMNS)}", colour, has_colour=has_colour)


def _kind(found: v1.Finding) -> int:
    """A severity of a newer daemon is at least worth a look."""
    if found.is_fixed:
        return MENDED
    kinds = {v1.SEVERITY_ERROR: ERROR, v1.SEVERITY_FINE: FINE}
    return kinds.get(found.severity, WARNING)
