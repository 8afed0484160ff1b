"""What became of claims that many fought for, written by all of them, and whether it can be true.

Owns: the journal's format and the judgement. Times are of the machine's one monotonic clock. Who holds a claim
says so again and again; between its first word and its last nobody else may say so. Must not know how claims are
taken.
"""

import json
import os
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TRIES, REFUSED, HOLDS, FREED, CLASH = "tries", "refused", "holds", "freed", "clash"
LONGEST_ATTEMPT = 5e9
"""Nanoseconds, on a busy machine."""


@dataclass(frozen=True)
class Entry:
    """One word of one contender."""

    at: int
    """Nanoseconds of the monotonic clock."""
    kind: str
    actor: str
    """One attempt of one process, and whoever inherited what it took."""
    claims: tuple[str, ...]


class Journal:
    """A file to which everybody appends, whoever is killed meanwhile."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def say(self, kind: str, actor: str, claims: Iterable[str]) -> None:
        """Adds a line, whole or not at all."""
        os.write(self._fd, json.dumps([time.monotonic_ns(), kind, actor, list(claims)]).encode() + b"\n")


def read(path: Path) -> list[Entry]:
    """The whole journal in the order of time."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return sorted(
        (Entry(at, kind, actor, tuple(claims)) for at, kind, actor, claims in lines), key=lambda one: one.at
    )


def complaints(history: Sequence[Entry]) -> list[str]:
    """Why it cannot be true that each claim had one holder at a time and none was lost; empty if it can."""
    found = [f"{entry.actor} met another holder of {entry.claims}" for entry in history if entry.kind == CLASH]
    unhindered: Counter[str] = Counter()
    for claim in sorted({claim for entry in history for claim in entry.claims}):
        about = [entry for entry in history if claim in entry.claims]
        found += _doubles(claim, about)
        unhindered.update(_unhindered(about))
    refused = (entry for entry in history if entry.kind == REFUSED)
    lost = (entry for entry in refused if unhindered[entry.actor] == len(entry.claims))
    return [*found, *(f"{entry.actor} was refused although nobody had any of {entry.claims}" for entry in lost)]


def _doubles(claim: str, about: Sequence[Entry]) -> list[str]:
    """Holders between whose words another one spoke."""
    found, over, present = [], set(), ""
    for entry in about:
        if entry.kind != HOLDS or entry.actor == present:
            continue
        if entry.actor in over:
            found.append(f"{claim}: {entry.actor} and {present} held it at once")
        over.add(present)
        present = entry.actor
    return found


def _unhindered(about: Sequence[Entry]) -> list[str]:
    """Who was refused in a time in which nobody else can have had this claim."""
    spans = _spans(about)
    ordered = sorted((begin, end, actor) for actor, (begin, end) in spans.items())
    latest: list[tuple[tuple[float, str], tuple[float, str]]] = []
    first, second = (-1.0, ""), (-1.0, "")
    for _, end, actor in ordered:  # the two that had it longest, of those that began up to here
        first, second = sorted((first, second, (end, actor)), reverse=True)[:2]
        latest.append((first, second))
    begins = [begin for begin, _, _ in ordered]
    found = []
    for entry in about:
        if entry.kind == REFUSED:
            candidates = latest[bisect_right(begins, entry.at) - 1]
            stop = next(end for end, actor in candidates if actor != entry.actor)
            if stop < spans[entry.actor][0]:
                found.append(entry.actor)
    return found


def _spans(about: Sequence[Entry]) -> dict[str, tuple[float, float]]:
    """When each attempt can have had the claim at most.

    Who was killed had it until the next holder spoke; one that never spoke, for as long as an attempt takes.
    """
    firsts: dict[str, int] = {}
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    for entry in about:
        begins.setdefault(entry.actor, entry.at)
        if entry.kind == HOLDS:
            firsts.setdefault(entry.actor, entry.at)
        if entry.kind in (REFUSED, FREED):
            ends[entry.actor] = entry.at
    order = sorted(firsts.items(), key=lambda one: one[1])
    later: dict[str, float] = dict.fromkeys(firsts, float("inf"))
    later |= zip((actor for actor, _ in order), (at for _, at in order[1:]), strict=False)
    return {
        actor: (begin, ends.get(actor, later.get(actor, begin + LONGEST_ATTEMPT)))
        for actor, begin in begins.items()
    }
