"""Skills on disk: hermes-agent's files, links, modes, and people who are faster."""

import json
import os
import stat
from pathlib import Path

import pytest

from hermesd.adapters import skillswaps
from hermesd.adapters.skillhomes import MANIFEST, parse_manifest
from hermesd.adapters.skilllibrary import SkillsOnDisk
from hermesd.adapters.skilltrees import name_of, version_of
from hermesd.adapters.syscalls import rename_exchange
from hermesd.domain.errors import HermesError
from hermesd.domain.skills import Decision, SkillSync
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


class Desk:
    """One home, a bundle, and a library."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place / "root"
        self.home = self.root / "profiles" / "coder"
        self.skills = self.home / "skills"
        self.bundle = place / "bundle"
        self.home.mkdir(parents=True)
        (place / "own").mkdir()
        self.forget_nothing()
        self.write(self.bundle, "arts/paint", "1")

    def forget_nothing(self) -> None:
        """A daemon starts anew."""
        self.keeper = SkillsOnDisk(self.root, self.place / "records", self.place / "own")

    def write(self, where: Path, path: str, text: str, name: str = "") -> Path:
        """A skill with two files."""
        skill = where / path
        (skill / "references").mkdir(parents=True, exist_ok=True)
        front = f"---\nname: {name}\n---\n" if name else ""
        (skill / "SKILL.md").write_text(front + text)
        (skill / "references" / "more.md").write_text("more")
        return skill

    def sync(self, *, verify: bool = True) -> SkillSync:
        """Syncs the home."""
        (outcome,) = self.keeper.sync_all([self.home], [self.bundle], verify=verify)
        if isinstance(outcome, HermesError):
            raise outcome
        assert not (self.root / "profiles" / ".hermesd" / "skills").exists() or not list(
            (self.root / "profiles" / ".hermesd" / "skills").iterdir()
        )
        return outcome

    @property
    def lines(self) -> dict[str, str]:
        """What the manifest says."""
        return parse_manifest((self.skills / MANIFEST).read_bytes())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """One skill is bundled."""
    return Desk(tmp_path)


def test_everything_is_private_whatever_the_umask(desk: Desk) -> None:
    """And what can be executed stays so, for its owner."""
    script = desk.bundle / "arts/paint/run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    before = os.umask(0)
    try:
        desk.sync()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in desk.skills.rglob("*")}
    assert modes == {
        "arts": 0o700,
        "paint": 0o700,
        "references": 0o700,
        "SKILL.md": 0o600,
        "more.md": 0o600,
        "run.sh": 0o700,
        MANIFEST: 0o600,
    }


def test_the_manifest_is_hermes_agents(desk: Desk) -> None:
    """MD5 over names and contents, without separators, by the name in the front matter."""
    desk.write(desk.bundle, "arts/sing", "la", "Loud Singing")
    desk.sync()
    assert (desk.skills / MANIFEST).read_text() == (
        "Loud Singing:" + desk.lines["Loud Singing"] + "\npaint:" + desk.lines["paint"] + "\n"
    )
    assert desk.lines["paint"] == version_of(str(desk.bundle / "arts/paint")).md5


@pytest.mark.parametrize("linked", ["skills", "skills/arts", "skills/arts/paint"])
def test_nothing_is_written_through_a_link(desk: Desk, linked: str) -> None:
    """What it leads to stays as it is, and that is told."""
    outside = desk.place / "outside"
    outside.mkdir()
    (outside / "mine.txt").write_text("mine")
    (desk.home / linked).parent.mkdir(parents=True, exist_ok=True)
    (desk.home / linked).symlink_to(outside)
    told = desk.sync()
    assert told.decisions == {"paint": Decision.OUT_OF_REACH}
    assert told.problems == (f"{desk.home / linked} is a link, and is left alone",)
    assert snapshot(outside).keys() == {"mine.txt"}


def test_a_link_that_appears_at_the_last_moment_is_not_followed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the exchange."""
    outside = desk.place / "outside"
    outside.mkdir()
    original = skillswaps.entered

    def link_first(home: Path, path: str, *, makes: bool) -> object:
        if not desk.skills.exists():
            desk.skills.symlink_to(outside)
        return original(home, path, makes=makes)

    monkeypatch.setattr(skillswaps, "entered", link_first)
    with pytest.raises(HermesError):
        desk.sync()
    assert list(outside.iterdir()) == []


