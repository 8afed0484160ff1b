"""Syncs of skills that are cut off, or meet a full disk, at any step."""

import random
import shutil
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters import skillswaps, syscalls
from hermesd.adapters.skilllibrary import SkillsOnDisk
from hermesd.domain.errors import HermesError
from hermesd.domain.skills import SkillSync
from tests.faults.injection import Injector, crash_at, injected, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BUNDLES = ({"gone": "1", "kept": "1", "old": "1"}, {"gone": "2", "kept": "2", "old": "2", "new": "2"})
SKILLS = "profiles/coder/skills/arts"


class Place:
    """A root with a home that has old skills, one of them edited and one deleted, and new ones bundled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path / "root"
        self.home = self.root / "profiles" / "coder"
        self.home.mkdir(parents=True)
        (path / "own").mkdir()
        self.bundle(BUNDLES[0])
        self.sync()
        shutil.rmtree(self.root / SKILLS / "gone")
        (self.root / SKILLS / "kept" / "SKILL.md").write_text("mine")
        self.bundle(BUNDLES[1])

    def bundle(self, skills: dict[str, str]) -> None:
        """Bundles these skills, two files each."""
        for name, text in skills.items():
            skill = self.path / "bundle" / "arts" / name
            skill.mkdir(parents=True, exist_ok=True)
            (skill / "SKILL.md").write_text(text)
            (skill / "more.md").write_text(text)

    def sync(self) -> SkillSync | HermesError:
        """A daemon begins, finishes what another one left, and syncs."""
        library = SkillsOnDisk(self.root, self.path / "records", self.path / "own")
        library.recover()
        return library.sync_all([self.home], [self.path / "bundle"], verify=True)[0]

    def recover(self) -> None:
        """A daemon begins."""
        SkillsOnDisk(self.root, self.path / "records", self.path / "own").recover()

    def texts(self) -> dict[str, set[str]]:
        """What the files of each skill say."""
        found: dict[str, set[str]] = {}
        for file in (self.root / SKILLS).rglob("*.md"):
            found.setdefault(file.parent.name, set()).add(file.read_text())
        return found

    def check(self) -> None:
        """Each skill is wholly old or wholly new, and what is a person's is as it was."""
        texts = self.texts()
        assert texts.pop("kept") == {"mine", "1"}
        assert texts.pop("old") in ({"1"}, {"2"})
        assert texts.pop("new", {"2"}) == {"2"}
        assert texts == {}


@pytest.fixture
def place(tmp_path: Path) -> Callable[[], Place]:
    """Makes one place after another."""
    numbers = count()
    return lambda: Place(tmp_path / str(next(numbers)))


def finished(place: Place) -> dict[str, tuple[str, bytes]]:
    """What another daemon makes of it; nothing is left in staging, and once more changes nothing."""
    outcome = place.sync()
    assert isinstance(outcome, SkillSync)
    place.check()
    after = snapshot(place.home)
    again = place.sync()
    assert isinstance(again, SkillSync)
    assert again.summary == "up to date, 1 in conflict kept"
    assert snapshot(place.home) == after
    assert list((place.root / "profiles/.hermesd/skills").iterdir()) == []
    return after


def test_a_crash_leaves_each_skill_old_or_new(place: Callable[[], Place]) -> None:
    """At any step; the next sync ends with the same, wherever the one before was cut off."""
    whole = place()
    expected = finished(whole)
    for step in count(1):
        cut = place()
        has_crashed = crash_at(step, cut.sync)
        cut.check()
        assert finished(cut) == expected
        if not has_crashed:
            break
    assert step > 30


def test_a_crash_while_recovering_is_recovered_from(place: Callable[[], Place]) -> None:
    """Some pairs of steps; the whole of them is tried before a release."""
    expected = finished(place())
    chosen = random.Random(7)
    for first in sorted(chosen.sample(range(20, 60), 5)):
        for second in (1, 2, 4, 7):
            cut = place()
            if crash_at(first, cut.sync):
                crash_at(second, cut.recover)
            cut.check()
            assert finished(cut) == expected


