"""What becomes of a bundled skill in a profile: a three-way decision, and how a sync is summed up.

Owns: the decision, by what was installed, what is there now and what is bundled now. What a person edited or
deleted is never overwritten and never brought back. The states are those of hermes-agent 0.19.0, whose own sync
works on the same files; decided otherwise is only what would lose an edit there. Must not know files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Version:
    """What a skill consists of, in two hashes."""

    md5: str
    """As hermes-agent computes it, without separators or modes: two different skills may share it."""
    digest: str = ""
    """SHA-256 of names, contents and which files can be executed; empty where only the other one is known."""

    def matches(self, other: "Version") -> bool:
        """Whether both are the same skill, as far as is known."""
        return self.md5 == other.md5 and ("" in (self.digest, other.digest) or self.digest == other.digest)


UNKNOWABLE = Version("unknowable", "unknowable")
"""Of a copy that holds links or cannot be read: nobody installed it so."""


class Line(StrEnum):
    """What the manifest in the profile says of a skill."""

    NONE = "none"
    BARE = "bare"
    """It was installed, but not what: the first form of the manifest had no hashes."""
    FULL = "full"


class Provider(StrEnum):
    """Who else brings a skill of the same name; an agent that finds two loads neither."""

    NOBODY = "nobody"
    EXTERNAL = "external"
    """A directory outside that the profile's configuration names."""
    HUB = "hub"
    """A skill that was installed from a registry."""
    PERSON = "person"
    """A skill of the profile's own, elsewhere in it."""


@dataclass(frozen=True)
class SkillState:
    """One skill in one profile, as far as the decision needs it."""

    line: Line = Line.NONE
    origin: Version | None = None
    """What was installed, by the manifest or else by our own record; `None` if it was not, or is not known."""
    copy: Version | None = None
    """What is in the profile; `None` if nothing is."""
    bundled: Version | None = None
    """What is bundled now; `None` if it is not any more."""
    is_opted_out: bool = False
    is_suppressed: bool = False
    is_within_reach: bool = True
    """Whether no link and nothing else is in the way to it."""
    provider: Provider = Provider.NOBODY


class Decision(StrEnum):
    """What is done with a skill."""

    ADD = "add"
    UPDATE = "update"
    RECORD = "record"
    """It is there as it is bundled, and only the manifest does not say so."""
    UNCHANGED = "unchanged"
    KEEP_EDITED = "keep-edited"
    PIN = "pin"
    """Kept, and noted so that hermes-agent keeps it too, which takes what it knows no hash of for its own."""
    CONFLICT = "conflict"
    """Kept as edited, although what is bundled has changed too."""
    KEEP_OWN = "keep-own"
    """Something else of a person's is in its place."""
    KEEP_DELETED = "keep-deleted"
    ORPHAN = "orphan"
    """It is not bundled any more; its files stay."""
    SUPPRESSED = "suppressed"
    SHADOWED = "shadowed"
    YIELD = "yield"
    """An untouched copy makes way for the external skill of its name."""
    OUT_OF_REACH = "out-of-reach"
    OPTED_OUT = "opted-out"
    ABSENT = "absent"
    """Neither bundled nor there."""


WRITES = frozenset({Decision.ADD, Decision.UPDATE, Decision.YIELD})
"""Decisions that change the skills themselves."""


def decide(state: SkillState) -> Decision:
    """What becomes of a skill."""
    if state.is_opted_out:
        return Decision.OPTED_OUT
    if state.bundled is None:
        return Decision.ABSENT if state.copy is None else Decision.ORPHAN
    if state.is_suppressed:
        return Decision.SUPPRESSED
    if not state.is_within_reach:
        return Decision.OUT_OF_REACH
    if state.provider is Provider.EXTERNAL:
        is_ours = state.copy is not None and state.copy.matches(state.bundled)
        return Decision.YIELD if is_ours else Decision.SHADOWED
    if state.provider is Provider.HUB:
        is_in_danger = state.line is Line.BARE and state.copy is not None
        return Decision.PIN if is_in_danger else Decision.SHADOWED
    if state.copy is None:
        return _of_absent(state)
    return _of_present(state, state.copy, state.bundled)


def _of_absent(state: SkillState) -> Decision:
    if state.line is not Line.NONE or state.origin is not None:
        return Decision.KEEP_DELETED
    return Decision.SHADOWED if state.provider is Provider.PERSON else Decision.ADD


def _of_present(state: SkillState, copy: Version, bundled: Version) -> Decision:
    origin = state.origin
    if copy.matches(bundled):
        is_noted = state.line is Line.FULL and origin is not None and origin.matches(bundled)
        return Decision.UNCHANGED if is_noted else Decision.RECORD
    if origin is not None and copy.matches(origin):
        return Decision.UPDATE
    if state.line is Line.BARE:
        return Decision.PIN
    if origin is None:
        return Decision.KEEP_OWN
    return Decision.KEEP_EDITED if origin.matches(bundled) else Decision.CONFLICT


@dataclass(frozen=True)
class SkillSync:
    """What a sync did in one profile, or would do."""

    decisions: Mapping[str, Decision] = field(default_factory=dict)
    """By name of the skill."""
    problems: tuple[str, ...] = ()
    """What a person should see to, a sentence each."""

    def count(self, *wanted: Decision) -> int:
        """How many skills were decided about so."""
        return sum(decision in wanted for decision in self.decisions.values())

    @property
    def has_changes(self) -> bool:
        """Whether a skill came, went or changed."""
        return self.count(*WRITES) > 0

    @property
    def summary(self) -> str:
        """A short phrase: "+2 new, 1 edited kept"."""
        if self.count(Decision.OPTED_OUT):
            return "opted out"
        did = _phrases(self, ((("+", " new"), Decision.ADD), (("", " updated"), Decision.UPDATE), _YIELDED))
        if not did and not self.count(Decision.OUT_OF_REACH):
            did = ["up to date"]
        return ", ".join([*did, *_phrases(self, _KEPT)])


_Phrase = tuple[tuple[str, str], Decision]
_YIELDED: _Phrase = (("", " left to an external directory"), Decision.YIELD)
_KEPT: tuple[_Phrase, ...] = (
    (("", " edited kept"), Decision.KEEP_EDITED),
    (("", " in conflict kept"), Decision.CONFLICT),
    (("", " out of reach"), Decision.OUT_OF_REACH),
)


def _phrases(sync: SkillSync, phrases: Iterable[_Phrase]) -> list[str]:
    counted = ((before, sync.count(*_alike(decision)), after) for (before, after), decision in phrases)
    return [f"{before}{number}{after}" for before, number, after in counted if number]


def _alike(decision: Decision) -> tuple[Decision, ...]:
    """To a person, what is pinned is edited."""
    return (decision, Decision.PIN) if decision is Decision.KEEP_EDITED else (decision,)


def settled(decision: Decision) -> Decision:
    """What will be decided the next time, if nothing changes until then."""
    if decision in {Decision.ADD, Decision.UPDATE, Decision.RECORD}:
        return Decision.UNCHANGED
    if decision is Decision.PIN:
        return Decision.KEEP_EDITED
    return Decision.SHADOWED if decision is Decision.YIELD else decision


def line_after(decision: Decision, bundled: Version) -> str | None:
    """The hash that the manifest is to say after this was done; `None` if it is to say nothing.

    Only for decisions that change something.
    """
    return None if decision is Decision.YIELD else bundled.md5