def test_a_bare_line_never_costs_an_edit(desk: Desk) -> None:
    """Nor does hermes-agent take the edit for what was installed: the hash says something else."""
    edited = desk.write(desk.skills, "arts/paint", "mine")
    (desk.skills / MANIFEST).write_text("paint\n")
    assert desk.sync().decisions == {"paint": Decision.PIN}
    assert desk.lines["paint"] != version_of(str(edited)).md5
    desk.write(desk.bundle, "arts/paint", "2")
    assert desk.sync().decisions == {"paint": Decision.CONFLICT}
    assert (edited / "SKILL.md").read_text() == "mine"


def test_a_line_that_somebody_dropped_is_ours_again(desk: Desk) -> None:
    """hermes-agent drops those of skills that it does not bundle. An untouched copy goes on being updated."""
    desk.sync()
    (desk.skills / MANIFEST).write_text("\n")
    assert desk.sync().decisions == {"paint": Decision.RECORD}
    (desk.skills / MANIFEST).write_text("\n")
    desk.write(desk.bundle, "arts/paint", "2")
    assert desk.sync().decisions == {"paint": Decision.UPDATE}


def test_a_deleted_skill_without_a_line_stays_deleted(desk: Desk) -> None:
    """Our own record knows that it was there; without any manifest everything begins anew."""
    desk.sync()
    (desk.skills / MANIFEST).write_text("\n")
    (desk.skills / "arts").rename(desk.place / "away")
    desk.forget_nothing()
    assert desk.sync().decisions == {"paint": Decision.KEEP_DELETED}
    (desk.skills / MANIFEST).unlink()
    assert desk.sync().decisions == {"paint": Decision.ADD}


def test_who_opted_out_gets_nothing(desk: Desk) -> None:
    """Until the file is gone."""
    (desk.home / ".no-bundled-skills").touch()
    assert desk.sync().summary == "opted out"
    assert not desk.skills.exists()
    assert desk.sync(verify=False).summary == "opted out"
    (desk.home / ".no-bundled-skills").unlink()
    assert desk.sync().summary == "+1 new"


def test_what_the_agent_put_away_is_not_brought_back(desk: Desk) -> None:
    """Its list has comments."""
    desk.skills.mkdir()
    (desk.skills / ".curator_suppressed").write_text("# pruned\npaint\n")
    assert desk.sync().decisions == {"paint": Decision.SUPPRESSED}


def test_a_skill_of_a_registry_is_not_doubled(desk: Desk) -> None:
    """An agent loads neither of two with one name."""
    (desk.skills / ".hub").mkdir(parents=True)
    (desk.skills / ".hub/lock.json").write_text(json.dumps({"installed": {"paint": {"install_path": "x/paint"}}}))
    assert desk.sync().decisions == {"paint": Decision.SHADOWED}


def test_a_skill_of_ones_own_is_not_doubled(desk: Desk) -> None:
    """Wherever in the profile it is."""
    desk.write(desk.skills, "mine/colours", "mine", "paint")
    assert desk.sync().decisions == {"paint": Decision.SHADOWED}


def test_an_external_skill_wins(desk: Desk) -> None:
    """An untouched copy makes way for it, an edited one stays; once it is gone, ours is new again."""
    desk.sync()
    external = desk.place / "external"
    desk.write(external, "x/paint", "theirs")
    config = desk.home / "config.yaml"
    config.write_text(f"skills:\n  external_dirs:\n    - {external}\n")
    assert desk.sync().decisions == {"paint": Decision.YIELD}
    assert not (desk.skills / "arts/paint").exists()
    assert desk.lines == {}
    assert desk.sync().decisions == {"paint": Decision.SHADOWED}
    config.unlink()
    assert desk.sync().decisions == {"paint": Decision.ADD}


