"""What a sync is to do in one home.

Owns: gathering what the decision about each skill needs, without looking at more than can have changed. Changes
nothing. Must not know how it is carried out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hermesd.adapters.skillbundles import Bundle, BundledSkill
from hermesd.adapters.skillhomes import SkillHome
from hermesd.adapters.skillrecords import HomeRecord, SkillRecord
from hermesd.adapters.skilltrees import Trace, trace, version_of
from hermesd.domain.skills import (
    WRITES,
    Decision,
    Line,
    Provider,
    SkillState,
    SkillSync,
    Version,
    decide,
    line_after,
)

AS_BUNDLED = frozenset({Decision.ADD, Decision.UPDATE, Decision.RECORD, Decision.UNCHANGED})
"""Decisions after which a skill is as it is bundled."""


@dataclass(frozen=True)
class PlannedSkill:
    """One skill of the bundle in one home."""

    skill: BundledSkill
    state: SkillState
    decision: Decision
    seen: Trace | None = None
    """Of the copy; `None` if there is none, or it was not looked at."""

    @property
    def record(self) -> SkillRecord:
        """What is remembered of it as it is now."""
        is_reliable = self.seen is not None and self.seen.is_settled
        return SkillRecord(
            self.state.origin,
            self.skill.version,
            self.state.copy,
            self.decision,
            self.seen.fingerprint if self.seen is not None and is_reliable else "",
        )


@dataclass
class Plan:
    """What is to be done in one home."""

    home: SkillHome
    record: HomeRecord
    skills: list[PlannedSkill] = field(default_factory=list)
    remembered: dict[str, SkillRecord] = field(default_factory=dict)
    """Skills that cannot have to change, as they were."""
    orphans: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def sync(self) -> SkillSync:
        """How it is told."""
        told = {name: one.decision for name, one in self.remembered.items()}
        told |= {one.skill.name: one.decision for one in self.skills}
        return SkillSync(told | dict.fromkeys(self.orphans, Decision.ORPHAN), self.problems)

    @property
    def writes(self) -> list[PlannedSkill]:
        """What changes skills."""
        return [one for one in self.skills if one.decision in WRITES]

    def changes(self, *, of_writes: bool) -> dict[str, str | None]:
        """What the manifest is to say otherwise, with what changes skills or without."""
        wanted: dict[str, str | None] = {}
        for one in self.skills:
            if of_writes or one.decision not in WRITES:
                wanted |= self._lines(one)
        lines = self.home.lines
        return {name: said for name, said in wanted.items() if lines.get(name) != said}

    def _lines(self, one: PlannedSkill) -> dict[str, str | None]:
        """Skills within another one go by it; of one that is edited, only what endangers them is changed."""
        inner: dict[str, str | None] = {}
        for within in one.skill.inner:
            if one.decision in AS_BUNDLED or self.home.line(within.name) is Line.BARE:
                inner[within.name] = within.version.md5
            elif one.decision is Decision.YIELD:
                inner[within.name] = None
        if one.decision in {*WRITES, Decision.RECORD, Decision.PIN}:
            inner[one.skill.name] = line_after(one.decision, one.skill.version)
        return inner


class Planner:
    """Decides about every skill of a bundle in one home."""

    def __init__(self, home: Path, record: HomeRecord, bundle: Bundle, *, verify: bool) -> None:
        self._home = SkillHome(home)
        self._record = record
        self._bundle = bundle
        self._is_known = not verify and record.control != "" and record.control == self._home.control
        """Whether nothing but the bundle can be another reason to do something."""

    @property
    def known(self) -> SkillSync | None:
        """How it is told if nothing has changed at all."""
        return self._record.sync if self._is_known and self._record.bundle == self._bundle.digest else None

    def plan(self) -> Plan:
        """What is to be done.

        Raises:
            NotPermitted: the home cannot be read.
        """
        plan = Plan(self._home, self._record)
        if self._home.is_opted_out:
            plan.skills = [
                PlannedSkill(one, SkillState(bundled=one.version, is_opted_out=True), Decision.OPTED_OUT)
                for one in self._bundle.skills
            ]
            return plan
        for skill in self._bundle.skills:
            known = self._record.skills.get(skill.name)
            if self._is_known and known is not None and known.bundled == skill.version:
                plan.remembered[skill.name] = known
            else:
                plan.skills.append(self._look_at(skill))
        self._leave_to_others(plan)
        plan.orphans = tuple(name for name in self._home.lines if name not in self._bundle.names)
        plan.problems = self._problems(plan)
        return plan

    def _look_at(self, skill: BundledSkill) -> PlannedSkill:
        home = self._home
        is_within_reach = not home.obstacle(skill.path)
        copy, seen = self._copy_of(skill) if is_within_reach else (None, None)
        state = SkillState(
            home.line(skill.name),
            self._origin_of(skill.name, is_there=copy is not None),
            copy,
            skill.version,
            is_suppressed=skill.name in home.suppressed,
            is_within_reach=is_within_reach,
            provider=self._provider_of(skill),
        )
        return PlannedSkill(skill, state, decide(state), seen)

    def _copy_of(self, skill: BundledSkill) -> tuple[Version | None, Trace | None]:
        """What is in the home, read only if it may have changed since it was read last."""
        directory = f"{self._home.skills}/{skill.path}"
        try:
            seen = trace(directory)
            known = self._record.skills.get(skill.name)
            if known is not None and known.copy is not None and known.fingerprint == seen.fingerprint:
                return known.copy, seen
            return version_of(directory), seen
        except FileNotFoundError:
            return None, None

    def _origin_of(self, name: str, *, is_there: bool) -> Version | None:
        """What was installed. Without any manifest nothing counts as deleted, as with hermes-agent."""
        known = self._record.skills.get(name)
        remembered = known.origin if known is not None else None
        said = self._home.lines.get(name)
        if said:
            by_line = Version(said)
            return remembered if remembered is not None and remembered.matches(by_line) else by_line
        return remembered if is_there or self._home.manifest is not None else None

    def _provider_of(self, skill: BundledSkill) -> Provider:
        if skill.name in self._home.external:
            return Provider.EXTERNAL
        return Provider.HUB if skill.name in self._home.from_hub else Provider.NOBODY

    def _leave_to_others(self, plan: Plan) -> None:
        """Adds nothing of which the profile has another one by that name. To know that takes reading them all."""
        if not any(one.decision is Decision.ADD for one in plan.skills):
            return
        taken = self._home.own_names(self._bundle.places)
        for number, one in enumerate(plan.skills):
            if one.decision is Decision.ADD and one.skill.name in taken:
                state = replace(one.state, provider=Provider.PERSON)
                plan.skills[number] = replace(one, state=state, decision=decide(state))

    def _problems(self, plan: Plan) -> tuple[str, ...]:
        """What is in the way, each once."""
        out = [one.skill.path for one in plan.skills if one.decision is Decision.OUT_OF_REACH]
        found = [self._home.obstacle(path) for path in out]
        return tuple(dict.fromkeys([*(self._record.problems if plan.remembered else ()), *found]))


def stale(record: HomeRecord, bundle: Bundle) -> Mapping[str, SkillRecord]:
    """What is remembered of skills that are not bundled any more, in case they come back."""
    bundled = {one.name for one in bundle.skills}
    return {name: one for name, one in record.skills.items() if name not in bundled}
