"""How the plan for a new profile is shown.

Owns: its lines. Must not ask the daemon.
"""

from collections.abc import Iterable
from itertools import groupby

from hermesctl.text import clean
from hermesd.v1 import profiles_pb2 as v1

VERB_WIDTH = 5


def page(plan: v1.CreationPlan, source: str) -> str:
    """The whole plan, and what the new profile would share with others."""
    told = f"{heading(plan, source)}  path   {clean(plan.path)}\n{steps(plan.steps)}"
    told += "".join(f"! shared with {names}: {variables}\n" for names, variables in _shared(plan.shared))
    return told + "".join(f"! {_grant(one)}\n" for one in plan.grants)


def heading(plan: v1.CreationPlan, source: str) -> str:
    """What it is a plan for; `source` is what is cloned, empty for a blank profile."""
    origin = f", a clone of '{clean(source)}'" if source else ""
    return f"plan for new profile '{clean(plan.profile)}'{origin}\n"


def steps(found: Iterable[v1.PlanStep]) -> str:
    """A line for each step, or for several of one kind where each is but a word or two."""
    lines: list[str] = []
    for verb, group in groupby(found, key=lambda one: one.verb):
        phrases = [clean(one.what) for one in group]
        short = [phrase for phrase in phrases if not _is_sentence(phrase)]
        long = [phrase for phrase in phrases if _is_sentence(phrase)]
        told = [", ".join(short), *long] if short else long
        lines.extend(f"  {clean(verb):<{VERB_WIDTH}}  {phrase}\n" for phrase in told)
    return "".join(lines)


def _grant(one: v1.SharedGrant) -> str:
    """A login that would be in two profiles, and what will happen."""
    return clean(f"shared with {', '.join(one.profiles)}: the login {one.provider}; {one.consequence}")


def _is_sentence(phrase: str) -> bool:
    return any(mark in phrase for mark in (":", ",", ";"))


def _shared(found: Iterable[v1.SharedCredential]) -> list[tuple[str, str]]:
    """Who shares, and which variables, for each set of profiles."""
    grouped: dict[tuple[str, ...], list[str]] = {}
    for one in found:
        grouped.setdefault(tuple(one.profiles), []).append(one.variable)
    return [(clean(", ".join(names)), clean(", ".join(variables))) for names, variables in grouped.items()]