def test_a_text_about_a_category_is_brought_once(desk: Desk) -> None:
    """Neither overwritten nor brought back."""
    (desk.bundle / "arts/DESCRIPTION.md").write_text("about")
    desk.sync()
    about = desk.skills / "arts/DESCRIPTION.md"
    assert about.read_text() == "about"
    about.unlink()
    desk.write(desk.bundle, "arts/paint", "2")
    desk.sync()
    assert not about.exists()


def test_a_skill_within_another_goes_along(desk: Desk) -> None:
    """And has a line of its own, as hermes-agent would write it."""
    desk.write(desk.bundle, "arts/paint/oil", "thick")
    assert desk.sync().decisions == {"paint": Decision.ADD}
    assert desk.lines.keys() == {"paint", "oil"}


def test_of_two_with_one_name_the_first_wins(desk: Desk) -> None:
    """The agent's before ours."""
    desk.write(desk.place / "own", "ours/brush", "own", "paint")
    assert desk.sync().decisions == {"paint": Decision.ADD}
    assert (desk.skills / "arts/paint").exists()


def test_an_edit_at_the_last_moment_comes_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was displaced, seen, and exchanged again."""
    desk.sync()
    desk.write(desk.bundle, "arts/paint", "2")
    original = rename_exchange
    copy = desk.skills / "arts/paint/SKILL.md"

    def edit_first(one: Path, other: Path) -> None:
        if copy.read_text() == "1":
            copy.write_text("mine")
        original(one, other)

    monkeypatch.setattr(skillswaps, "rename_exchange", edit_first)
    assert desk.sync().decisions == {"paint": Decision.KEEP_EDITED}
    assert copy.read_text() == "mine"


def test_an_edit_through_an_open_file_comes_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that had it open writes into what was displaced already."""
    desk.sync()
    desk.write(desk.bundle, "arts/paint", "2")
    copy = desk.skills / "arts/paint/SKILL.md"
    original = skillswaps.write_manifest
    with copy.open("w") as editor:
        editor.write("1")
        editor.flush()

        def edit_first(*arguments: object) -> object:
            editor.write(" and mine")
            editor.flush()
            return original(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr("hermesd.adapters.skillworks.write_manifest", edit_first)
        desk.sync()
    assert copy.read_text() == "1 and mine"


def test_without_verify_only_what_can_have_changed_is_looked_at(desk: Desk) -> None:
    """A new version is noticed, and so is what the files beside the skills say."""
    desk.sync()
    (desk.skills / "arts/paint/SKILL.md").write_text("mine")
    assert desk.sync(verify=False).summary == "up to date"
    assert desk.sync().summary == "up to date, 1 edited kept"
    desk.write(desk.bundle, "arts/sing", "la")
    assert desk.sync(verify=False).summary == "+1 new, 1 edited kept"


def test_a_manifest_that_cannot_be_read_brings_nothing_back(desk: Desk) -> None:
    """What is no file is in the way."""
    desk.sync()
    (desk.skills / MANIFEST).unlink()
    (desk.skills / MANIFEST).mkdir()
    assert desk.sync().decisions == {"paint": Decision.OUT_OF_REACH}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "folder"),
        ("name: x", "folder"),
        ("---\nname: 'x y'\n---\n", "x y"),
        ("---\ndescription: d\n---\nname: x\n", "folder"),
        ("---\nname:\n---\n", "folder"),
    ],
)
def test_a_skill_is_called_what_hermes_agent_calls_it(tmp_path: Path, text: str, name: str) -> None:
    """By its front matter, else by its directory."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "SKILL.md").write_text(text)
    assert name_of(str(tmp_path / "folder")) == name
