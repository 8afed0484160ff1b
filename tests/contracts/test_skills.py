"""What every library of skills does."""

import shutil
from pathlib import Path
from typing import Protocol, cast

import pytest

from hermesd.adapters.skilllibrary import SkillsOnDisk
from hermesd.domain.errors import HermesError
from hermesd.domain.ports import SkillLibrary
from hermesd.domain.skills import SkillSync
from tests.fakes.skills import MemorySkills

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


class Place(Protocol):
    """A library, what is bundled, and what people do in homes."""

    keeper: SkillLibrary
    bundle: Path

    def home(self, name: str) -> Path:
        """Makes a home without skills."""

    def bundled(self, name: str, text: str | None) -> None:
        """Bundles a skill, or bundles it no more."""

    def text(self, home: Path, name: str) -> str | None:
        """What a skill in a home says; `None` if it is not there."""

    def edit(self, home: Path, name: str, text: str | None) -> None:
        """A person writes or deletes a skill in a home."""


class InMemory:
    """On the fake."""

    def __init__(self, _: Path) -> None:
        self.keeper = self.fake = MemorySkills()
        self.bundle = Path("/bundle")
        self.fake.own = {"operate": "own"}

    def home(self, name: str) -> Path:
        return Path("/homes") / name

    def bundled(self, name: str, text: str | None) -> None:
        _set(self.fake.bundles.setdefault(self.bundle, {}), name, text)

    def text(self, home: Path, name: str) -> str | None:
        return self.fake.homes.get(home, {}).get(name)

    def edit(self, home: Path, name: str, text: str | None) -> None:
        _set(self.fake.homes.setdefault(home, {}), name, text)


class OnDisk:
    """On disk."""

    def __init__(self, place: Path) -> None:
        self.root, self.bundle = place / "root", place / "bundle"
        own = place / "own"
        _write(own / "ours" / "operate", "own")
        self.bundle.mkdir()
        self.keeper = SkillsOnDisk(self.root, place / "records", own)

    def home(self, name: str) -> Path:
        home = self.root / "profiles" / name
        home.mkdir(parents=True)
        return home

    def bundled(self, name: str, text: str | None) -> None:
        _write(self.bundle / "arts" / name, text)

    def text(self, home: Path, name: str) -> str | None:
        for file in (home / "skills").glob(f"*/{name}/SKILL.md"):
            return file.read_text()
        return None

    def edit(self, home: Path, name: str, text: str | None) -> None:
        _write(home / "skills" / "arts" / name, text)


def _set(texts: dict[str, str], name: str, text: str | None) -> None:
    if text is None:
        texts.pop(name, None)
    else:
        texts[name] = text


def _write(skill: Path, text: str | None) -> None:
    if text is None:
        shutil.rmtree(skill)
    else:
        skill.mkdir(parents=True, exist_ok=True)
        (skill / "SKILL.md").write_text(text)


@pytest.fixture(params=[InMemory, OnDisk])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Two skills are bundled, in memory and then on disk."""
    made = cast("Place", request.param(tmp_path))
    made.bundled("paint", "1")
    made.bundled("sing", "1")
    return made


def sync(place: Place, home: Path) -> str:
    """Syncs one home, looking at every copy, and says how it is told."""
    (outcome,) = place.keeper.sync_all([home], [place.bundle], verify=True)
    assert isinstance(outcome, SkillSync)
    return outcome.summary


def test_what_is_bundled_is_added(place: Place) -> None:
    """That of the agent and our own, once."""
    home = place.home("coder")
    assert place.keeper.sync(home, [place.bundle]).summary == "+3 new"
    assert [place.text(home, name) for name in ("paint", "sing", "operate")] == ["1", "1", "own"]
    assert sync(place, home) == "up to date"


def test_what_was_not_edited_is_updated(place: Place) -> None:
    """By what is bundled now."""
    home = place.home("coder")
    sync(place, home)
    place.bundled("paint", "2")
    assert sync(place, home) == "1 updated"
    assert place.text(home, "paint") == "2"


def test_what_was_edited_is_kept(place: Place) -> None:
    """Whatever is bundled by now."""
    home = place.home("coder")
    sync(place, home)
    place.edit(home, "paint", "mine")
    assert sync(place, home) == "up to date, 1 edited kept"
    place.bundled("paint", "2")
    assert sync(place, home) == "up to date, 1 in conflict kept"
    assert place.text(home, "paint") == "mine"


def test_what_was_deleted_stays_away(place: Place) -> None:
    """Whatever is bundled by now."""
    home = place.home("coder")
    sync(place, home)
    place.edit(home, "paint", None)
    place.bundled("paint", "2")
    assert sync(place, home) == "up to date"
    assert place.text(home, "paint") is None


def test_what_is_a_persons_own_is_left_alone(place: Place) -> None:
    """Although something of that name is bundled."""
    home = place.home("coder")
    place.edit(home, "paint", "mine")
    assert sync(place, home) == "+2 new"
    assert place.text(home, "paint") == "mine"


def test_what_is_not_bundled_any_more_stays(place: Place) -> None:
    """It may be in use."""
    home = place.home("coder")
    sync(place, home)
    place.bundled("paint", None)
    assert sync(place, home) == "up to date"
    assert place.text(home, "paint") == "1"


def test_a_dry_run_says_the_same_and_changes_nothing(place: Place) -> None:
    """As often as one likes."""
    home = place.home("coder")
    for _ in range(2):
        (outcome,) = place.keeper.sync_all([home], [place.bundle], is_dry_run=True)
        assert not isinstance(outcome, HermesError)
        assert outcome.summary == "+3 new"
    assert place.text(home, "paint") is None


def test_many_homes_are_synced_at_once(place: Place) -> None:
    """Each by itself, in the order in which they were given."""
    first, second = place.home("first"), place.home("second")
    sync(place, first)
    outcomes = place.keeper.sync_all([second, first], [place.bundle])
    assert [one.summary for one in outcomes if isinstance(one, SkillSync)] == ["+3 new", "up to date"]


def test_nothing_to_recover_is_fine(place: Place) -> None:
    """Nor anything to forget."""
    place.keeper.recover()
    place.keeper.keep_only([])


def test_skills_are_told_apart_by_what_they_hold(place: Place) -> None:
    """Also those of a person; the same skill in two homes is the same."""
    one, other = place.home("one"), place.home("other")
    for home in (one, other):
        sync(place, home)
    before = place.keeper.versions(one)
    assert set(before) == {"operate", "paint", "sing"}
    assert place.keeper.versions(other) == before
    place.edit(one, "paint", "mine")
    after = place.keeper.versions(one)
    assert {name for name in before if before[name] != after[name]} == {"paint"}
    assert place.keeper.versions(place.home("blank")) == {}
