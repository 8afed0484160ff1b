"""Carrying out what was planned in many homes, at once.

Owns: the order: make everything ready, flush it once, exchange, note, flush once more, remove what was displaced.
A crash between any two leaves each skill wholly old or wholly new, and what finishes the rest. A home that fails
hinders no other. Must not know why something is done.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hermesd.adapters.oserrors import translating
from hermesd.adapters.skillbundles import Bundle
from hermesd.adapters.skillhomes import render_manifest
from hermesd.adapters.skillplans import Plan, PlannedSkill
from hermesd.adapters.skillstaging import Batch, HomeIntent, Intention, write_unflushed
from hermesd.adapters.skillswaps import (
    carry_out,
    lines_of,
    look_again,
    merged,
    place_file,
    write_manifest,
)
from hermesd.adapters.syscalls import sync_file_system_of
from hermesd.domain.errors import ChangedMeanwhile, HermesError, Incompatible
from hermesd.domain.skills import Decision, SkillSync

IN_THE_WAY = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EBUSY})


FASTER = {
    Decision.ADD: Decision.KEEP_OWN,
    Decision.UPDATE: Decision.KEEP_EDITED,
    Decision.YIELD: Decision.SHADOWED,
}
"""What became of a skill that a person changed at the last moment."""


@dataclass
class Work:
    """One home, what is to be done in it, and how far that is."""

    plan: Plan
    descriptions: tuple[tuple[str, str], ...] = ()
    """Texts about categories that are missing: where each goes, and its file."""
    steps: list[tuple[PlannedSkill, Intention]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    """Names of skills that were exchanged."""
    manifest: bytes | None = None
    """As it was left."""
    error: HermesError | None = None
    staged: str = ""
    """Its directory in the batch."""

    @property
    def home(self) -> Path:
        """Its real path."""
        return self.plan.home.path

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.plan.writes or self.plan.changes(of_writes=False) or self.descriptions)

    @property
    def sync(self) -> SkillSync:
        """How it is told, with what a person was faster in."""
        told = self.plan.sync
        faster = {
            one.skill.name: FASTER[one.decision] for one in self.plan.writes if one.skill.name not in self.done
        }
        return SkillSync({**told.decisions, **faster}, told.problems)

    @property
    def changes(self) -> dict[str, str | None]:
        """What the manifest is to say otherwise, by what was done."""
        found = self.plan.changes(of_writes=False)
        for _, step in self.steps:
            if step.name in self.done:
                found |= lines_of(step)
        return {name: said for name, said in found.items() if self.plan.home.lines.get(name) != said}


def work_of(plan: Plan, bundle: Bundle) -> Work:
    """The work that a plan makes."""
    known = plan.record.descriptions
    if plan.home.is_opted_out or all(path in known for path, _ in bundle.descriptions):
        return Work(plan, manifest=plan.home.manifest)
    coming = {os.path.dirname(one.skill.path) for one in plan.writes if one.decision is Decision.ADD}  # noqa: PTH120
    missing = [
        (path, source)
        for path, source in bundle.descriptions
        if path not in known and _is_wanted(plan, path, coming)
    ]
    return Work(plan, tuple(missing), manifest=plan.home.manifest)


def carry_out_all(staging: Path, works: Sequence[Work]) -> None:
    """Does all of it; what fails is noted with its home.

    Raises:
        DiskFull, NotPermitted: nothing could be begun.
    """
    with translating(staging):
        batch = Batch.make(staging)
    for number, work in enumerate(works):
        with _noting(work):
            _make_ready(batch, number, work)
    ready = [work for work in works if work.error is None]
    if _commit(batch, ready):
        for work in ready:
            with _noting(work):
                _exchange(batch, work)
            with _noting(work):
                _note(batch, work)
        with translating(batch.path):
            sync_file_system_of(batch.path)
        for work in ready:
            with _noting(work):
                _look_again(batch, work)
    with translating(batch.path, "remove"):
        batch.close()


def _is_wanted(plan: Plan, path: str, coming: set[str]) -> bool:
    category = os.path.dirname(path)  # noqa: PTH120
    is_there = (plan.home.skills / category).is_dir() or any(
        f"{one}/".startswith(f"{category}/") for one in coming
    )
    return is_there and not plan.home.obstacle(category) and not os.path.lexists(plan.home.skills / path)


def _make_ready(batch: Batch, number: int, work: Work) -> None:
    """Writes all that will be moved into the home."""
    _refuse_other_file_system(batch, work)
    steps = []
    for at, one in enumerate(work.plan.writes):
        staged = f"{number}/{at}"
        is_new = one.decision is not Decision.YIELD
        if is_new:
            batch.write_skill(one.skill, staged)
        inner = tuple((within.name, within.version.md5) for within in one.skill.inner) if is_new else ()
        new = one.skill.version if is_new else None
        steps.append((one, Intention(staged, one.skill.name, one.skill.path, new, one.state.copy, inner)))
    for at, (_, source) in enumerate(work.descriptions):
        write_unflushed(batch.place(f"{number}/d{at}"), Path(source).read_bytes())
    if work.plan.changes(of_writes=True):
        lines = merged(work.plan.home.lines, work.plan.changes(of_writes=True))
        write_unflushed(batch.place(f"{number}/manifest"), render_manifest(lines))
    batch.place(f"{number}/x")  # where what only goes is moved to
    work.steps = steps
    work.staged = str(number)


def _refuse_other_file_system(batch: Batch, work: Work) -> None:
    place = work.plan.home.skills if work.plan.home.skills.is_dir() else work.home
    if place.stat().st_dev != batch.path.stat().st_dev:
        raise Incompatible(f"cannot sync the skills of {work.home}: it lies on another file system than its root")


def _commit(batch: Batch, works: Sequence[Work]) -> bool:
    """Makes everything durable before anything is exchanged; says whether it is."""
    try:
        with translating(batch.path):
            batch.commit(
                [
                    HomeIntent(one.home, one.home.stat().st_ino, tuple(step for _, step in one.steps))
                    for one in works
                ]
            )
    except HermesError as error:
        for work in works:
            work.error = error
        return False
    return True


def _exchange(batch: Batch, work: Work) -> None:
    for one, step in work.steps:
        if carry_out(batch, work.home, step, one.seen):
            work.done.add(step.name)


def _note(batch: Batch, work: Work) -> None:
    """Puts texts and the manifest in their places."""
    for at, (path, _) in enumerate(work.descriptions):
        place_file(work.home, path, batch.path / work.staged / f"d{at}")
    if work.changes:
        is_as_planned = work.changes == work.plan.changes(of_writes=True)
        prepared = batch.path / work.staged / "manifest" if is_as_planned else None
        work.manifest = write_manifest(batch, work.plan.home, work.changes, prepared)


def _look_again(batch: Batch, work: Work) -> None:
    for one, step in work.steps:
        if step.name in work.done and not look_again(batch, work.home, step, one.seen):
            work.done.discard(step.name)


@contextmanager
def _noting(work: Work) -> Iterator[None]:
    """Notes a failure with the home instead of letting it hinder others; the first one counts."""
    try:
        with translating(work.home):
            yield
    except HermesError as error:
        work.error = work.error or error
    except OSError as error:
        work.error = work.error or _explained(work.home, error)


def _explained(home: Path, error: OSError) -> HermesError:
    why = error.strerror or str(error)
    if error.errno == errno.EXDEV:
        return Incompatible(f"cannot sync the skills of {home}: a part of it lies on another file system")
    if error.errno in IN_THE_WAY:
        return ChangedMeanwhile(f"cannot sync the skills of {home}: {why}, since somebody is at work in it")
    return HermesError(f"cannot sync the skills of {home}: {why}")
