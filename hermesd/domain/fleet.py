"""Many gateways at once: which are meant, and to which of them a verb can be done.

Owns: patterns, and what is skipped of what nobody spelt out. Must not know how anything is done.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hermesd.domain.errors import ArgumentInvalid, ProfileNameInvalid, ProfileNotFound
from hermesd.domain.gateway import LIVE, ParkedFor, State
from hermesd.domain.profile import ProfileName
from hermesd.domain.record import GatewayRecord

WILDCARDS = "*?"
"""What stands for any characters, and for one. Nothing else does: a pattern is not a regular expression."""

PATTERN_RULE = re.compile(r"[a-z0-9_*?-]+")

NO_CHANNEL = "nothing could reach it: no messaging platform, HTTP API, webhook or cron job is set up"
"""Why the daemon does not start a gateway by itself."""

NOT_OURS = "not started by hermesd"
NOT_RUNNING = "not running"


class Verb(StrEnum):
    """What can be asked of many gateways at once."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    DRAIN = "drain"
    UNDRAIN = "undrain"


@dataclass(frozen=True)
class Chosen:
    """Which profiles are meant, each list sorted."""

    named: tuple[ProfileName, ...]
    """Spelt out, so that whatever is in the way of them is a failure."""
    matched: tuple[ProfileName, ...]
    """Met by a pattern, or by all."""


def is_pattern(word: str) -> bool:
    """Whether a word stands for the profiles that fit it, rather than for one."""
    return any(char in word for char in WILDCARDS)


def fits(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern, in no more steps than the product of their lengths, whatever they are."""
    at = seen = 0
    star = kept = -1
    while seen < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, kept = at, seen
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[seen]):
            at, seen = at + 1, seen + 1
        elif star >= 0:  # the last star takes one character more
            kept += 1
            at, seen = star + 1, kept
        else:
            return False
    return pattern[at:].strip("*") == ""


def matching(pattern: str, known: Collection[ProfileName]) -> set[ProfileName]:
    """The profiles that fit a pattern.

    Raises:
        ProfileNameInvalid: no name can fit it.
        ProfileNotFound: none does.
    """
    folded = pattern.strip().lower()
    if not PATTERN_RULE.fullmatch(folded):
        raise ProfileNameInvalid(
            f"'{pattern}' is not a pattern of profile names",
            hint="in a pattern * stands for any characters, ? for one",
        )
    found = {name for name in known if fits(folded, name.text)}
    if not found:
        raise ProfileNotFound(f"no profile fits '{pattern}'", fixes=["hermesctl profile list"])
    return found


def choose(
    named: Collection[ProfileName],
    patterns: Sequence[str],
    excluded: Collection[ProfileName],
    excluded_patterns: Sequence[str],
    *,
    known: Collection[ProfileName],
    is_all: bool,
) -> Chosen:
    """The profiles that are meant, of those that are `known`.

    Raises:
        ArgumentInvalid: none is named, or none is left.
        ProfileNameInvalid, ProfileNotFound: a pattern is none, or fits nothing, also one of what is left out: who
            mistypes that would change what must not be changed.
    """
    if is_all and (named or patterns):
        raise ArgumentInvalid("all profiles are asked for, and some by name", hint="ask for one or the other")
    if not (is_all or named or patterns):
        raise ArgumentInvalid("no profile is named", hint="name profiles, or ask for all of them")
    left_out = set(excluded).union(*(matching(pattern, known) for pattern in excluded_patterns))
    met = set(known) if is_all else set().union(*(matching(pattern, known) for pattern in patterns))
    chosen = Chosen(tuple(sorted(set(named) - left_out)), tuple(sorted(met - set(named) - left_out)))
    if not (chosen.named or chosen.matched):
        raise ArgumentInvalid("nothing is left to work on", hint="every profile that is meant is left out too")
    return chosen


def skipped(verb: Verb, record: GatewayRecord, *, is_foreign: bool, has_channel: bool) -> str:
    """Why a verb is not meant for a gateway that nobody spelt out; empty if it is.

    A gateway of somebody else fails to be started, which says whose it is.
    """
    if is_foreign:
        return "" if verb in (Verb.START, Verb.RESTART) else NOT_OURS
    gateway = record.gateway
    match verb:
        case Verb.START if gateway.state not in LIVE:
            return "" if record.is_enabled and has_channel else NO_CHANNEL if record.is_enabled else "disabled"
        case Verb.STOP if gateway.state is State.STOPPED:
            return "already stopped"
        case Verb.RESTART if not gateway.wanted_up:
            return NOT_RUNNING
        case Verb.RESTART if gateway.parked_for is ParkedFor.CHANNEL and not has_channel:
            return NO_CHANNEL
        case Verb.DRAIN | Verb.UNDRAIN if gateway.state is not State.RUNNING:
            return NOT_RUNNING
        case _:
            return ""
