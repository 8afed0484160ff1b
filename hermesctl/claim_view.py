"""How a claim is shown: what only one gateway at a time can use, who has it and who waits.

Owns: the words, columns and pages for claims, and the ways out of a contested one. Must not ask the daemon.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from hermesctl.errors import Fix
from hermesctl.gateway_view import CHANNEL_WAY_OUT, moment_long
from hermesctl.report import runnable
from hermesctl.selection import DEFAULT
from hermesctl.shapes import word
from hermesctl.tables import EMPTY, Colour, Column, page, paint
from hermesctl.terminal import Terminal
from hermesctl.text import clean, pad, width
from hermesd.v1 import claims_pb2 as v1

HAVING = frozenset({v1.CLAIM_STATE_HELD, v1.CLAIM_STATE_KEPT, v1.CLAIM_STATE_FOREIGN})
"""States in which nobody else can have it."""

FREE = "free"

_WHAT = {
    v1.CLAIM_KIND_BOT: "a bot",
    v1.CLAIM_KIND_LOGIN: "a login",
    v1.CLAIM_KIND_PORT: "a port",
}
_OWN = {
    v1.CLAIM_KIND_BOT: "a bot of its own",
    v1.CLAIM_KIND_LOGIN: "a login of its own",
    v1.CLAIM_KIND_PORT: "another port",
}
_FIXES = 4
"""Ways out that a page has room for."""


def columns(terminal: Terminal) -> list[Column[v1.Claim]]:
    """The columns of a list of claims."""
    return [
        Column("", symbol, colour=colour),
        Column("PLATFORM", lambda one: one.platform),
        Column("CLAIM", lambda one: one.masked),
        Column("STATE", state_words, colour=colour),
        Column("HOLDER", lambda one: holder_name(one) or EMPTY),
        Column("WAITING", lambda one: ", ".join(_named(one, v1.CLAIM_STATE_WAITING)) or EMPTY),
        Column("IDLE", lambda one: ", ".join(_named(one, v1.CLAIM_STATE_IDLE)) or EMPTY),
        Column("KIND", lambda one: word(v1.ClaimKind.DESCRIPTOR, one.kind), is_wide=True),
        Column("PID", lambda one: _pid(holder(one)) or EMPTY, is_number=True, is_wide=True),
        Column("SOURCE", lambda one: ", ".join(_sources(one)) or EMPTY, is_wide=True),
    ]


def holder(claim: v1.Claim) -> v1.ClaimUse | None:
    """Who has it; `None` if it is free."""
    return next((use for use in claim.uses if use.state in HAVING), None)


def is_contested(claim: v1.Claim) -> bool:
    """Whether more than one would have it."""
    return len(claim.uses) > 1


def name(claim: v1.Claim) -> str:
    """What `claims show` finds it by."""
    return str(claim.port) if claim.kind == v1.CLAIM_KIND_PORT else claim.masked.partition("…")[0]


def words(claim: v1.Claim) -> str:
    """What it is in a sentence: "telegram sha256:ab12…9f"."""
    return f"{claim.platform} {claim.masked}".strip()


def state_words(claim: v1.Claim) -> str:
    """Whether somebody has it, and whether more than one would."""
    use = holder(claim)
    state = word(v1.ClaimState.DESCRIPTOR, use.state) if use else FREE
    return f"{state}, contested" if is_contested(claim) else state


def symbol(claim: v1.Claim) -> str:
    """The same at a glance."""
    if is_contested(claim):
        return "◆"
    return "●" if holder(claim) else "○"


def colour(claim: v1.Claim) -> Colour | None:
    """The same in colour."""
    if is_contested(claim):
        return Colour.YELLOW
    return Colour.GREEN if holder(claim) else Colour.DIM


def holder_name(claim: v1.Claim) -> str:
    """Who has it; empty if nobody has."""
    use = holder(claim)
    if use is None:
        return ""
    return use.holder or use.profile or "somebody"


def pages(claims: Sequence[v1.Claim], terminal: Terminal, root: Path) -> str:
    """Claims in detail, with what can be done where more than one would have it; `root` is the Hermes root."""
    return "\n".join(_page(one, terminal, root) for one in claims)


def ways_out(claim: v1.Claim, root: Path) -> list[Fix]:
    """What ends a contest: whoever has it stops, or the others get something of their own."""
    if not is_contested(claim):
        return []
    first, *others = claim.uses
    found = _ending(first) if first.state in HAVING else []
    own = [_own(claim, use, root) for use in others if use.profile and use.source]
    return (found + own)[:_FIXES]


def _ending(use: v1.ClaimUse) -> list[Fix]:
    if use.state != v1.CLAIM_STATE_FOREIGN:
        return [Fix(f"hermesctl gateway stop {use.profile}", f"stop the gateway of {use.profile}")]
    return [Fix(f"ps -fp {use.pid}", "see who has it")] if use.pid else []


def _own(claim: v1.Claim, use: v1.ClaimUse, root: Path) -> Fix:
    """How a profile gets something of its own: in the file that names it, or by the agent's own setup."""
    text = f"give {use.profile} {_OWN.get(claim.kind, 'its own')} ({use.source})"
    if not use.file:
        return Fix(CHANNEL_WAY_OUT.format(profile=use.profile), text)
    home = root if use.profile == DEFAULT else root / "profiles" / use.profile
    return Fix(f"${{EDITOR:-vi}} {shlex.quote(str(home / use.file))}", text)


