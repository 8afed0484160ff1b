"""Bundled skills and their copies in profiles, on disk (port `SkillLibrary`).

Owns: which homes are looked at how closely, and what is remembered afterwards. Must not know which homes there
are, or when they are synced.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hermesd.adapters.oserrors import translating
from hermesd.adapters.skillbundles import Bundle, SkillBundles
from hermesd.adapters.skillhomes import SkillHome
from hermesd.adapters.skillplans import PlannedSkill, Planner, stale
from hermesd.adapters.skillrecords import HomeRecord, SkillRecord, SkillRecords
from hermesd.adapters.skillstaging import batches
from hermesd.adapters.skillswaps import finish
from hermesd.adapters.skilltrees import name_of, skills_below, version_of
from hermesd.adapters.skillworks import Work, carry_out_all, work_of
from hermesd.domain.errors import HermesError
from hermesd.domain.layout import STAGING
from hermesd.domain.skills import WRITES, Decision, SkillSync, settled

log = logging.getLogger(__name__)

Outcome = SkillSync | HermesError


class SkillsOnDisk:
    """The skills of homes below a canonical root."""

    def __init__(self, root: Path, records: Path, own: Path) -> None:
        """`records` is a directory of ours, `own` one of the skills that come with hermesd."""
        self._staging = root / "profiles" / STAGING / "skills"
        self._own = own
        self._bundles = SkillBundles()
        self._records = SkillRecords(records)

    def sync(self, home: Path, bundled: Sequence[Path]) -> SkillSync:
        """Brings bundled skills into one home."""
        (outcome,) = self.sync_all([home], bundled)
        if isinstance(outcome, HermesError):
            raise outcome
        return outcome

    def sync_all(
        self, homes: Sequence[Path], bundled: Sequence[Path], *, verify: bool = False, is_dry_run: bool = False
    ) -> list[Outcome]:
        """Brings bundled skills into homes; the outcome of each, in their order."""
        with translating(self._own, "read"):
            bundle = self._bundles.read([*bundled, self._own])
        planned = [self._plan(home, bundle, verify=verify) for home in homes]
        works = [one for one in planned if isinstance(one, Work)]
        if not is_dry_run:
            if busy := [work for work in works if not work.is_empty]:
                carry_out_all(self._staging, busy)
            self._remember(works, bundle)
        return [_outcome(one, is_dry_run=is_dry_run) if isinstance(one, Work) else one for one in planned]

    def versions(self, home: Path) -> Mapping[str, str]:
        """Where two have one name, the first by path counts, as for the agent."""
        top, found = home / "skills", dict[str, str]()
        for relative in skills_below(top):
            directory = f"{top}/{relative}"
            with suppress(FileNotFoundError):  # somebody has just removed it
                found.setdefault(name_of(directory), version_of(directory).digest)
        return found

    def recover(self) -> None:
        """Brings to its end what an earlier daemon was doing when it died."""
        with translating(self._staging, "clean up"):
            for batch in list(batches(self._staging)):
                if finish(batch):
                    batch.close()

    def keep_only(self, homes: Iterable[Path]) -> None:
        """Forgets all homes but these."""
        self._records.keep_only(homes)

    def _plan(self, home: Path, bundle: Bundle, *, verify: bool) -> Work | Outcome:
        """What is to be done; only how it is told if nothing can have to be."""
        try:
            with translating(home, "look at"):
                planner = Planner(home, self._records.read(home), bundle, verify=verify)
                return planner.known or work_of(planner.plan(), bundle)
        except HermesError as error:
            return error

    def _remember(self, works: Sequence[Work], bundle: Bundle) -> None:
        """Without this, all that was done is done, and the next sync only looks closer."""
        records = {work.home: _record_after(work, bundle) for work in works}
        changed = {work.home: records[work.home] for work in works if records[work.home] != work.plan.record}
        try:
            self._records.write(changed)
        except HermesError as error:
            log.warning("records of skills are not kept: %s", error.message)


def _outcome(work: Work, *, is_dry_run: bool) -> Outcome:
    return work.error or (work.plan.sync if is_dry_run else work.sync)


def _record_after(work: Work, bundle: Bundle) -> HomeRecord:
    """What is remembered of a home. If anything is left to do there, all of it is looked at the next time."""
    plan, before = work.plan, work.plan.record
    now = SkillHome(work.home)
    is_over = work.error is None and all(one.skill.name in work.done for one in plan.writes)
    is_alone = now.manifest == work.manifest and now.surroundings == plan.home.surroundings
    skills = {**stale(before, bundle), **plan.remembered}
    for one in plan.skills:
        if one.decision not in WRITES or one.skill.name in work.done:
            skills[one.skill.name] = _skill_after(one)
        elif one.skill.name in before.skills:
            skills[one.skill.name] = before.skills[one.skill.name]
    return HomeRecord(
        now.control if is_over and is_alone else "",
        bundle.digest,
        skills if not plan.home.is_opted_out else {name: skills[name] for name in plan.sync.decisions},
        _descriptions_after(work, bundle),
        plan.problems,
    )


def _descriptions_after(work: Work, bundle: Bundle) -> frozenset[str]:
    known = work.plan.record.descriptions
    new = (path for path, _ in bundle.descriptions if path not in known)
    return known | {path for path in new if (work.plan.home.skills / path).exists()}


def _skill_after(one: PlannedSkill) -> SkillRecord:
    record, bundled = one.record, one.skill.version
    after = settled(one.decision)
    if one.decision in {Decision.ADD, Decision.UPDATE}:
        return SkillRecord(bundled, bundled, bundled, after)
    if one.decision is Decision.YIELD:
        return SkillRecord(None, bundled, None, after)
    if one.decision in {Decision.RECORD, Decision.PIN}:
        return replace(record, origin=bundled, decision=after)
    return replace(record, decision=after)