@pytest.mark.parametrize("number", range(1, 60, 3))
def test_a_full_disk_is_told_and_changes_no_skill_half(place: Callable[[], Place], number: int) -> None:
    """At some steps: a failure of this home, and the next sync goes on."""
    full = place()
    injector = Injector(number, OSError(28, "full"), only=frozenset({"open", "write", "mkdir"}))
    with injected(injector):
        try:
            outcome = full.sync()
        except HermesError as error:
            outcome = error
    full.check()
    if injector.has_fired and isinstance(outcome, HermesError):
        assert outcome.reason == "DISK_FULL"
    finished(full)


def test_an_edit_that_was_displaced_when_the_daemon_died_comes_back(
    place: Callable[[], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the exchange and the look at what was displaced."""
    cut = place()
    original = syscalls.exchange

    def edit_and_die(one: Path, other: Path) -> None:
        (cut.root / SKILLS / "old" / "SKILL.md").write_text("just now")
        original(one, other)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(skillswaps, "exchange", edit_and_die)
        with pytest.raises(KeyboardInterrupt):
            cut.sync()
    assert cut.texts()["old"] == {"2"}
    cut.recover()
    assert cut.texts()["old"] == {"just now", "1"}
    cut.sync()
    assert cut.texts()["old"] == {"just now", "1"}


def test_two_syncs_at_once_do_no_harm(place: Callable[[], Place], monkeypatch: pytest.MonkeyPatch) -> None:
    """One exchanges everything in the moment before the other one would."""
    both = place()
    original = syscalls.exchange
    library = partial(SkillsOnDisk, both.root, both.path / "records", both.path / "own")

    def other_first(one: Path, other: Path) -> None:
        monkeypatch.setattr(skillswaps, "exchange", original)
        library().sync_all([both.home], [both.path / "bundle"])
        original(one, other)

    monkeypatch.setattr(skillswaps, "exchange", other_first)
    library().sync_all([both.home], [both.path / "bundle"])
    both.check()
    finished(both)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_people_do_nothing_of_theirs_is_lost(tmp_path: Path, seed: int) -> None:
    """Random histories of bundles, edits, deletions, renames and dropped lines, with a sync now and then."""
    chance = random.Random(seed)
    bundle, home = tmp_path / "bundle", tmp_path / "root" / "profiles" / "coder"
    home.mkdir(parents=True)
    (tmp_path / "own").mkdir()
    names = [f"s{number}" for number in range(6)]
    theirs: dict[Path, str] = {}
    deleted: set[str] = set()
    for version in range(40):
        name = chance.choice(names)
        copy = home / "skills" / "arts" / name
        deed = chance.choice(("bundle", "bundle", "edit", "delete", "unbundle", "drop lines", "sync", "sync"))
        if deed == "bundle":
            (bundle / "arts" / name).mkdir(parents=True, exist_ok=True)
            (bundle / "arts" / name / "SKILL.md").write_text(f"v{version}")
        elif deed == "unbundle":
            shutil.rmtree(bundle / "arts" / name, ignore_errors=True)
        elif deed == "edit" and copy.exists():
            theirs[copy / "SKILL.md"] = f"mine {version}"
            (copy / "SKILL.md").write_text(theirs[copy / "SKILL.md"])
        elif deed == "delete" and copy.exists():
            shutil.rmtree(copy)
            theirs.pop(copy / "SKILL.md", None)
            deleted.add(name)
        elif deed == "drop lines" and (home / "skills/.bundled_manifest").exists():
            (home / "skills/.bundled_manifest").write_text("\n")
        elif bundle.exists():
            for _ in range(2):
                library = SkillsOnDisk(tmp_path / "root", tmp_path / "records", tmp_path / "own")
                outcome = library.sync(home, [bundle])
            assert not outcome.has_changes
        assert {path: path.read_text() for path in theirs} == theirs
        assert not any((home / "skills/arts" / one).exists() for one in deleted)
