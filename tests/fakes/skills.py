"""Bundled skills and homes in memory. Passes the suite of `tests/contracts/test_skills.py`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hermesd.domain.errors import HermesError
from hermesd.domain.skills import Decision, Line, SkillState, SkillSync, Version, decide, line_after
from tests.fakes.faults import Faults


class MemorySkills:
    """Skills (port `SkillLibrary`) as texts."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.bundles: dict[Path, dict[str, str]] = {}
        """Text of each skill, by directory."""
        self.own: dict[str, str] = {}
        """Those that come with hermesd."""
        self.homes: dict[Path, dict[str, str]] = {}
        """Text of each skill, by home."""
        self.lines: dict[Path, dict[str, str]] = {}
        """What each manifest says."""
        self.refusals: dict[Path, HermesError] = {}
        """What syncing a home fails with."""
        self.problems: dict[Path, tuple[str, ...]] = {}
        self.asked: list[tuple[tuple[Path, ...], bool]] = []
        """Homes of each sync, and whether it was to verify."""
        self.kept: list[Path] | None = None
        """Homes of the last `keep_only`."""

    def sync(self, home: Path, bundled: Sequence[Path]) -> SkillSync:
        (outcome,) = self.sync_all([home], bundled)
        if isinstance(outcome, HermesError):
            raise outcome
        return outcome

    def sync_all(
        self, homes: Sequence[Path], bundled: Sequence[Path], *, verify: bool = False, is_dry_run: bool = False
    ) -> list[SkillSync | HermesError]:
        self.faults.trip("sync_all")
        self.asked.append((tuple(homes), verify))
        skills: dict[str, str] = dict(self.own)
        for directory in reversed(bundled):
            skills |= self.bundles.get(directory, {})
        return [self.refusals.get(home) or self._sync(home, skills, is_dry_run=is_dry_run) for home in homes]

    def versions(self, home: Path) -> Mapping[str, str]:
        return dict(self.homes.get(home, {}))

    def recover(self) -> None:
        pass  # in memory nothing is cut off

    def keep_only(self, homes: Iterable[Path]) -> None:
        self.kept = list(homes)

    def _sync(self, home: Path, skills: Mapping[str, str], *, is_dry_run: bool) -> SkillSync:
        there = self.homes.setdefault(home, {})
        lines = self.lines.setdefault(home, {})
        decisions = {}
        for name, text in sorted(skills.items()):
            said = lines.get(name)
            state = SkillState(
                Line.NONE if said is None else Line.FULL,
                None if said is None else Version(said),
                Version(there[name]) if name in there else None,
                Version(text),
            )
            decisions[name] = decide(state)
            if is_dry_run:
                continue
            if decisions[name] in {Decision.ADD, Decision.UPDATE}:
                there[name] = text
            if decisions[name] in {Decision.ADD, Decision.UPDATE, Decision.RECORD}:
                lines[name] = line_after(decisions[name], Version(text)) or ""
        return SkillSync(decisions, self.problems.get(home, ()))