def _page(claim: v1.Claim, terminal: Terminal, root: Path) -> str:
    has_colour = terminal.has_colour(terminal.stdout)
    mark, state = (
        paint(text, colour(claim), has_colour=has_colour) for text in (symbol(claim), state_words(claim))
    )
    use = holder(claim)
    waiting = [one for one in claim.uses if one.state == v1.CLAIM_STATE_WAITING]
    idle = [one for one in claim.uses if one.state == v1.CLAIM_STATE_IDLE]
    fields = [
        ("What", f"{_WHAT.get(claim.kind, 'something')} of {claim.platform}, for one gateway at a time"),
        ("Has it", _use(use) if use else "nobody"),
        *((f"Waits {place}." if len(waiting) > 1 else "Waits", _waiter(one, terminal))
          for place, one in enumerate(waiting, start=1)),
        *(("Idle", _use(one)) for one in idle),
        ("Next", _next(use, waiting)),
    ]  # fmt: skip
    text = page(f"{mark} {clean(words(claim))} · {state}", fields, columns=terminal.columns)
    return text + _fix_lines(ways_out(claim, root), terminal)


def summary(claim: v1.Claim, profile: str) -> str:
    """What it is and what a profile has of it, in a few words."""
    states = [word(v1.ClaimState.DESCRIPTOR, use.state) for use in claim.uses if use.profile == profile]
    return f"{words(claim)} ({', '.join(states)})"


def _use(use: v1.ClaimUse) -> str:
    """A profile with what it has; somebody else in words, which say the process themselves."""
    if use.holder:
        return use.holder + (f" · {use.source}" if use.source else "")
    pid = f"pid {use.pid}" if use.pid else ""
    kept = "comes back by itself and gets it again" if use.state == v1.CLAIM_STATE_KEPT else ""
    return " · ".join(part for part in (use.profile or "somebody", pid, kept, use.source) if part)


def _waiter(use: v1.ClaimUse, terminal: Terminal) -> str:
    since = f"wanted since {moment_long(terminal, use.wanted_since)}" if use.HasField("wanted_since") else ""
    return " · ".join(part for part in (use.profile, since, use.source) if part)


def _next(use: v1.ClaimUse | None, waiting: Sequence[v1.ClaimUse]) -> str:
    if not waiting:
        return ""
    first = waiting[0].profile
    if use is None:
        return f"{first} is started as soon as all that it needs is free"
    return f"{first} gets it by itself, once {use.profile or 'whoever has it'} lets go of it"


def _named(claim: v1.Claim, state: v1.ClaimState.ValueType) -> list[str]:
    return [use.profile for use in claim.uses if use.state == state]


def _pid(use: v1.ClaimUse | None) -> str:
    return str(use.pid) if use is not None and use.pid else ""


def _sources(claim: v1.Claim) -> list[str]:
    return list(dict.fromkeys(use.source for use in claim.uses if use.source))


def _fix_lines(fixes: Sequence[Fix], terminal: Terminal) -> str:
    texts = [clean(fix.text) for fix in fixes]
    widest = max((width(text) for text in texts), default=0)
    label = paint("fix:", Colour.GREEN, has_colour=terminal.has_colour(terminal.stdout))
    labels = [label, *["    "] * (len(fixes) - 1)]
    return "".join(
        f"  {label} {pad(text, widest)}     {clean(runnable(fix.command, terminal))}\n"
        for label, text, fix in zip(labels, texts, fixes, strict=False)
    )
